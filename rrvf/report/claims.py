"""Tests the paper's claims, as inequalities between table cells, on the paper's printed values and on our runs.

    findings = evaluate_claims(load_claims(), find_runs(Path("results/nano")), load_profile("nano"))
    print(claims_markdown(findings))

Our runs are judged by the 95 % interval of left - right (paired bootstrap on one set; Newcombe or two bootstraps across
sets). supported: the interval lies on the claimed side of the margin. not_supported: it lies on the other side.
undecided: it contains the margin. A claim of several inequalities is supported if all are, and not_supported if one is
not_supported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rrvf.benchmarks.intervals import Interval, newcombe, wilson
from rrvf.profile import Profile
from rrvf.records import Claim
from rrvf.report.audit import nearest_count
from rrvf.report.claim_specs import CellSpec, ClaimSpec, load_claims, load_untested
from rrvf.report.columns import JUDGED, interval_digits
from rrvf.report.paper import paper_table
from rrvf.report.runs import Run, difference
from rrvf.report.sets import Evaluated, evaluated_sets, is_stand_in
from rrvf.rows import load_rows

__all__ = ["Finding", "Verdict", "claims_markdown", "evaluate_claims", "how", "load_claims", "load_untested"]

#: With fewer samples a bootstrap interval is unreliable, and a difference stays undecided.
MIN_SAMPLES = 20

Verdict = Literal["supported", "not_supported", "undecided", "not_run"]


@dataclass(frozen=True)
class Finding:
    """A claim and its result. paper, ours: the differences as text. how: the commands that measure it."""

    claim: Claim
    where: str
    paper: str
    ours: str
    how: str = ""


def evaluate_claims(specs: Sequence[ClaimSpec], runs: Sequence[Run], profile: Profile | None = None) -> list[Finding]:
    """Test every claim on the paper's values and on ours. A table's first set in the profile's order is used for it."""
    sets: dict[int, Evaluated] = {}
    for evaluated in evaluated_sets(runs, profile):
        sets.setdefault(evaluated.settings.table, evaluated)
    return [_finding(spec, sets, profile) for spec in specs]


def _finding(spec: ClaimSpec, sets: dict[int, Evaluated], profile: Profile | None) -> Finding:
    paper_holds, paper = on_paper(spec)
    if spec.stand_in and profile is not None and is_stand_in(profile):
        verdict, ours = "not_run", spec.stand_in
    else:
        verdict, ours = on_ours(spec, sets)
    claim = Claim(id=spec.id, statement=spec.statement, paper_holds=paper_holds, ours=verdict)
    return Finding(claim, spec.where, paper, ours, how(spec.needed()))


def how(rows: Sequence[str]) -> str:
    """The commands, hardware and budgeted hours that measure these rows of the paper's models.

    It also names the rows that can no longer be measured.
    """
    known = load_rows()
    gone = [key for key in rows if key not in known or known[key].why_reported()]
    left = [key for key in rows if key not in gone]
    trained = [key for key in left if known[key].route == "trained"]
    commands = ["train as in docs/gpu_run.md, then make reproduce PROFILE=paper"] if trained else []
    commands += [f"make table ROW={key}" for key in left if key not in trained]
    hardware = max((known[key].hardware for key in left), key=lambda text: (text != "none", len(text)), default="none")
    hours = sum(known[key].hours for key in left)
    told = f"{'; '.join(commands)} ({hardware}; budget {hours:g} h)" if commands else "nothing"
    return told + (f"; reported only: {', '.join(gone)}" if gone else "")


def on_paper(spec: ClaimSpec) -> tuple[bool, str]:
    """Whether the claim holds on the printed values, and its differences as text; execution rates with intervals."""
    holds, parts = [], []
    left_table, right_table = paper_table(spec.left.table), paper_table(spec.right.table)
    for column, left_row, right_row in spec.pairs():
        a, b = left_table.row(left_row).values[column], right_table.row(right_row).values[column]
        holds.append(spec.holds(a - b))
        interval = ""
        if column == "exec_rate":
            rates = [wilson(nearest_count(v, t.n)[0], t.n) for v, t in ((a, left_table), (b, right_table))]
            interval = " " + _bounds(newcombe(*rates))
        name = spec.named(column, right_row)
        parts.append(f"{name}{': ' if name else ''}{a:.2f} - {b:.2f} = {a - b:+.2f}{interval}")
    return all(holds), "; ".join(parts)


