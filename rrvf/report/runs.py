"""Reads evaluation runs from disk: `.../<set>/<policy>/{summary.json, records.jsonl, renders/}`.

The printed values of a run come from its summary. Differences between two runs come from their records, by sample.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from rrvf.benchmarks.intervals import Interval, independent_difference, newcombe, paired_difference, wilson
from rrvf.benchmarks.results import read_results
from rrvf.domains import DomainName
from rrvf.errors import UserError, first_line
from rrvf.folders import moved_aside
from rrvf.records import Outcome, Provenance, SampleResult, picture_name
from rrvf.report.audit import LOW_LEVEL, overall

#: Maximum share of failed samples in a run of a table: with more, the rest no longer represents the test set.
MAX_JUDGE_ERRORS = 0.01


class Metric(BaseModel):
    """One aggregate with its interval; None if the metric could not be measured on this machine."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Summary(BaseModel):
    """`summary.json` as the runner writes it."""

    model_config = ConfigDict(frozen=True)

    n: int
    benchmark: Literal["chartmimic", "plot2code", "websight", "pictures"]
    set: str
    policy: str
    outcomes: dict[Outcome, int]
    metrics: dict[str, Metric]
    provenance: Provenance
    #: Set for an evaluation over several turns, and for a part of an evaluation. Neither is a row of a table.
    turn: int | None = None
    shard: dict | None = None
    #: The samples that the summary covers, if `records.jsonl` holds more, as after a run with a smaller `--limit`.
    ids: list[str] | None = None
    #: Domain of the pictures; None in summaries of earlier versions.
    domain: DomainName | None = None


@dataclass(frozen=True)
class Run:
    """One policy on one set."""

    summary: Summary
    folder: Path

    @cached_property
    def records(self) -> dict[str, SampleResult]:
        """Results of `records.jsonl` by sample id.

        The file is append-only: the last line of a sample counts, and a line cut by a kill is ignored. Samples that the
        summary does not cover are left out.
        """
        found, ids = read_results(self.folder), self.summary.ids
        return found if ids is None else {name: found[name] for name in ids if name in found}

    def value(self, metric: str) -> float | None:
        """The summary's value, or None. `low_level` is the mean of ChartMimic's four scores from the code."""
        names = LOW_LEVEL if metric == "low_level" else (metric,)
        found = [self.summary.metrics[name].value for name in names if name in self.summary.metrics]
        whole = [value for value in found if value is not None]
        return sum(whole) / len(whole) if len(whole) == len(names) else None

    @property
    def judge_protocol(self) -> str:
        """The protocol by which the judge was asked. Scores of two protocols do not compare."""
        return self.summary.provenance.judge_protocol

    @property
    def judge_errors(self) -> int:
        """Number of samples on which the judge failed."""
        return self.summary.outcomes.get("judge_error", 0)

    @property
    def harness_errors(self) -> int:
        """Number of samples on which our own code or machine failed."""
        return self.summary.outcomes.get("harness_error", 0)

    def render_path(self, sample_id: str) -> Path:
        """The path of a sample's picture. The name cannot leave the folder."""
        return self.folder / "renders" / picture_name(sample_id)

    def check_judge(self) -> None:
        """Raises UserError if the judge or the renderer failed on more than 1 % of the samples."""
        s = self.summary
        for what, count in (("judge", self.judge_errors), ("renderer", self.harness_errors)):
            if count > MAX_JUDGE_ERRORS * s.n:
                raise UserError(
                    f"{s.policy} on {s.set}: the {what} failed on {count} of {s.n} samples (more than 1 %): "
                    "run the evaluation again to ask for these (in Python, write_report takes allow_judge_errors=True)"
                )


def find_runs(results: Path) -> list[Run]:
    """Every finished single-turn evaluation under a folder, or under its `eval/` if it has one, in path order.

    Folders that were moved aside because their inputs changed are left out, and so are parts of evaluations. Raises
    UserError if there is no evaluation or one is unreadable.
    """
    root = results / "eval" if (results / "eval").is_dir() else results
    paths = [path for path in sorted(root.rglob("summary.json")) if not moved_aside(path.relative_to(root))]
    found = [Run(_read(path), path.parent) for path in paths]
    runs = [run for run in found if run.summary.turn is None and run.summary.shard is None]
    if not runs:
        raise UserError(f"no evaluation under {results}: run `rrvf eval` first, or name the folder that holds eval/")
    return runs


def find_seeds(results: Path) -> list[Run]:
    """The runs with other seeds in `results`: under `seeds/N` after a run, under `seed-N` when published."""
    folders = seed_folders(results)
    return [run for folder in folders if any(folder.glob("eval/*/*/summary.json")) for run in find_runs(folder)]


