"""Writes tables as Markdown, CSV, LaTeX (booktabs) and terminal text. `rrvf.report.picture` draws them as pictures.

Example:
    write_tables(Path("results/nano"), Path("results/nano/report"), load_profile("nano"))
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from rrvf.profile import Profile
from rrvf.report.grid import Block, Cell, Printed, Table, lay_out, marks
from rrvf.report.picture import table_picture
from rrvf.report.runs import find_runs, find_seeds
from rrvf.report.tables import build_tables


def write_tables(
    results_dir: Path, out_dir: Path, profile: Profile | None = None, allow_judge_errors: bool = False
) -> list[Path]:
    """Write the tables of the runs under `results_dir` to `out_dir` and return their paths.

    Files: `table{1,2,3,4}.{md,csv,tex,png}`. profile, allow_judge_errors: as in `build_tables`.
    """
    tables = build_tables(find_runs(results_dir), profile, allow_judge_errors, find_seeds(results_dir))
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    for table in tables:
        for suffix, write in (("md", markdown), ("csv", comma_separated), ("tex", latex)):
            paths.append(out_dir / f"{table.name}.{suffix}")
            paths[-1].write_text(write(table), encoding="utf-8")
        paths.append(out_dir / f"{table.name}.png")
        _save(table, paths[-1])
    return paths


def _save(table: Table, path: Path) -> None:
    """Save the picture of `table` with 64 colours, which is enough for text and a quarter of the size."""
    table_picture(table).savefig(png := io.BytesIO(), dpi=150)
    Image.open(png).convert("RGB").quantize(64).save(path, optimize=True)


def markdown(table: Table) -> str:
    """GitHub Markdown: a heading and one table per block."""
    parts = [f"# {table.title}"]
    for block in table.blocks:
        head = [_md(block.head)] if block.head else []
        parts += [f"## {_md(block.title)}", *head, markdown_rows(block), *map(_md, block.footer)]
    return "\n\n".join([*parts, *map(_md, table.footer)]) + "\n"


def markdown_rows(block: Block) -> str:
    """The rows of one block as a Markdown table, without title, head and footer."""
    names = ["Model", *(c.label for c in block.columns)]
    lines = [_md_row(names), _md_row(["---"] + ["---:"] * len(block.columns))]
    return "\n".join([*lines, *(_md_printed(row, len(block.columns)) for row in lay_out(block))])


def _md_printed(row: Printed, columns: int) -> str:
    if row.kind == "heading":
        return _md_row([f"**{_md(row.label)}**"] + [""] * columns)
    label = f"*{_md(row.label)}*" if row.kind == "delta" else _md(row.label)
    return _md_row([label, *map(_md_cell, row.cells)])


def _md_cell(cell: Cell) -> str:
    around = {"best": ("**", "**"), "second": ("<u>", "</u>")}.get(cell.mark, ("", ""))
    text = _md(cell.text).join(around)
    return f"{text} <sub>{cell.interval}</sub>" if cell.interval else text


def _md_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _md(text: str) -> str:
    """Plain text, escaped for Markdown, because names of sets and policies are untrusted."""
    escapes = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": " "} | {c: f"\\{c}" for c in "\\|*_`["}
    return "".join(escapes.get(c, c) for c in text)


def comma_separated(table: Table) -> str:
    """One line per value in full precision, then the footers as `# ` lines (`pandas.read_csv(..., comment="#")`)."""
    out = io.StringIO()
    # Texts are quoted: the address of a policy holds a `#`, where `comment="#"` would end the line.
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["table", "block", "group", "model", "metric", "value", "low", "high", "mark", "note"])
    for block in table.blocks:
        writer.writerows([table.number, *line] for line in _csv_lines(block))
    footers = [f for block in table.blocks for f in _notes(block)] + list(table.footer)
    return out.getvalue() + "".join("# " + footer.replace("\n", " ") + "\n" for footer in footers)


def _notes(block: Block) -> list[str]:
    """Head, with the block's title, and footer, for formats without a place above a block."""
    return [*([f"{block.title}: {block.head}"] if block.head else []), *block.footer]


