"""A plan as people read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rrvf.errors import UserError
from rrvf.plan.judges import judge_need
from rrvf.plan.latencies import load_latencies
from rrvf.plan.memory import Memory, check_fits, episodes_in_cache, grpo_memory
from rrvf.plan.planner import Plan, compare, plan
from rrvf.profile import Profile
from rrvf.training.logs import read_log


def show(
    profile: Profile,
    section: str,
    policy_gpus: int | None = None,
    judge_gpus: int | None = None,
    log: Path | None = None,
    as_json: bool = False,
    gpu_gb: float = 80.0,
) -> str:
    """The plan of a section as text or JSON, time and memory; with a run's log, each phase beside what was measured.

    GPUs None: as many as the profile was written for. gpu_gb: memory of each. UserError for a plan that cannot fit.
    """
    if log is not None and not log.is_file():
        raise UserError(f"no log at {log}: name the log.jsonl of a GRPO run")
    lines = [line for line in read_log(log) if line.get("rrvf/turns")] if log else []
    times = load_latencies(profile)
    policy_gpus = times.gpus.policy if policy_gpus is None else policy_gpus
    judge_gpus = times.gpus.judge if judge_gpus is None else judge_gpus
    planned = plan(profile, section, policy_gpus, judge_gpus, lines, times)
    config = profile.grpo[section]
    memory = grpo_memory(profile, config, policy_gpus, gpu_gb, not judge_gpus) if policy_gpus else None
    if memory:
        check_fits(memory, f"{section} of profile {profile.name} on {policy_gpus} x {gpu_gb:g} GB")
        judge = judge_need(profile)
        if judge and judge_gpus and judge_gpus < judge.gpus:
            raise UserError(f"the judge {judge.name} takes {judge.gpus} GPUs and --judge-gpus is {judge_gpus}")
    beside = compare(planned, lines) if log else {}
    if as_json:
        more: dict = {"planned_and_measured": beside} if log else {}
        if memory:
            phases = {phase.name: phase.parts for phase in memory.phases}
            more["memory"] = {"gpu_gb": gpu_gb, "limit_gib": memory.limit, "gib": phases}
        return json.dumps(asdict(planned) | more, indent=1)
    told = _summary(planned, config.steps)
    if memory:
        told += memory_lines(memory)
        if config.use_vllm:
            tokens = times.prompt_tokens.value + times.turns.value * (
                times.turn_tokens.value + times.feedback_tokens.value
            )
            at_once = episodes_in_cache(profile, config, gpu_gb, tokens)
            each = config.prompts_per_step * config.group_size // policy_gpus
            told.append(
                f"engine      {at_once} episodes of {tokens:,.0f} tokens at once, of the {each} that a GPU has in a "
                "step"
            )
    return "\n".join([*told, *_beside(beside)])


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
