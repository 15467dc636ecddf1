"""Prints a plan as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rrvf.errors import UserError
from rrvf.plan import published
from rrvf.plan.judges import judge_need
from rrvf.plan.latencies import Latencies, load_latencies
from rrvf.plan.memory import Memory, check_fits, episodes_in_cache, grpo_memory
from rrvf.plan.models import shape
from rrvf.plan.planner import Plan, busy_judge, compare, judges_enough, plan
from rrvf.plan.scaling import GPUS, UTILISATION, Engine, engine_gpus, reckoned
from rrvf.plan.sharded import SHARE, sharded_memory
from rrvf.profile import GRPOConfigSection, Profile
from rrvf.training.logs import read_log


@dataclass(frozen=True)
class Layout:
    """Engine, policy and GPU of a plan, in place of the profile's. None: the profile's.

    engine: trl (`rrvf train`) or verl (reproduce/verl). model: a hub id of `rrvf.plan.models`, or a folder. gpu: a name
    in `rrvf.plan.scaling.GPUS`.
    """

    engine: Engine = "trl"
    model: str | None = None
    gpu: str | None = None

    @property
    def own(self) -> bool:
        """Whether this is the profile's own layout."""
        return self == Layout()

    def checked(self, profile: Profile) -> Profile:
        """The profile with this layout's policy. UserError for an unknown engine or GPU, and for LoRA with verl."""
        if self.engine not in UTILISATION:
            raise UserError(f"no plan for the engine {self.engine!r}: name one of {', '.join(UTILISATION)}")
        if self.gpu is not None and self.gpu not in GPUS:
            raise UserError(f"the speed of a GPU {self.gpu!r} is not known: name one of {', '.join(GPUS)}")
        if self.engine == "verl" and profile.policy.lora_rank:
            raise UserError(
                f"profile {profile.name} trains adapters, but reproduce/verl trains all weights: take PROFILE=paper"
            )
        return profile.model_copy(
            update={"policy": profile.policy.model_copy(update={"model": self.model or profile.policy.model})}
        )


def show(
    profile: Profile,
    section: str,
    policy_gpus: int | None = None,
    judge_gpus: int | None = None,
    log: Path | None = None,
    as_json: bool = False,
    gpu_gb: float | None = None,
    layout: Layout = Layout(),
    sources: bool = False,
) -> str:
    """Time and memory of a section, as text or JSON.

    policy_gpus, judge_gpus: None: as many as the profile was written for. log: a run's log.jsonl; its measured phases
    are printed beside the planned ones. gpu_gb: memory of each GPU; None: as the GPU is sold, or 80 if `layout` names
    no GPU. sources: print the source of each figure. Raises UserError for a plan that does not fit.
    """
    if log is not None and not log.is_file():
        raise UserError(f"no log at {log}: name the log.jsonl of a GRPO run")
    lines = [line for line in read_log(log) if line.get("rrvf/turns")] if log else []
    profile, times = layout.checked(profile), load_latencies(profile)
    policy_gpus = times.gpus.policy if policy_gpus is None else policy_gpus
    judge_gpus = times.gpus.judge if judge_gpus is None else judge_gpus
    gpu_gb = gpu_gb or (GPUS[layout.gpu].gb if layout.gpu else 80.0)
    together = 1
    if not layout.own:
        times, together = _scaled(times, profile, layout, policy_gpus, gpu_gb)
    planned = plan(profile, section, policy_gpus, judge_gpus, lines, times, together)
    memory = _memory(profile, profile.grpo[section], layout, policy_gpus, judge_gpus, gpu_gb, together)
    if memory:
        check_fits(memory, f"{section} of profile {profile.name} on {policy_gpus} x {gpu_gb:g} GB")
        judge = judge_need(profile)
        if judge and judge_gpus and judge_gpus < judge.gpus:
            raise UserError(
                f"the judge {judge.name} needs {judge.gpus} GPUs, but --judge-gpus is {judge_gpus}: give {judge.gpus}"
            )
    beside = compare(planned, lines) if log else None
    found = _Planned(
        profile, section, layout, times, policy_gpus, judge_gpus, gpu_gb, together, planned, memory, lines, beside
    )
    return json.dumps(_record(found, sources), indent=1) if as_json else "\n".join(_lines(found, sources))


@dataclass(frozen=True)
class _Planned:
    """A plan and its inputs.

    lines: of the log; none without one. beside: (planned, measured) seconds of each phase; None without a log.
    """

    profile: Profile
    section: str
    layout: Layout
    times: Latencies
    policy_gpus: int
    judge_gpus: int
    gpu_gb: float
    together: int
    plan: Plan
    memory: Memory | None
    lines: Sequence[dict]
    beside: Mapping[str, tuple[float, float]] | None


