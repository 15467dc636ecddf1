"""The gain of RRVF over each other row, by seed, with paired intervals: `seeds.md`, the source of the README's numbers.

Example:
    seeds_markdown(find_runs(Path("results/nano")), find_seeds(Path("results/nano")), load_profile("nano"))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rrvf.profile import CALIBRATION, Profile
from rrvf.report.columns import interval_digits
from rrvf.report.runs import Run, difference
from rrvf.report.sets import Evaluated, evaluated_sets, of_all_seeds

#: The row to compare with all others.
OURS = "rrvf"
#: The metrics to compare, if a set has them. `low_level`: ChartMimic's score without the judge.
COMPARED = {"exec_rate": "execution rate", "judge": "judge score", "low_level": "low-level score", "overall": "Overall"}
HEAD = (
    "# RRVF against each other row, by seed\n\n"
    "Rows: mean over the seeds (min, max). Differences: RRVF less the row, by seed in order, each with the 95 % CI of "
    "the paired bootstrap over pictures. A row with one seed is compared with every seed of RRVF."
)


def seeds_markdown(runs: Sequence[Run], seeds: Sequence[Run], profile: Profile) -> str:
    """One table per evaluation set, with a block of lines per metric. Empty if no other seed was run."""
    parts = [_of_set(s) for s in evaluated_sets(runs, profile, seeds) if len(of_all_seeds(OURS, s)) > 1]
    return "\n\n".join([HEAD, *parts]) + "\n" if parts else ""


def longer_markdown(longer: Sequence[Run], shorter: Sequence[Run], profile: Profile) -> str:
    """RRVF trained for longer beside the base and the seeds of a shorter training: a line per set and metric.

    longer: runs of one seed, the base among them. profile: of the longer training. Sets without a shorter run are left
    out. The differences are the longer one less each seed of the shorter one, with intervals as in `seeds_markdown`.
    """
    head = "| set | metric | base | shorter | longer | longer less shorter, by seed |\n|---|---|---:|---:|---:|---|"
    lines = [line for evaluated in evaluated_sets(longer, profile, shorter) for line in _beside_shorter(evaluated)]
    return "\n".join([head, *lines]) + "\n"


def _beside_shorter(evaluated: Evaluated) -> Iterator[str]:
    base, ours = evaluated.runs.get("base"), evaluated.runs.get(OURS)
    others = [run for run in evaluated.seeds if run.summary.policy == OURS]
    for metric, title in COMPARED.items() if base and ours and others else ():
        places = interval_digits(evaluated.settings.table, metric)
        values = [[run.value(metric) for run in runs] for runs in ([base], others, [ours])]
        if not any(None in row for row in values):
            cells = " | ".join(_range(row, places) for row in values)
            gains = _differences([(ours, other) for other in others], metric, places)
            yield f"| {evaluated.settings.title} | {title} | {cells} | {gains} |"


def _of_set(evaluated: Evaluated) -> str:
    rows = {policy: of_all_seeds(policy, evaluated) for policy in evaluated.policies if policy not in CALIBRATION}
    lines = ["| metric | row | n | value | RRVF less the row |", "|---|---|---:|---:|---|"]
    for metric, title in COMPARED.items():
        places = interval_digits(evaluated.settings.table, metric)
        for policy, others in rows.items():
            if values := [value for run in others if (value := run.value(metric)) is not None]:
                against = "" if policy == OURS else _differences(_by_seed(rows[OURS], others), metric, places)
                lines.append(f"| {title} | {policy} | {others[0].summary.n} | {_range(values, places)} | {against} |")
    return f"## {evaluated.settings.title}\n\n" + "\n".join(lines)


def _range(values: Sequence[float], places: int) -> str:
    mean, low, high = (f"{value:.{places}f}" for value in (sum(values) / len(values), min(values), max(values)))
    return mean if len(values) == 1 else f"{mean} ({low}, {high})"


def _by_seed(ours: Sequence[Run], others: Sequence[Run]) -> list[tuple[Run, Run | None]]:
    """Each of our runs with the other policy's run of that seed, or with its only one."""
    by_seed, only = {run.summary.provenance.seed: run for run in others}, others[0] if len(others) == 1 else None
    return [(run, by_seed.get(run.summary.provenance.seed, only)) for run in ours]


def _differences(pairs: Sequence[tuple[Run, Run | None]], metric: str, places: int) -> str:
    found = [difference(ours, other, metric) if other else None for ours, other in pairs]
    return ", ".join(
        "n/a" if d is None else f"{d.value:+.{places}f} [{d.low:.{places}f}, {d.high:.{places}f}]" for d in found
    )
