"""A plan as people read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rrvf.errors import UserError
from rrvf.plan.planner import Plan, compare, plan
from rrvf.profile import Profile
from rrvf.training.logs import read_log


def show(
    profile: Profile, section: str, policy_gpus: int, judge_gpus: int, log: Path | None, as_json: bool = False
) -> str:
    """The plan of a section as text or JSON; with a run's log, each phase beside what was measured."""
    if log is not None and not log.is_file():
        raise UserError(f"no log at {log}: name the log.jsonl of a GRPO run")
    lines = [line for line in read_log(log) if line.get("rrvf/turns")] if log else []
    planned = plan(profile, section, policy_gpus, judge_gpus, lines)
    beside = compare(planned, lines) if log else {}
    if as_json:
        return json.dumps(asdict(planned) | ({"planned_and_measured": beside} if log else {}), indent=1)
    return "\n".join([*_summary(planned, profile.grpo[section].steps), *_beside(beside)])


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
