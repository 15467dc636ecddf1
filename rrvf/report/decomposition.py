"""Splits a score into two factors: score = execution rate x score given execution.

In the paper's values, two thirds of RRVF's gain over its base come from the execution rate. Caveat, printed with every
table: a policy that runs less often runs on the easier samples, so its score given execution is too favourable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rrvf.benchmarks.intervals import bootstrap
from rrvf.profile import CALIBRATION, Profile
from rrvf.report.paper import PaperTable, paper_table
from rrvf.report.runs import Run, contributions, ran
from rrvf.report.sets import Evaluated, evaluated_sets, model_title

#: The scores to split, by table.
SCORES = {1: ("overall",), 2: ("text", "judge"), 3: ("judge",)}
LABELS = {"overall": "Overall", "text": "Text", "judge": "Judge score"}
CAVEAT = (
    "Score = execution rate x score given execution. The code of a policy with a low execution rate runs on the easier "
    "samples, so the scores given execution of two policies are over different samples."
)


@dataclass(frozen=True)
class Split:
    """One policy's score and its two factors.

    key: base, sft, rrvf, ... rate: in percent. score, given: in the table's unit. given_bounds: 95 % bootstrap interval
    of the score given execution; None for the paper's rows. gain: the parts of the score's difference from the base
    that come from the rate and from the score given execution; None for the base and the calibration rows.
    """

    group: str
    key: str
    policy: str
    metric: str
    rate: float
    score: float
    given: float
    given_bounds: tuple[float, float] | None = None
    gain: tuple[float, float] | None = None


def gain(rate: float, given: float, base_rate: float, base_given: float) -> tuple[float, float]:
    """Splits rate x given - base_rate x base_given, rates in percent, into the part of each factor.

    A part is the factor's change times the mean of the other factor, so the two parts add up to the difference.
    (97.83, 65.79) against (68.83, 55.46) gives (17.6, 8.6).
    """
    by_rate = (rate - base_rate) * (given + base_given) / 200
    by_given = (given - base_given) * (rate + base_rate) / 200
    return by_rate, by_given


def paper_splits(number: int) -> list[Split]:
    """The splits of the paper's rows of one table. Empty for Table 3, which prints no execution rate."""
    if "exec_rate" not in paper_table(number).columns:
        return []
    return [split for metric in SCORES[number] for split in _paper_splits(paper_table(number), metric)]


def _paper_splits(table: PaperTable, metric: str) -> list[Split]:
    splits = []
    for row in table.rows:
        rate, score = row.values["exec_rate"], row.values[metric]
        group = f"The paper, Table {table.number}"
        splits.append(Split(group, row.key, row.model, metric, rate, score, 100 * score / rate))
    base = next(s for s in splits if s.key == "base")
    return [_against(s, base) for s in splits]


def our_splits(runs: Sequence[Run], profile: Profile | None = None) -> list[Split]:
    """The splits of all runs, set by set."""
    return [
        split
        for evaluated in evaluated_sets(runs, profile)
        for metric in SCORES.get(evaluated.settings.table, ())
        for split in _set_splits(evaluated, metric)
    ]


def _set_splits(evaluated: Evaluated, metric: str) -> list[Split]:
    title, runs = evaluated.settings.title, evaluated.runs
    splits = {p: _our_split(title, runs[p], metric) for p in evaluated.policies if p in runs}
    base = splits.get("base")
    return [s if p in CALIBRATION else _against(s, base) for p, s in splits.items() if s is not None]


def _our_split(title: str, run: Run, metric: str) -> Split | None:
    pairs, rate = contributions(run, metric), run.summary.metrics.get("exec_rate")
    records = [run.records[i] for i in sorted(run.records)]
    executed = [i for i, record in enumerate(records) if ran(record)]
    if pairs is None or rate is None or rate.value is None or not sum(pairs[1][executed]):
        return None
    given = bootstrap(pairs[0][executed], pairs[1][executed])
    key = run.summary.policy
    return Split(
        title,
        key,
        model_title(key),
        metric,
        rate.value,
        run.summary.metrics[metric].value,
        given.value,
        given.bounds,
    )


def _against(split: Split, base: Split | None) -> Split:
    if base is None or split.key == base.key:
        return split
    return replace(split, gain=gain(split.rate, split.given, base.rate, base.given))


def decomposition_markdown(splits: Sequence[Split]) -> str:
    """One Markdown table per group and score."""
    parts = ["# Execution rate and score given execution", CAVEAT]
    for key in dict.fromkeys((s.group, s.metric) for s in splits):
        rows = [s for s in splits if (s.group, s.metric) == key]
        label = LABELS[key[1]]
        head = f"| model | exec rate (%) | {label} | {label} given execution | gain over base: by rate | by the rest |"
        parts += [f"## {key[0]}: {label}", "\n".join([head, "|---|---:|---:|---:|---:|---:|", *map(_line, rows)])]
    return "\n\n".join(parts) + "\n"


def _line(s: Split) -> str:
    bounds = "" if s.given_bounds is None else f" <sub>[{s.given_bounds[0]:.1f}, {s.given_bounds[1]:.1f}]</sub>"
    gains = "– | –" if s.gain is None else f"{s.gain[0]:+.2f} | {s.gain[1]:+.2f}"
    return f"| {s.policy} | {s.rate:.2f} | {s.score:.2f} | {s.given:.2f}{bounds} | {gains} |"