def _csv_lines(block: Block) -> list[list]:
    marked, lines, number = marks(block), [], 0
    for group in block.groups:
        for line in group.lines:
            for row in (line.row, line.delta) if line.delta else (line.row,):
                of = line.of if row is line.row else line.row.model
                name = f"{of}: {row.model}" if of else row.model
                for column in block.columns:
                    mark = marked.get((number, column.key), "") if row is line.row else ""
                    note = "original benchmark" if column.key in row.starred else line.note
                    value, bounds = row.values.get(column.key), row.intervals.get(column.key, ("", ""))
                    value = "" if value is None else value
                    lines.append([block.title, group.heading, name, column.key, value, *bounds, mark, note])
            number += 1
    return lines


def latex(table: Table) -> str:
    r"""One `table*` with a booktabs `tabular` per block. It needs the booktabs package."""
    lines = [r"\begin{table*}[t]", r"\centering", rf"\caption{{{_tex(table.title.partition(': ')[2])}}}"]
    for block in table.blocks:
        lines += _tex_block(block)
    lines += [rf"{{\scriptsize {_tex(footer)}\par}}" for footer in table.footer]
    return "\n".join([r"% needs \usepackage{booktabs}", *lines, r"\end{table*}"]) + "\n"


def _tex_block(block: Block) -> list[str]:
    width = len(block.columns) + 1
    head = " & ".join(["Model", *(_tex(c.label) for c in block.columns)])
    lines = [
        rf"\par\smallskip\textbf{{{_tex(block.title)}}}\par\smallskip",
        *([rf"{{\scriptsize {_tex(block.head)}\par}}"] if block.head else []),
        rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
    ]
    lines += [r"\toprule", head + r" \\", r"\midrule"]
    for row in lay_out(block):
        if row.kind == "heading":
            lines.append(rf"\multicolumn{{{width}}}{{c}}{{\textit{{{_tex(row.label)}}}}} \\")
        else:
            lines.append(" & ".join([_tex(row.label), *map(_tex_cell, row.cells)]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    return lines + [rf"\par{{\scriptsize {_tex(footer)}\par}}" for footer in block.footer]


def _tex_cell(cell: Cell) -> str:
    command = {"best": r"\textbf", "second": r"\underline"}.get(cell.mark)
    text = f"{command}{{{_tex(cell.text)}}}" if command else _tex(cell.text)
    return rf"\shortstack[r]{{{text}\\{{\tiny {_tex(cell.interval)}}}}}" if cell.interval else text


def _tex(text: str) -> str:
    named = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    named |= {"Δ": r"$\Delta$", "–": "--", "\n": " "} | {c: f"\\{c}" for c in "&%$#_{}"}
    # LaTeX reads a bracket after `\\` as the optional length of the line break.
    named |= {"[": "{[}", "]": "{]}"}
    return "".join(named.get(c, c) for c in text)


def print_tables(tables: Sequence[Table], console: Console | None = None) -> None:
    """Print tables to the terminal: best in bold, second best underlined, intervals dimmed below their values."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=max(console.width, 150))
    for table in tables:
        console.print(f"\n[bold]{escape(table.title)}[/bold]")
        for block in table.blocks:
            console.print(_rich_block(block))
        console.print("\n".join(escape(f) for block in table.blocks for f in _notes(block)), style="dim")


def _rich_block(block: Block) -> RichTable:
    grid = RichTable(title=escape(block.title), title_justify="left", box=None, pad_edge=False)
    grid.add_column("Model", no_wrap=False)
    for column in block.columns:
        grid.add_column(escape(column.label), justify="right")
    for row in lay_out(block):
        style = {"heading": "italic", "delta": "dim"}.get(row.kind, "")
        grid.add_row(escape(row.label), *(_rich_cell(cell) for cell in row.cells), style=style)
    return grid


def _rich_cell(cell: Cell) -> str:
    style = {"best": "bold", "second": "underline"}.get(cell.mark)
    text = f"[{style}]{escape(cell.text)}[/{style}]" if style else escape(cell.text)
    return f"{text}\n[dim]{escape(cell.interval)}[/dim]" if cell.interval else text
