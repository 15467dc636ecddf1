"""The paper's printed values (Tables 1 to 3), read from `paper.yaml`. No other module holds them.

Example:
    from rrvf.report.paper import paper_table
    paper_table(1).row("rrvf").values["exec_rate"]    # 97.83
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from rrvf.errors import UserError

SOURCE = "arXiv 2507.20766"


@dataclass(frozen=True)
class PaperRow:
    """One printed row. printed, delta: the cells as text (`68.2*`) by column, without dashes."""

    key: str
    model: str
    group: str
    ranked: bool
    printed: dict[str, str]
    delta: dict[str, str]

    @property
    def values(self) -> dict[str, float]:
        """The numbers, without stars."""
        return {column: float(text.rstrip("*")) for column, text in self.printed.items()}

    @property
    def delta_values(self) -> dict[str, float]:
        """The printed differences from the base model; empty if the paper prints none."""
        return {column: float(text) for column, text in self.delta.items()}

    @property
    def starred(self) -> tuple[str, ...]:
        """Columns with values from the original benchmark; the authors measured the others."""
        return tuple(column for column, text in self.printed.items() if text.endswith("*"))


@dataclass(frozen=True)
class PaperTable:
    """One printed table. n: number of test samples (decisions D7 for Plot2Code)."""

    number: int
    title: str
    n: int
    columns: tuple[str, ...]
    rows: tuple[PaperRow, ...]

    @property
    def groups(self) -> dict[str, list[PaperRow]]:
        """Rows under their printed heading, in order."""
        grouped: dict[str, list[PaperRow]] = {}
        for row in self.rows:
            grouped.setdefault(row.group, []).append(row)
        return grouped

    def row(self, key: str) -> PaperRow:
        """The row with this key. The UserError for an unknown key lists the known ones."""
        for row in self.rows:
            if row.key == key:
                return row
        raise UserError(f"Table {self.number} has no row {key!r}: choose one of {', '.join(r.key for r in self.rows)}")


@cache
def paper_table(number: int) -> PaperTable:
    """Table 1 (ChartMimic), 2 (Plot2Code) or 3 (WebSight)."""
    tables = yaml.safe_load(files("rrvf.report").joinpath("paper.yaml").read_text())
    if number not in tables:
        raise UserError(f"the paper has no Table {number}: choose 1, 2 or 3")
    entry = tables[number]
    columns = tuple(entry["columns"])
    rows = tuple(_row(group, raw, columns) for group, raws in entry["groups"].items() for raw in raws)
    return PaperTable(number, entry["title"], entry["n"], columns, rows)


def _row(group: str, raw: dict, columns: tuple[str, ...]) -> PaperRow:
    return PaperRow(
        key=raw["key"],
        model=raw["model"],
        group=group,
        ranked=raw.get("ranked", False),
        printed=_cells(str(raw["values"]), columns),
        delta=_cells(str(raw["delta"]), columns) if "delta" in raw else {},
    )


def _cells(text: str, columns: tuple[str, ...]) -> dict[str, str]:
    return {column: cell for column, cell in zip(columns, text.split(), strict=True) if cell != "-"}
