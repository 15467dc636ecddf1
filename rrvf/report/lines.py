"""The rows of a table: the paper's as printed, ours, and their differences."""

from __future__ import annotations

from collections.abc import Sequence

from rrvf.benchmarks.intervals import Interval, newcombe, wilson
from rrvf.policies.names import hub_parts
from rrvf.profile import CALIBRATION, Profile
from rrvf.records import TableRow
from rrvf.report.audit import nearest_count
from rrvf.report.columns import PAPER_COLUMNS, measured_alike
from rrvf.report.grid import Column, Line
from rrvf.report.paper import PaperRow, paper_table
from rrvf.report.runs import Run, difference
from rrvf.report.sets import TRAINED, Evaluated, is_papers_model, is_stand_in, model_title, of_all_seeds
from rrvf.rows import paper_key


def paper_line(row: PaperRow) -> Line:
    """The paper's row, with the difference from the base if one is printed."""
    main = TableRow(model=row.model, values=dict(row.values), starred=row.starred, ranked=row.ranked)
    delta = TableRow(model="Δ (vs Qwen2.5-VL-7B-Instruct)", values=dict(row.delta_values), ranked=False)
    return Line(main, delta if row.delta else None, row.printed, row.delta)


def our_lines(policy: str, evaluated: Evaluated, columns: Sequence[Column], profile: Profile | None) -> list[Line]:
    """One policy's row, and below it its mean over seeds and the paper's row, if there are any."""
    return [
        our_line(policy, evaluated, columns, profile),
        *_over_seeds(policy, evaluated, columns),
        *_beside(policy, evaluated, profile),
    ]


def our_line(policy: str, evaluated: Evaluated, columns: Sequence[Column], profile: Profile | None) -> Line:
    """One policy's row, with the difference from the base if both were run."""
    run, model = evaluated.runs.get(policy), model_title(policy)
    if policy == "base" and profile is not None:
        model = f"{model} ({'rrvf-nano' if is_stand_in(profile) else hub_parts(profile.policy.model)[0]})"
    if run is None:
        return Line(TableRow(model=model, values={}, ranked=False), note="not run")
    metrics = {c.key: run.summary.metrics[c.key] for c in columns if c.key in run.summary.metrics}
    values = {key: m.value for key, m in metrics.items()}
    intervals = {k: (m.low, m.high) for k, m in metrics.items() if None not in (m.value, m.low, m.high)}
    row = TableRow(model=model, values=values, intervals=intervals, ranked=policy not in CALIBRATION)
    base = evaluated.runs.get("base")
    compared = base is not None and policy != "base" and row.ranked
    counts = ((run.judge_errors, "judge errors"), (run.harness_errors, "harness errors"))
    note = ", ".join(f"{count} {what}" for count, what in counts if count)
    return Line(row, delta_row(run, base, columns) if compared else None, note=note)


def delta_row(run: Run, base: Run, columns: Sequence[Column]) -> TableRow:
    """Differences from the base with their intervals. A column is missing if the records do not give a difference."""
    found = {c.key: difference(run, base, c.key) for c in columns}
    found = {key: d for key, d in found.items() if d is not None}
    return TableRow(
        model="Δ (vs base)",
        values={key: d.value for key, d in found.items()},
        intervals={key: d.bounds for key, d in found.items()},
        ranked=False,
    )


def _over_seeds(policy: str, evaluated: Evaluated, columns: Sequence[Column]) -> list[Line]:
    """The mean over the seeds, with minimum and maximum as its interval. Empty with one seed."""
    runs = of_all_seeds(policy, evaluated)
    if len(runs) < 2:
        return []
    found = {c.key: [run.value(c.key) for run in runs] for c in columns}
    whole = {key: values for key, values in found.items() if None not in values}
    row = TableRow(
        model=f"mean and range of {len(runs)} seeds",
        values={key: sum(values) / len(values) for key, values in whole.items()},
        intervals={key: (min(values), max(values)) for key, values in whole.items()},
        ranked=False,
    )
    return [Line(row, of=model_title(policy))]


def _beside(policy: str, evaluated: Evaluated, profile: Profile | None) -> list[Line]:
    """The paper's row below ours, and our difference from it. Empty without such a row, and for another model's.

    Columns that were not measured as in the paper are left out: scores of another judge or by another prompt.
    """
    if evaluated.settings.table not in PAPER_COLUMNS:
        return []
    number, run = evaluated.settings.table, evaluated.runs.get(policy)
    key = paper_key(policy.partition(",")[0])
    if profile is None or is_stand_in(profile) or key not in {row.key for row in paper_table(number).rows}:
        return []
    if key in ("base", *TRAINED) and not is_papers_model(profile):
        return []
    row = paper_table(number).row(key)
    alike = {c: v for c, v in row.values.items() if run is None or measured_alike(c, run)}
    printed = {c: text for c, text in row.printed.items() if c in alike}
    line = Line(TableRow(model=f"the paper: {row.model}", values=alike, ranked=False), printed=printed)
    return [line] if run is None else [line, Line(against_paper(run, row, number))]


def against_paper(run: Run, row: PaperRow, number: int) -> TableRow:
    """Our values less the printed ones, as a row of table `number`.

    The intervals cover our samples; for execution rates also the paper's counts.
    """
    values, intervals = {}, {}
    for column, printed in row.values.items():
        metric = run.summary.metrics.get(column)
        if metric is None or None in (metric.value, metric.low, metric.high) or not measured_alike(column, run):
            continue
        found = Interval(metric.value, metric.low, metric.high)
        if column == "exec_rate":
            n = paper_table(number).n
            found = newcombe(found, wilson(nearest_count(printed, n)[0], n))
            values[column], intervals[column] = metric.value - printed, found.bounds
        else:
            values[column], intervals[column] = found.value - printed, (found.low - printed, found.high - printed)
    return TableRow(model="ours less the paper", values=values, intervals=intervals, ranked=False)
