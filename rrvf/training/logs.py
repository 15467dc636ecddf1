"""The step log, read back; apart from what writes it, so that readers need no torch."""

from __future__ import annotations

from pathlib import Path

from rrvf.records import json_lines


def read_log(path: Path) -> list[dict]:
    """The lines of a step log; none where there is no file. A line cut by a kill is left out."""
    return list(json_lines(path))
