"""Read a step log. Apart from the code that writes it, so that readers need no torch."""

from __future__ import annotations

from pathlib import Path

from rrvf.records import json_lines


def read_log(path: Path) -> list[dict]:
    """The lines of a step log; an empty list if there is no file. A line that a kill cut off is left out."""
    return list(json_lines(path))
