"""The provenance of a block's numbers: its title, its head and the lines below it."""

from __future__ import annotations

from collections.abc import Mapping

from rrvf.profile import Profile
from rrvf.report.runs import Run
from rrvf.report.sets import TRAINED, Evaluated, is_stand_in, of_all_seeds

NO_CLIP = "n/a: no CLIP weights on this machine."


def title_of(evaluated: Evaluated, profile: Profile | None) -> str:
    """The title of a block: profile and evaluation set."""
    if profile is None:
        return f"Ours: {evaluated.settings.title}"
    stand_in = " (a small stand-in policy, not comparable with the paper's rows)" if is_stand_in(profile) else ""
    return f"Ours, {profile.name} profile: {evaluated.settings.title}{stand_in}"


def head_of(runs: Mapping[str, Run]) -> str:
    """Judge, protocols and all choices that affect a block's numbers. If rows differ, all their values are listed."""
    made = [run.summary.provenance for run in runs.values()]
    choices = list(dict.fromkeys(name for p in made for name in p.choices))
    named = {"judge": [p.judge.split(" ")[0] for p in made], "judged by": [p.judge_protocol for p in made]}
    named |= {"protocol": [p.protocol for p in made], "prompt": [p.prompt_hash for p in made]}
    named |= {name: [p.choices.get(name, "not recorded") for p in made] for name in choices}
    return ", ".join(f"{name} {' or '.join(dict.fromkeys(values))}" for name, values in named.items() if values)


def footer_of(evaluated: Evaluated) -> list[str]:
    """The lines below a block: its provenance, its seeds, and what is missing."""
    runs = evaluated.runs
    if not runs:
        return [f"{evaluated.settings.title}: not run."]
    lines = [f"{evaluated.settings.title}: {provenance_line(runs)}", *seeds_line(evaluated)]
    if any(
        r.summary.metrics.get("clip") is not None and r.summary.metrics["clip"].value is None for r in runs.values()
    ):
        lines.append(NO_CLIP)
    return lines


def seeds_line(evaluated: Evaluated) -> list[str]:
    """The seeds of rows that have several, to compare differences with a seed's; or a note that there is only one."""
    seeds = {p: tuple(r.summary.provenance.seed for r in of_all_seeds(p, evaluated)) for p in evaluated.runs}
    by_seeds: dict[tuple[int, ...], list[str]] = {}
    for policy in (p for p in evaluated.policies if len(seeds.get(p, ())) > 1):
        by_seeds.setdefault(seeds[policy], []).append(policy)
    if not by_seeds:
        trained = any(policy.partition("_")[0] in TRAINED for policy in evaluated.runs)
        return ["Only one seed was run; `make seeds` runs more."] if trained else []
    told = "; ".join(f"{', '.join(map(str, made))} for {', '.join(rows)}" for made, rows in by_seeds.items())
    return [f"Seeds: {told}; below a row: the mean over its seeds, with minimum and maximum in brackets."]


def provenance_line(runs: Mapping[str, Run]) -> str:
    """The provenance of a block in one line. Rows with a different value are named, because they do not compare."""
    fields = {
        "protocol": lambda r: r.summary.provenance.protocol,
        "judge": lambda r: r.summary.provenance.judge,
        "prompt": lambda r: r.summary.provenance.prompt_hash,
        "metrics": lambda r: r.summary.provenance.metric_version,
        "profile": lambda r: r.summary.provenance.profile_hash,
        "seed": lambda r: str(r.summary.provenance.seed),
        "n": lambda r: str(r.summary.n),
    }
    parts = []
    for name, read in fields.items():
        by_value: dict[str, list[str]] = {}
        for policy, run in runs.items():
            by_value.setdefault(read(run), []).append(policy)
        if len(by_value) == 1:
            parts.append(f"{name} {next(iter(by_value))}")
        else:
            differing = "; ".join(f"{value} for {', '.join(policies)}" for value, policies in by_value.items())
            parts.append(f"{name} differs between rows, so they cannot be compared ({differing})")
    return ", ".join(parts) + "."
