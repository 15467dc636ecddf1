"""Score files side by side: how the choice of a protocol changes the scores of the same pairs.

rrvf score beside official.json july2025.json
"""

from __future__ import annotations

import json
from pathlib import Path

from rrvf.errors import UserError


def table(paths: list[Path]) -> str:
    """A markdown table: one row per file with its aggregate and the number of pairs that differ from the first file.

    UserError for a file that `rrvf score` did not write, and for files over different pairs, which do not compare.
    """
    files = [_read(path) for path in paths]
    for path, file in zip(paths, files, strict=True):
        if file["pairs"].keys() != files[0]["pairs"].keys():
            raise UserError(f"{path} scores other pairs than {paths[0]}: score the same folder with each protocol")
    columns = list(files[0]["aggregate"])
    rows = [["protocol", *columns, "pairs that differ"], ["---"] * (len(columns) + 2)]
    for file in files:
        differ = sum(files[0]["pairs"][name] != pair for name, pair in file["pairs"].items())
        rows.append([file["protocol"], *(_shown(file["aggregate"].get(c)) for c in columns), str(differ)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _read(path: Path) -> dict:
    try:
        file = json.loads(path.read_text())
        return {key: file[key] for key in ("protocol", "pairs", "aggregate")}
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path} is no file of scores: make one with `rrvf score ... --out {path}`") from None


def _shown(value: float | None) -> str:
    return "n/a" if value is None else str(value) if isinstance(value, int) else f"{value:.2f}"
