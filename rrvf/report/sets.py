"""The evaluation sets of a profile, the policies of each, and the runs that were found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rrvf.domains import CHART, DOMAINS, DomainName
from rrvf.policies.names import hub_parts
from rrvf.profile import EvalSet, Profile, baselines, table_policies
from rrvf.report.columns import PAPER_COLUMNS
from rrvf.report.runs import Run, by_set
from rrvf.rows import load_rows

TABLE_OF = {"chartmimic": 1, "plot2code": 2, "websight": 3, "pictures": 4}
#: Rows of our blocks, in order. The first two calibrate the protocol and are not ranked.
MODELS = {
    "reference": "Reference code (ceiling)",
    "blank": "Blank picture (floor)",
    "base": "Base",
    "sft": "SFT [with code labels]",
    "rft": "RFT [on its own best answers]",
    "rrvf": "RRVF [without code labels]",
}
TRAINED = ("sft", "rft", "rrvf")


def model_title(policy: str) -> str:
    """The title of a policy in tables.

    `rrvf_NAME` was trained by the profile's section NAME (`trained_policies`). `bestN` is the base policy with the best
    of N answers.
    """
    if found := re.fullmatch(r"best(\d+)", policy):
        return f"Base, best of {found[1]} by the judge"
    method, _, section = policy.partition("_")
    if policy not in MODELS and section and method in TRAINED:
        return f"{MODELS[method]}, section {section}"
    return MODELS.get(policy, policy)


def is_stand_in(profile: Profile) -> bool:
    """Whether the profile trains the small stand-in policy instead of one of the paper's models."""
    return profile.policy.model == "nano"


def is_papers_model(profile: Profile) -> bool:
    """Whether the profile trains the paper's model, by its hub id or as a folder of that name."""
    return Path(hub_parts(profile.policy.model)[0]).name == Path(load_rows()["base"].model or "").name


@dataclass(frozen=True)
class Evaluated:
    """One evaluation set: its settings, its policies, the runs by policy, and the runs with other seeds."""

    name: str
    settings: EvalSet
    policies: tuple[str, ...]
    runs: Mapping[str, Run]
    seeds: tuple[Run, ...] = ()


def evaluated_sets(runs: Sequence[Run], profile: Profile | None, seeds: Sequence[Run] = ()) -> list[Evaluated]:
    """The profile's sets in its order, then other sets with runs, each with its runs of other seeds."""
    found = by_set(runs)
    planned = profile.evaluations if profile else {}
    settings = dict(planned) | {name: _guess(name, group) for name, group in found.items() if name not in planned}
    beside = {name: tuple(run for run in seeds if run.summary.set == name) for name in settings}
    return [
        Evaluated(name, config, _policies(config, found.get(name, {}), profile), found.get(name, {}), beside[name])
        for name, config in settings.items()
    ]


def _guess(name: str, runs: Mapping[str, Run]) -> EvalSet:
    found = next(iter(runs.values())).summary
    domain = found.domain or _domain_of(found.benchmark)
    return EvalSet(benchmark=found.benchmark, dataset=name, table=TABLE_OF[found.benchmark], title=name, domain=domain)


def _domain_of(benchmark: str) -> DomainName:
    return next((d.name for d in DOMAINS.values() if benchmark in d.benchmarks), CHART.name)


def _policies(settings: EvalSet, runs: Mapping[str, Run], profile: Profile | None) -> tuple[str, ...]:
    """The profile's policies of this domain (baselines only if they were run), then other policies with runs."""
    if profile is None or settings.table not in PAPER_COLUMNS:
        expected = [name for name in MODELS if name in runs]
    else:
        later = baselines(profile, settings.domain)
        expected = [p for p in table_policies(profile, settings.domain) if p not in later or p in runs]
    return tuple(expected + sorted(set(runs) - set(expected)))


def by_judge(evaluated: Evaluated) -> list[Evaluated]:
    """Split a set by the protocols of its judges, so that no column mixes the scores of two."""
    protocols = sorted({run.judge_protocol for run in evaluated.runs.values()})
    if len(protocols) < 2:
        return [evaluated]
    parts = []
    for protocol in protocols:
        runs = {policy: run for policy, run in evaluated.runs.items() if run.judge_protocol == protocol}
        parts.append(replace(evaluated, runs=runs, policies=tuple(p for p in evaluated.policies if p in runs)))
    return parts


def of_all_seeds(policy: str, evaluated: Evaluated) -> list[Run]:
    """A policy's run and its runs with other seeds that were measured in the same way, ordered by seed."""
    run = evaluated.runs.get(policy)
    if run is None:
        return []

    def measured(other: Run) -> tuple:
        made = other.summary.provenance
        return other.summary.n, made.protocol, made.judge, made.judge_protocol, made.prompt_hash, made.metric_version

    seeds = {run.summary.provenance.seed: run}
    for other in evaluated.seeds:
        if other.summary.policy == policy and measured(other) == measured(run):
            seeds.setdefault(other.summary.provenance.seed, other)
    return [seeds[seed] for seed in sorted(seeds)]