def seed_folders(results: Path) -> list[Path]:
    """The folders of the other seeds in `results`."""
    return sorted([*results.glob("seeds/*"), *results.glob("seed-*")])


def _read(path: Path) -> Summary:
    try:
        return Summary.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        reason = first_line(error)
        raise UserError(
            f"{path} is not an evaluation summary ({reason}): remove it and run `rrvf eval` again"
        ) from None


def difference(a: Run, b: Run, metric: str) -> Interval | None:
    """a - b on one metric, in the table's unit, with a 95 % interval; None if the records do not give it.

    The interval is a paired bootstrap if both have the same samples; else Newcombe for rates and two bootstraps for
    other metrics.
    """
    paired = a.summary.set == b.summary.set and a.records.keys() == b.records.keys()
    if metric == "exec_rate" and not paired:
        tried = [[x for x in r.records.values() if x.outcome not in ("harness_error", "excluded")] for r in (a, b)]
        return newcombe(*(wilson(sum(map(ran, records)), len(records)) for records in tried))
    left, right = contributions(a, metric), contributions(b, metric)
    if left is None or right is None:
        return None
    function = paired_difference if paired else independent_difference
    return function(left[0], right[0], left[1], right[1])


def ran(record: SampleResult) -> bool:
    """Whether the code counts as executed, whether or not the judge then scored its picture."""
    return record.outcome in ("scored", "judge_error")


def contributions(run: Run, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(values, weights) per sample in sample-id order, so that sum(values) / sum(weights) is the run's metric.

    A sample that did not run has weight 1 and value 0; in a `_pass` metric it has weight 0. A sample has weight 0 if
    the judge or the harness failed or if its reference cannot be used. None if the records do not give the summary's
    value: another aggregation, or a metric that was not measured.
    """
    records = [run.records[i] for i in sorted(run.records)]
    target = run.value(metric)
    if target is None or not records:
        return None
    name, given_exec = metric.removesuffix("_pass"), metric.endswith("_pass")
    pairs = [_contribution(record, name, given_exec) for record in records]
    if any(pair is None for pair in pairs):
        return None
    values, weights = np.array(pairs, dtype=float).T
    factor = _unit(values.sum() / weights.sum() if weights.sum() else 0.0, target)
    return None if factor is None else (factor * values, weights)


def _contribution(record: SampleResult, name: str, given_exec: bool) -> tuple[float, float] | None:
    if record.outcome in ("harness_error", "excluded"):
        return 0.0, 0.0
    if name == "exec_rate":
        return float(ran(record)), 1.0
    if not ran(record):
        return 0.0, float(not given_exec)
    if record.outcome == "judge_error":
        return 0.0, 0.0
    value = _sample_value(record.metrics, name)
    return None if value is None or not math.isfinite(value) else (value, 1.0)


def _sample_value(metrics: dict[str, float | None], name: str) -> float | None:
    if name == "overall":
        return sample_overall(metrics)
    values = [metrics.get(c) for c in (LOW_LEVEL if name == "low_level" else (name,))]
    return None if None in values else sum(values) / len(values)


def sample_overall(metrics: dict[str, float | None]) -> float | None:
    """A sample's Overall in percent, from low-level scores as fractions and a judge's score in percent."""
    if any(metrics.get(c) is None for c in (*LOW_LEVEL, "judge")):
        return metrics.get("overall")
    return overall({c: 100 * metrics[c] for c in LOW_LEVEL} | {"judge": metrics["judge"]})


def _unit(mean: float, value: float) -> float | None:
    """The factor from a sample's unit to the table's: 1, 10 or 100. None if the mean does not match `value`."""
    fits = [f for f in (1.0, 10.0, 100.0) if math.isclose(f * mean, value, rel_tol=0.01, abs_tol=1e-6)]
    return fits[0] if fits else None


def by_set(runs: Iterable[Run]) -> dict[str, dict[str, Run]]:
    """Runs by set, then by policy.

    A policy with several runs on one set has an entry for each. The name of a later one also has its judge protocol if
    that differs, else its folder.
    """
    grouped: dict[str, dict[str, Run]] = {}
    for run in runs:
        group, policy = grouped.setdefault(run.summary.set, {}), run.summary.policy
        if policy in group and group[policy].judge_protocol != run.judge_protocol:
            policy = f"{policy}, {run.judge_protocol}"
        if policy in group:
            policy = f"{policy}, {run.folder}"
        group[policy] = run
    return grouped
