"""The content of a table, independent of its format: blocks of rows with their columns, and the text of every cell.

Rows in a block were measured in the same way. The paper's rows are one block, and each of our evaluation sets is
another. The writers decorate `lay_out(block)`; none of them formats a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rrvf.records import TableRow

DASH = "–"
NOT_AVAILABLE = "n/a"

Mark = Literal["", "best", "second"]


@dataclass(frozen=True)
class Column:
    """One metric of a table.

    digits: decimals of the value. interval_digits: decimals of its bounds. marked: number of marked ranks (0 to 2).
    """

    key: str
    label: str
    digits: int = 2
    interval_digits: int = 1
    marked: int = 2


@dataclass(frozen=True)
class Line:
    """A row with its delta row.

    printed, delta_printed: cells to copy as text. note: text after the model's name. of: the row above that this row
    adds to, as the mean over seeds does; empty for other rows.
    """

    row: TableRow
    delta: TableRow | None = None
    printed: Mapping[str, str] = field(default_factory=dict)
    delta_printed: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    of: str = ""


@dataclass(frozen=True)
class Group:
    """Rows under a heading inside a block. An empty heading is not printed."""

    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Block:
    """Rows that can be compared with each other.

    head: the choices that affect their numbers, above the rows. footer: provenance and notes, below the rows.
    """

    title: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    footer: tuple[str, ...] = ()
    head: str = ""

    @property
    def lines(self) -> list[Line]:
        """The rows of all groups, in order."""
        return [line for group in self.groups for line in group.lines]


@dataclass(frozen=True)
class Table:
    """One of the paper's tables, with our own measurements below."""

    number: int
    title: str
    blocks: tuple[Block, ...]
    footer: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its files without suffix: `table1`."""
        return f"table{self.number}"


@dataclass(frozen=True)
class Cell:
    """The text of one cell: value, interval (may be empty) and mark."""

    text: str
    interval: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class Printed:
    """One printed row of a block."""

    kind: Literal["heading", "row", "delta"]
    label: str
    cells: tuple[Cell, ...] = ()


def marks(block: Block) -> dict[tuple[int, str], Mark]:
    """Best and second best value per column among ranked rows, by (line number, column). This is the paper's rule.

    Equal values share a mark. With fewer than two ranked values nothing is marked.
    """
    found: dict[tuple[int, str], Mark] = {}
    ranked = [(i, line.row.values) for i, line in enumerate(block.lines) if line.row.ranked]
    for column in block.columns:
        values = {i: row[column.key] for i, row in ranked if row.get(column.key) is not None}
        order = sorted(set(values.values()), reverse=True)[: column.marked] if len(values) > 1 else []
        for value, mark in zip(order, ("best", "second"), strict=False):
            found |= {(i, column.key): mark for i, v in values.items() if v == value}
    return found


def in_short(block: Block, columns: Sequence[str] = ()) -> Block:
    """The block with one row per policy, without delta rows and rows that add to another.

    columns: keys of the columns to keep; empty: all. Values get as many decimals as their intervals.
    """
    plain = [
        replace(group, lines=tuple(replace(line, delta=None) for line in group.lines if not line.of))
        for group in block.groups
    ]
    kept = [replace(c, digits=c.interval_digits) for c in block.columns if not columns or c.key in columns]
    return replace(block, groups=tuple(plain), columns=tuple(kept))


def lay_out(block: Block) -> list[Printed]:
    """The rows of a block in printing order, every cell as text."""
    marked, rows, number = marks(block), [], 0
    for group in block.groups:
        if group.heading:
            rows.append(Printed("heading", group.heading))
        for line in group.lines:
            row = line.row
            cells = tuple(_cell(c, row, line.printed, marked.get((number, c.key), "")) for c in block.columns)
            rows.append(
                Printed("delta" if line.of else "row", f"{row.model} ({line.note})" if line.note else row.model, cells)
            )
            if line.delta is not None:
                cells = tuple(_delta_cell(c, line.delta, line.delta_printed) for c in block.columns)
                rows.append(Printed("delta", line.delta.model, cells))
            number += 1
    return rows


def _cell(column: Column, row: TableRow, printed: Mapping[str, str], mark: Mark) -> Cell:
    if column.key in printed:
        return Cell(printed[column.key], mark=mark)
    if column.key not in row.values:
        return Cell(DASH)
    value = row.values[column.key]
    if value is None:
        return Cell(NOT_AVAILABLE)
    return Cell(f"{value:.{column.digits}f}", _bounds(column, row, ""), mark)


def _delta_cell(column: Column, delta: TableRow, printed: Mapping[str, str]) -> Cell:
    if column.key in printed:
        return Cell(printed[column.key])
    value = delta.values.get(column.key)
    return Cell(DASH) if value is None else Cell(f"{value:+z.{column.digits}f}", _bounds(column, delta, "+z"))


def _bounds(column: Column, row: TableRow, sign: str) -> str:
    if column.key not in row.intervals:
        return ""
    low, high = (f"{bound:{sign}.{column.interval_digits}f}" for bound in row.intervals[column.key])
    return f"[{low}, {high}]"
