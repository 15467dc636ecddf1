"""Every printed cell of Tables 1 to 3 as a claim: our value is within a tolerance fixed beforehand (`claims.yaml`).

cells_markdown(judge_cells(find_runs(Path("runs/paper"))))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from rrvf.profile import Profile
from rrvf.report.claim_specs import CLAIMS
from rrvf.report.claims import MIN_SAMPLES, Verdict, how
from rrvf.report.columns import measured_alike
from rrvf.report.lines import against_paper
from rrvf.report.paper import paper_table
from rrvf.report.runs import Run, difference
from rrvf.report.sets import TABLE_OF, TRAINED, evaluated_sets, is_papers_model
from rrvf.rows import load_rows

TABLES = (1, 2, 3)
#: The row that every printed Δ refers to.
BASE = "base"


@dataclass(frozen=True)
class CellClaim:
    """One printed value, and our result for it.

    how: the command that measures it. ours: our value less the printed one, or why there is none. less: for a Δ, the
    row that it refers to.
    """

    table: int
    row: str
    column: str
    printed: float
    tolerance: float
    how: str
    verdict: Verdict = "not_run"
    ours: str = ""
    less: str = ""

    @property
    def named(self) -> str:
        """The row of the cell, or for a Δ both rows."""
        return f"{self.row} - {self.less}" if self.less else self.row


def cell_claims(path: Path = CLAIMS) -> Iterator[CellClaim]:
    """All printed cells, without a result. The printed Δ of a row follow its values."""
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    for number in TABLES:
        tolerances = written["tolerances"][number]
        for row in paper_table(number).rows:
            for column, value in row.values.items():
                yield CellClaim(number, row.key, column, value, tolerances[column], how([row.key]))
            for column, value in row.delta_values.items():
                by, tolerance = how([row.key, BASE]), round(written["delta"] * tolerances[column], 2)
                yield CellClaim(number, row.key, column, value, tolerance, by, less=BASE)


def judge_cells(runs: Sequence[Run], profile: Profile | None = None, path: Path = CLAIMS) -> list[CellClaim]:
    """All cells with their verdicts. A run belongs to the row whose key is its policy's name.

    As for the claims, a table's first set in the profile's order is used. Rows of another model than the paper's, which
    the profile trains, are left out.
    """
    first = {e.settings.table: e.name for e in reversed(evaluated_sets(runs, profile))}
    other = ("base", *TRAINED) if profile and not is_papers_model(profile) else ()
    meant = [r for r in runs if r.summary.set in first.values() and r.summary.policy not in other]
    # If a row has runs with two judges, the one that was judged as in the paper comes last and counts.
    by_judge = sorted(meant, key=lambda run: measured_alike("judge", run))
    found = {(TABLE_OF[run.summary.benchmark], run.summary.policy): run for run in by_judge}
    rows = load_rows()
    return [
        _judged(
            cell, [found.get((cell.table, row)) for row in (cell.row, cell.less) if row], rows[cell.row].why_reported()
        )
        for cell in cell_claims(path)
    ]


def _judged(cell: CellClaim, of: list[Run | None], reported: str | None) -> CellClaim:
    runs = [run for run in of if run is not None]
    if len(runs) < len(of):
        return _with(cell, "not_run", f"reported only: {reported}" if reported else "not run")
    if other := next((run for run in runs if not measured_alike(cell.column, run)), None):
        return _with(cell, "not_run", f"another judge or judge protocol ({other.judge_protocol})")
    if (less := _less_printed(cell, runs)) is None:
        return _with(cell, "not_run", "not measured on this machine")
    run, (value, low, high) = runs[0], less
    inside = -cell.tolerance <= low and high <= cell.tolerance
    outside = low > cell.tolerance or high < -cell.tolerance
    verdict = "supported" if inside else "not_supported" if outside else "undecided"
    few = run.summary.n < MIN_SAMPLES
    return _with(cell, "undecided" if few else verdict, f"{value:+.2f} [{low:+.2f}, {high:+.2f}]")


def _less_printed(cell: CellClaim, runs: list[Run]) -> tuple[float, ...] | None:
    """Our value less the printed one with the bounds of the 95 % interval; None if it was not measured."""
    if cell.less:
        ours, base = runs
        found = difference(ours, base, cell.column)
        return None if found is None else tuple(x - cell.printed for x in (found.value, *found.bounds))
    less = against_paper(runs[0], paper_table(cell.table).row(cell.row), cell.table)
    return (less.values[cell.column], *less.intervals[cell.column]) if cell.column in less.values else None


def _with(cell: CellClaim, verdict: Verdict, ours: str) -> CellClaim:
    return replace(cell, verdict=verdict, ours=ours)


def cells_markdown(cells: Sequence[CellClaim]) -> str:
    """A Markdown table with a line per cell, and the number of cells per verdict."""
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
        f"| {c.table} | {c.named} | {c.column} | {c.printed:.2f} | {c.tolerance:g} | {c.ours} | "
        f"{c.verdict.replace('_', ' ')} | {c.how} |"
        for c in cells
    ]
    return "\n".join(lines) + "\n"
