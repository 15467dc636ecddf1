"""A plan as people read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    """On what a run is planned instead of what its profile was written for. None: as the profile has it.

    engine: trl (`rrvf train`) or verl (reproduce/verl). model: a hub id of `rrvf.plan.models`, or a folder. gpu: a name
    of `rrvf.plan.scaling.GPUS`.
    """

    engine: Engine = "trl"
    model: str | None = None
    gpu: str | None = None

    @property
    def own(self) -> bool:
        """Whether it is the profile's own."""
        return self == Layout()

    def checked(self, profile: Profile) -> Profile:
        """The profile with this policy. UserError for a layout that is none."""
        if self.engine not in UTILISATION:
            raise UserError(f"no engine {self.engine!r} is planned for: name one of {', '.join(UTILISATION)}")
        if self.gpu is not None and self.gpu not in GPUS:
            raise UserError(f"the speed of a GPU {self.gpu!r} is not known: name one of {', '.join(GPUS)}")
        if self.engine == "verl" and profile.policy.lora_rank:
            raise UserError(
                f"profile {profile.name} trains adapters, and reproduce/verl all weights: take PROFILE=paper"
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
    """The plan of a section as text or JSON, time and memory; with a run's log, each phase beside what was measured.

    GPUs None: as many as the profile was written for. gpu_gb: memory of each; None: as the GPU is sold, 80 where none
    is named. sources: where each figure comes from. UserError for a plan that cannot fit.
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
    config = profile.grpo[section]
    memory = _memory(profile, config, layout, policy_gpus, judge_gpus, gpu_gb, together)
    judge = judge_need(profile)
    if memory:
        check_fits(memory, f"{section} of profile {profile.name} on {policy_gpus} x {gpu_gb:g} GB")
        if judge and judge_gpus and judge_gpus < judge.gpus:
            raise UserError(f"the judge {judge.name} takes {judge.gpus} GPUs and --judge-gpus is {judge_gpus}")
    beside = compare(planned, lines) if log else {}
    if as_json:
        more: dict = {"planned_and_measured": beside} if log else {}
        if memory:
            phases = {phase.name: phase.parts for phase in memory.phases}
            more["memory"] = {"gpu_gb": gpu_gb, "limit_gib": memory.limit, "gib": phases}
        if not layout.own:
            more["published"] = [run.model_dump() | {"planned": planned} for run, planned in published.checked()]
        if sources:
            more["figures"] = {name: figure.model_dump() for name, figure in times.figures().items()}
        return json.dumps(asdict(planned) | more, indent=1)
    told = _summary(planned, config.steps)
    if judge and judge_gpus and busy_judge(planned):
        enough = judges_enough(profile, section, policy_gpus, times, judge.gpus, together)
        told.append(f"judges      {enough or 'not even 128'} GPUs of judges are enough")
    if memory:
        told += memory_lines(memory)
        if config.use_vllm and layout.engine == "trl":
            tokens = times.prompt_tokens.value + times.turns.value * (
                times.turn_tokens.value + times.feedback_tokens.value
            )
            at_once = episodes_in_cache(profile, config, gpu_gb, tokens)
            each = config.prompts_per_step * config.group_size // policy_gpus
            told.append(
                f"engine      {at_once} episodes of {tokens:,.0f} tokens at once, of the {each} that a GPU has in a "
                "step"
            )
    if not layout.own:
        told += published.lines()
    if sources:
        told += [f"figure      {name}: {f.value:g} ({f.kind}: {f.source})" for name, f in times.figures().items()]
    return "\n".join([*told, *_beside(beside)])


def _scaled(
    times: Latencies, profile: Profile, layout: Layout, policy_gpus: int, gpu_gb: float
) -> tuple[Latencies, int]:
    """The latencies of a layout, and how many GPUs are one of its processes."""
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
    """Each phase on a line: its GiB and what they are."""
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