def _record(found: _Planned, sources: bool) -> dict:
    """The plan as a JSON object."""
    record = asdict(found.plan)
    if found.beside is not None:
        record["planned_and_measured"] = found.beside
    if found.memory:
        phases = {phase.name: phase.parts for phase in found.memory.phases}
        record["memory"] = {"gpu_gb": found.gpu_gb, "limit_gib": found.memory.limit, "gib": phases}
    if not found.layout.own:
        record["published"] = [run.model_dump() | {"planned": planned} for run, planned in published.checked()]
    if sources:
        record["figures"] = {name: figure.model_dump() for name, figure in found.times.figures().items()}
    return record


def _lines(found: _Planned, sources: bool) -> list[str]:
    """The plan as lines of text."""
    told = [*_summary(found.plan, found.profile.grpo[found.section].steps), *_judges(found)]
    if found.memory:
        told += [*memory_lines(found.memory), *_engine(found)]
    if not found.layout.own:
        told += published.lines()
    if sources:
        figures = found.times.figures().items()
        told += [f"figure      {name}: {f.value:g} ({f.kind}: {f.source})" for name, f in figures]
    return [*told, *_beside(found.beside or {})]


def _judges(found: _Planned) -> list[str]:
    """If the judge is the bottleneck, a line with the number of judge GPUs at which it no longer is."""
    judge = judge_need(found.profile)
    if not (judge and found.judge_gpus and busy_judge(found.plan)):
        return []
    enough = judges_enough(
        found.profile, found.section, found.policy_gpus, found.times, judge.gpus, found.together, found.lines
    )
    return [f"judges      {enough or 'not even 128'} GPUs of judges are enough"]


def _engine(found: _Planned) -> list[str]:
    """A line with the number of episodes that vLLM's cache holds at once."""
    config, times = found.profile.grpo[found.section], found.times
    if not config.use_vllm or found.layout.engine != "trl":
        return []
    tokens = times.prompt_tokens.value + times.turns.value * (times.turn_tokens.value + times.feedback_tokens.value)
    at_once = episodes_in_cache(found.profile, config, found.gpu_gb, tokens)
    each = config.prompts_per_step * config.group_size // found.policy_gpus
    return [f"engine      {at_once} episodes of {tokens:,.0f} tokens at once, of the {each} that a GPU has in a step"]


def _scaled(
    times: Latencies, profile: Profile, layout: Layout, policy_gpus: int, gpu_gb: float
) -> tuple[Latencies, int]:
    """The latencies of a layout, and its number of GPUs per process."""
    size, gpu = shape(profile.policy.model), GPUS[layout.gpu or "a100"]
    together = engine_gpus(size.parameters, gpu_gb, SHARE) if layout.engine == "verl" else 1
    if policy_gpus % together:
        raise UserError(
            f"an engine of {profile.policy.model} takes {together} GPUs: --policy-gpus must be a multiple of it"
        )
    return reckoned(times, size.parameters, size.cache_bytes, gpu, layout.engine, together), together


def _memory(
    profile: Profile, config: GRPOConfigSection, layout: Layout, gpus: int, judge_gpus: int, gpu_gb: float,
    together: int,
) -> Memory | None:  # fmt: skip
    if not gpus:
        return None
    if layout.engine == "verl":
        return sharded_memory(shape(profile.policy.model), config, gpus, gpu_gb, together)
    return grpo_memory(profile, config, gpus, gpu_gb, not judge_gpus)


def memory_lines(memory: Memory) -> list[str]:
    """A line per phase with its GiB and their parts."""
    lines = [f"memory      GiB on each policy GPU of {memory.gpu_gb:g} GB, {memory.limit:.1f} to be filled at most"]
    for phase in memory.phases:
        parts = ", ".join(f"{part} {size:.1f}" for part, size in phase.parts.items())
        lines.append(f"{'':12}{phase.name:15}{phase.total:5.1f}  ({parts})")
    return lines


def _summary(planned: Plan, steps: int) -> list[str]:
    phases = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in planned.phases.items())
    lines = [
        f"step        {planned.step_seconds:.1f} s ({phases})",
        f"bottleneck  {planned.bottleneck}",
        f"run         {steps} steps, {planned.hours:.1f} h",
    ]
    if planned.gpu_hours:
        lines.append(f"price       {planned.gpu_hours:.0f} GPU-hours, about {planned.dollars:.0f} dollars")
    if planned.estimates:
        lines.append(f"estimated   {', '.join(planned.estimates)} (rrvf/plan/latencies.yaml says how)")
    return lines


def _beside(pairs: Mapping[str, tuple[float, float]]) -> list[str]:
    return [
        f"{phase:11} planned {planned:.2f} s, measured {measured:.2f} s"
        + (f" ({planned / measured - 1:+.0%})" if measured else "")
        for phase, (planned, measured) in pairs.items()
    ]