def on_ours(spec: ClaimSpec, sets: dict[int, Evaluated]) -> tuple[Verdict, str]:
    """The verdict on our runs, and as text the differences behind it or why there are none."""
    missing = sorted(_missing(spec.left, sets) | _missing(spec.right, sets))
    if missing:
        return "not_run", "not run: " + ", ".join(missing)
    verdicts, parts = [], []
    for column, left_row, right_row in spec.pairs():
        a, b = sets[spec.left.table].runs[left_row], sets[spec.right.table].runs[right_row]
        if why := _apart(column, a, b):
            return "not_run", why
        found = difference(a, b, column)
        if found is None:
            return "not_run", _why_none(column, a, b)
        n = min(a.summary.n, b.summary.n)
        verdicts.append(_verdict(spec, found) if n >= MIN_SAMPLES else "undecided")
        few = f", fewer than {MIN_SAMPLES} samples" if n < MIN_SAMPLES else ""
        told = f"{found.value:+.2f} {_bounds(found, interval_digits(spec.left.table, column))}{few}"
        parts.append(f"{spec.named(column, right_row)} {told}".strip())
    titles = dict.fromkeys(sets[side.table].settings.title for side in (spec.left, spec.right))
    return _together(verdicts), f"{'; '.join(parts)} ({' against '.join(titles)})"


def _apart(column: str, a: Run, b: Run) -> str:
    """Why two runs cannot be compared in a column; empty if they can."""
    one, other = a.summary.provenance, b.summary.provenance
    if a.summary.set == b.summary.set and one.protocol != other.protocol:
        return f"{one.protocol} and {other.protocol} do not compare: measure both by one protocol"
    judges = [f"{made.judge.split(' ')[0]} by {made.judge_protocol}" for made in (one, other)]
    if column in JUDGED and judges[0] != judges[1]:
        return f"scores of two judges do not compare ({' and '.join(judges)}): let one judge score both"
    return ""


def _why_none(column: str, *runs: Run) -> str:
    for run in runs:
        metric = run.summary.metrics.get(column)
        if metric is None or metric.value is None:
            return f"{column} was not measured for {run.summary.policy} on {run.summary.set}"
    return f"the records do not give the {column} of their summaries: run the evaluation again"


def _missing(cells: CellSpec, sets: dict[int, Evaluated]) -> set[str]:
    evaluated = sets.get(cells.table)
    runs = evaluated.runs if evaluated else {}
    return {f"{row} for Table {cells.table}" for row in cells.row if row not in runs}


def _verdict(spec: ClaimSpec, found: Interval) -> Verdict:
    sides = {spec.holds(found.low), spec.holds(found.high)}
    # A bound exactly on the margin decides nothing: (0, 0) is no evidence for a difference of zero or less.
    if len(sides) == 2 or spec.margin in found.bounds:
        return "undecided"
    return "supported" if sides == {True} else "not_supported"


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    for verdict in ("not_supported", "undecided"):
        if verdict in verdicts:
            return verdict
    return "supported"


def _bounds(interval: Interval, digits: int = 1) -> str:
    return f"[{interval.low:+.{digits}f}, {interval.high:+.{digits}f}]"


def claims_markdown(findings: Sequence[Finding], profile: Profile | None = None) -> str:
    """A Markdown table of all claims."""
    title = f"the {profile.name} profile" if profile else "these runs"
    lines = ["# The paper's claims", "", f"On the paper's own printed values, and on {title}.", ""]
    lines += [
        "| claim | the paper's values | printed values on the claimed side | ours: difference, 95 % interval | ours "
        "| measured at full size by |",
        "|---|---|---|---|---|---|",
    ]
    for f in findings:
        holds = "yes" if f.claim.paper_holds else "**no**"
        verdict = f.claim.ours.replace("_", " ")
        lines.append(
            f"| {f.claim.statement} <sub>{f.where}</sub> | {f.paper} | {holds} | {f.ours} | {verdict} | {f.how} |"
        )
    untested = [f"- {x.statement} <sub>{x.where}</sub> Instead: {x.instead}." for x in load_untested()]
    return "\n".join([*lines, "", *_rules(findings, profile), UNTESTED, *untested]) + "\n"


RULES = """
Supported: the whole 95 % interval lies on the claimed side of the margin; undecided: the interval contains the margin.
{tested} of the {n} claims are tested here, each at 95 %, without a correction for their number, with one seed. The paper prints no per-sample results, so only its
execution rates, which are counts, have an interval here."""  # noqa: E501
UNTESTED = """
Sentences without a table cell, which cannot be tested as inequalities:
"""
STAND_IN = """
A supported claim of this profile says that the mechanism works on a small stand-in policy and generated pictures. It
does not replicate the paper's numbers."""


def _rules(findings: Sequence[Finding], profile: Profile | None) -> list[str]:
    rules = RULES.format(n=len(findings), tested=sum(f.claim.ours != "not_run" for f in findings))
    return [rules, STAND_IN] if profile is not None and is_stand_in(profile) else [rules]
