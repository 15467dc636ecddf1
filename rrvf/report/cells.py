"""Every printed cell of Tables 1 to 3 as a claim: ours within a tolerance that was fixed beforehand (`claims.yaml`).

cells_markdown(judge_cells(find_runs(Path("runs/paper"))))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from rrvf.report.claims import CLAIMS, MIN_SAMPLES, Verdict, how
from rrvf.report.paper import paper_table
from rrvf.report.runs import Run
from rrvf.report.tables import TABLE_OF, against_paper, measured_alike
from rrvf.rows import load_rows

TABLES = (1, 2, 3)


@dataclass(frozen=True)
class CellClaim:
    """One printed value. how: what measures it. verdict and ours: what came out here."""

    table: int
    row: str
    column: str
    printed: float
    tolerance: float
    how: str
    verdict: Verdict = "not_run"
    ours: str = ""


def cell_claims(path: Path = CLAIMS) -> Iterator[CellClaim]:
    """All printed cells, untested."""
    tolerances = yaml.safe_load(path.read_text(encoding="utf-8"))["tolerances"]
    for number in TABLES:
        for row in paper_table(number).rows:
            for column, value in row.values.items():
                yield CellClaim(number, row.key, column, value, tolerances[number][column], how([row.key]))


def judge_cells(runs: Sequence[Run], path: Path = CLAIMS) -> list[CellClaim]:
    """All cells with what `runs` say of them: the runs of the paper's own models, by their rows' keys."""
    # Of a row that was judged twice the run counts whose judge was asked as the paper's was.
    by_judge = sorted(runs, key=lambda run: measured_alike("judge", run))
    found = {(TABLE_OF[run.summary.benchmark], run.summary.policy): run for run in by_judge}
    rows = load_rows()
    return [
        _judged(cell, found.get((cell.table, cell.row)), rows[cell.row].why_reported()) for cell in cell_claims(path)
    ]


def _judged(cell: CellClaim, run: Run | None, reported: str | None) -> CellClaim:
    if run is None:
        return _with(cell, "not_run", f"reported only: {reported}" if reported else "not run")
    if not measured_alike(cell.column, run):
        return _with(cell, "not_run", f"another judge, or asked otherwise ({run.judge_protocol})")
    less = against_paper(run, paper_table(cell.table).row(cell.row), cell.table)
    if cell.column not in less.values:
        return _with(cell, "not_run", "not measured on this machine")
    value, (low, high) = less.values[cell.column], less.intervals[cell.column]
    inside = -cell.tolerance <= low and high <= cell.tolerance
    outside = low > cell.tolerance or high < -cell.tolerance
    verdict = "supported" if inside else "not_supported" if outside else "undecided"
    few = run.summary.n < MIN_SAMPLES
    return _with(cell, "undecided" if few else verdict, f"{value:+.2f} [{low:+.2f}, {high:+.2f}]")


def _with(cell: CellClaim, verdict: Verdict, ours: str) -> CellClaim:
    return CellClaim(cell.table, cell.row, cell.column, cell.printed, cell.tolerance, cell.how, verdict, ours)


def cells_markdown(cells: Sequence[CellClaim]) -> str:
    """A line a cell, and how many of each verdict there are."""
    counts = {
        verdict: sum(c.verdict == verdict for c in cells)
        for verdict in ("supported", "undecided", "not_supported", "not_run")
    }
    told = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in counts.items())
    lines = [
        "# Every printed cell of Tables 1 to 3",
        "",
        f"{len(cells)} cells: {told}. "
        "Supported: the whole 95 % interval of ours less the printed value lies within the tolerance.",
        "",
        "| table | row | column | printed | tolerance | ours less printed, 95 % interval | verdict | measured by |",
        "|---:|---|---|---:|---:|---|---|---|",
    ]
    lines += [
        f"| {c.table} | {c.row} | {c.column} | {c.printed:.2f} | {c.tolerance:g} | {c.ours} | "
        f"{c.verdict.replace('_', ' ')} | {c.how} |"
        for c in cells
    ]
    return "\n".join(lines) + "\n"
