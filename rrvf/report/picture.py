"""A table as a picture in the style of a paper: booktabs rules, marks, small intervals below the values."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rrvf.report.grid import Block, Cell, Printed, Table, lay_out

#: Inches: width of the picture, height of a row, margin. The height of the picture follows from its rows.
WIDTH, ROW, MARGIN = 16.0, 0.29, 0.35
#: Inches between two column labels.
GAP = 0.3
INK, SOFT = "#1b1f24", "#6a737d"
SIZE, SMALL = 12.5, 9.0


def table_picture(table: Table) -> Figure:
    """The whole table, 16 inches wide; save it with `savefig(path, dpi=...)`."""
    blocks = [(block, lay_out(block)) for block in table.blocks]
    notes = [_wrap(line) for line in table.footer]
    height = sum(_block_height(block, rows) for block, rows in blocks) + 2 * ROW + 2 * MARGIN
    height += sum(ROW * 0.75 * (n.count("\n") + 1) for n in notes)
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    FigureCanvasAgg(figure)
    pen = _Pen(figure, height, height - MARGIN)
    pen.text(MARGIN, table.title, size=17, weight="bold")
    pen.down(1.5)
    for block, rows in blocks:
        _draw_block(pen, block, rows)
    for note in notes:
        pen.note(note)
    return figure


@dataclass
class _Pen:
    """A position that moves down a figure measured in inches."""

    figure: Figure
    height: float
    y: float

    def down(self, rows: float = 1.0) -> None:
        self.y -= rows * ROW

    def text(self, x: float, text: str, drop: float = 0.0, **style):
        style = {"ha": "left", "va": "center", "size": SIZE, "color": INK, "parse_math": False} | style
        return self.figure.text(x / WIDTH, (self.y - ROW * (0.5 + drop)) / self.height, text, **style)

    def rule(self, width: float, left: float = MARGIN, right: float = WIDTH - MARGIN, lift: float = 0.0) -> None:
        y = (self.y + lift) / self.height
        ends = [left / WIDTH, right / WIDTH]
        self.figure.add_artist(Line2D(ends, [y, y], color=INK, linewidth=width, solid_capstyle="butt"))

    def note(self, text: str) -> None:
        lines = text.count("\n") + 1
        y = (self.y - 0.08) / self.height
        self.figure.text(
            MARGIN / WIDTH, y, text, size=SMALL + 0.5, color=SOFT, va="top", parse_math=False, linespacing=1.25
        )
        self.down(0.75 * lines)

    def shrink(self, artist, width: float) -> None:
        """Make a drawn text no wider than `width`, in inches."""
        drawn = artist.get_window_extent(self.figure.canvas.get_renderer()).width / self.figure.dpi
        artist.set_size(artist.get_size() * min(1.0, width / drawn))

    def left_edge(self, artist) -> float:
        """Left edge of a drawn text, in inches."""
        return artist.get_window_extent(self.figure.canvas.get_renderer()).x0 / self.figure.dpi


def _wrap(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 200))


def _rows_of(row: Printed) -> float:
    """Height of a printed row, in rows: intervals need a second, lower line."""
    return 1.62 if any(cell.interval for cell in row.cells) else 1.0


def _block_height(block: Block, rows: list[Printed]) -> float:
    notes = sum(_wrap(f).count("\n") + 1 for f in (*block.footer, *([block.head] if block.head else [])))
    return ROW * (sum(map(_rows_of, rows)) + 4.0 + 0.75 * notes)


def _draw_block(pen: _Pen, block: Block, rows: list[Printed]) -> None:
    edges = _right_edges(block)
    pen.text(MARGIN, block.title, style="italic", color=SOFT)
    pen.down(1.1)
    if block.head:
        pen.note(_wrap(block.head))
    pen.rule(1.6)
    pen.text(MARGIN, "Model", weight="bold", drop=0.3)
    for edge, column in zip(edges, block.columns, strict=True):
        label = "\n".join(
            textwrap.wrap(column.label, max(10, round(8.5 * (_step(block) - GAP))), break_long_words=False)
        )
        pen.shrink(pen.text(edge, label, ha="right", weight="bold", drop=0.3, linespacing=1.1), _step(block) - GAP)
    pen.down(1.7)
    pen.rule(0.8)
    for row in rows:
        _draw_row(pen, row, edges)
    pen.rule(1.6)
    for footer in block.footer:
        pen.note(_wrap(footer))
    pen.down(1.0)


def _right_edges(block: Block) -> list[float]:
    """Right edges of the value columns in inches. The model's name gets the remaining width."""
    count = len(block.columns)
    return [WIDTH - MARGIN - _step(block) * (count - 1 - i) for i in range(count)]


def _step(block: Block) -> float:
    return min(2.2, (WIDTH - 2 * MARGIN - 4.3) / len(block.columns))


def _draw_row(pen: _Pen, row: Printed, edges: list[float]) -> None:
    if row.kind == "heading":
        pen.text(WIDTH / 2, row.label, ha="center", style="italic")
    else:
        soft = row.kind == "delta"
        pen.text(MARGIN + (0.3 if soft else 0), row.label, color=SOFT if soft else INK, size=SIZE - (1 if soft else 0))
        for edge, cell in zip(edges, row.cells, strict=True):
            _draw_cell(pen, cell, edge, soft)
    pen.down(_rows_of(row))


def _draw_cell(pen: _Pen, cell: Cell, edge: float, soft: bool) -> None:
    weight = "bold" if cell.mark == "best" else "normal"
    value = pen.text(edge, cell.text, ha="right", weight=weight, color=SOFT if soft else INK)
    if cell.mark == "second":
        pen.rule(0.9, left=pen.left_edge(value), right=edge, lift=-ROW * 0.83)
    if cell.interval:
        pen.text(edge, cell.interval, ha="right", size=SMALL, color=SOFT, drop=0.72)
