"""Figures of the paper's claims at a margin that the reader chooses, for the audit notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import seaborn as sns
from matplotlib.figure import Figure

from rrvf.benchmarks.intervals import Interval, newcombe, wilson
from rrvf.report.audit import nearest_count
from rrvf.report.claim_specs import ClaimSpec
from rrvf.report.figures import INK, PALETTE, SOFT, STYLE, blank_figure
from rrvf.report.paper import paper_table

#: Judge scores of Table 2 are from 0 to 10; all other values are in percent or points of 100.
TENTHS = {(2, "judge"), (2, "judge_pass")}


@dataclass(frozen=True)
class Difference:
    """The inequality that decides a claim on the paper's values.

    value: left - right in points of 100, positive on the claimed side. bounds: 95 % interval, only for execution rates;
    for other values the paper prints no spread.
    """

    claim: str
    where: str
    value: float
    bounds: tuple[float, float] | None

    def verdict(self, margin: float) -> str:
        """`holds`, `fails`, or `open` if the interval contains the margin."""
        if self.bounds is not None and self.bounds[0] <= margin <= self.bounds[1]:
            return "open"
        return "holds" if self.value > margin else "fails"


def deciding(spec: ClaimSpec) -> Difference:
    """The inequality of a claim with the smallest difference."""
    return min((_difference(spec, *pair) for pair in spec.pairs()), key=lambda d: d.value)


def _difference(spec: ClaimSpec, column: str, left_row: str, right_row: str) -> Difference:
    tables = paper_table(spec.left.table), paper_table(spec.right.table)
    values = [t.row(row).values[column] for t, row in zip(tables, (left_row, right_row), strict=True)]
    unit, sign = (10 if (spec.left.table, column) in TENTHS else 1), (1 if spec.relation == ">" else -1)
    bounds = None
    if column == "exec_rate":
        rates = [wilson(nearest_count(v, t.n)[0], t.n) for v, t in zip(values, tables, strict=True)]
        bounds = tuple(sorted(sign * b for b in newcombe(*rates).bounds))
    names = left_row, right_row
    if spec.left.table != spec.right.table:
        names = tuple(f"{row} in Table {t.number}" for row, t in zip(names, tables, strict=True))
    return Difference(spec.id, f"{column}, {' - '.join(names)}", sign * unit * (values[0] - values[1]), bounds)


def margin_figure(specs: Sequence[ClaimSpec], margin: float) -> Figure:
    """A line per claim with its deciding difference, its 95 % interval if it has one, and the margin."""
    found = sorted(map(deciding, specs), key=lambda d: d.value)
    colors = {"holds": PALETTE[2], "open": PALETTE[1], "fails": PALETTE[3]}
    verdicts = [d.verdict(margin) for d in found]
    figure = blank_figure(9, 0.19 * len(found) + 1)
    with sns.axes_style(STYLE):
        axes = figure.subplots()
    for y, (d, verdict) in enumerate(zip(found, verdicts, strict=True)):
        if d.bounds:
            axes.plot(d.bounds, (y, y), color=colors[verdict], linewidth=2.4, alpha=0.6)
        axes.plot(d.value, y, "o", color=colors[verdict], markersize=6)
    axes.axvline(margin, color=INK, linewidth=1)
    axes.set_yticks(range(len(found)), [f"{d.claim}  ({d.where})" for d in found], size=7.5, color=SOFT)
    axes.set(xlabel="left - right, points of 100")
    counts = ", ".join(
        f"{verdicts.count(v)} {word}" for v, word in (("holds", "hold"), ("open", "open"), ("fails", "fail"))
    )
    axes.set_title(f"Claims at a margin of {margin:g} points: {counts}", loc="left", weight="bold", size=11)
    sns.despine(ax=axes)
    figure.tight_layout()
    return figure


def rates_figure(rates: Sequence[tuple[str, Interval]]) -> Figure:
    """Named rates in percent with their intervals, one line each, in the order given."""
    figure = blank_figure(8, 0.26 * len(rates) + 0.9)
    with sns.axes_style(STYLE):
        axes = figure.subplots()
    for y, (_, rate) in enumerate(rates):
        error = [[rate.value - rate.low], [rate.high - rate.value]]
        axes.errorbar(rate.value, y, xerr=error, fmt="o", capsize=4, color=PALETTE[y % 3])
    axes.set_yticks(range(len(rates)), [name for name, _ in rates], size=9)
    axes.set(xlim=(40, 100), xlabel="execution rate (%)")
    axes.invert_yaxis()
    axes.set_title("Execution rates as printed, with 95 % intervals", loc="left", weight="bold", size=11)
    sns.despine(ax=axes)
    figure.tight_layout()
    return figure
