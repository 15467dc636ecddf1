"""From a profile and a machine's latencies to hours and money, and how far that is from a run that was made."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rrvf.errors import UserError
from rrvf.plan.latencies import Latencies, load_latencies
from rrvf.plan.simulation import Step, StepTime, Workload
from rrvf.profile import GRPOConfigSection, Profile
from rrvf.training.phases import PHASES

#: Steps that are simulated, each with another seed; their mean counts.
SIMULATED = 8


@dataclass(frozen=True)
class Plan:
    """One run. Seconds per step, by phase; hours of the run; GPU-hours of policy and judge; dollars."""

    step_seconds: float
    phases: dict[str, float]
    bottleneck: str
    hours: float
    gpu_hours: float
    dollars: float
    estimates: tuple[str, ...]


def plan(
    profile: Profile,
    section: str,
    policy_gpus: int,
    judge_gpus: int,
    measured: Sequence[dict] = (),
    latencies: Latencies | None = None,
    together: int = 1,
) -> Plan:
    """What `section` of a profile takes. `measured`: a run's log lines, whose turns and lengths are then used.

    latencies: of the machine; None takes the profile's own. together: policy GPUs that are one process (verl's
    engines). UserError where there are no latencies or no such section.
    """
    times = latencies or load_latencies(profile)
    if section not in profile.grpo:
        raise UserError(f"profile {profile.name} has no grpo called {section!r}: it has {', '.join(profile.grpo)}")
    if times.judge_reference_gpus and (policy_gpus < 1 or judge_gpus < 1 and not profile.judge.serve):
        raise UserError(f"profile {profile.name} needs GPUs for policy and judge: give --policy-gpus and --judge-gpus")
    config = profile.grpo[section]
    work = workload(profile, config, times, policy_gpus // together, judge_gpus, measured)
    if work.processes > work.episodes:
        raise UserError(f"{policy_gpus} policy GPUs for {work.episodes} episodes a step: give each GPU one at least")
    steps = [Step(work, times, seed).run() for seed in range(SIMULATED)]
    phases = {phase: statistics.mean(s.phases.get(phase, 0.0) for s in steps) for phase in steps[0].phases}
    seconds = sum(phases.values())
    hours = seconds * config.steps / 3600
    gpu_hours = hours * (policy_gpus + judge_gpus if times.judge_reference_gpus else 0)
    return Plan(
        step_seconds=seconds,
        phases=phases,
        bottleneck=bottleneck(phases, steps),
        hours=hours,
        gpu_hours=gpu_hours,
        dollars=gpu_hours * times.gpu_hour.value,
        estimates=tuple(times.estimates()),
    )


def judges_enough(
    profile: Profile, section: str, policy_gpus: int, latencies: Latencies, step: int, together: int = 1
) -> int | None:
    """The fewest judge GPUs, a multiple of `step`, with which the judge is not the busiest station; None: over 128."""
    for judge_gpus in range(step, 129, step):
        if not busy_judge(plan(profile, section, policy_gpus, judge_gpus, (), latencies, together)):
            return judge_gpus
    return None


def busy_judge(planned: Plan) -> bool:
    """Whether more judges would shorten the step: its latency alone they do not."""
    return planned.bottleneck.startswith("judge,")


def workload(
    profile: Profile,
    config: GRPOConfigSection,
    times: Latencies,
    policy_gpus: int,
    judge_gpus: int,
    measured: Sequence[dict],
) -> Workload:
    """One step of a section: its sizes from the profile; turns and lengths from a run where there is one."""
    turns, tokens, answered = times.turns.value, times.turn_tokens.value, 1.0
    if measured:
        turns = statistics.mean(line["rrvf/turns"] for line in measured)
        tokens = statistics.mean(line["completions/mean_length"] / line["rrvf/turns"] for line in measured)
        answered = statistics.mean(line["rrvf/answered"] for line in measured)
    return Workload(
        domain=config.domains[0],
        episodes=config.prompts_per_step * config.group_size,
        processes=max(1, policy_gpus),
        max_turns=config.max_turns,
        max_turn_tokens=config.max_turn_tokens,
        turns=turns,
        turn_tokens=tokens,
        answered=answered,
        prompt_tokens=times.prompt_tokens.value,
        feedback_tokens=times.feedback_tokens.value,
        render_workers=profile.workers,
        judge_in_flight=profile.judge.max_in_flight * max(1, policy_gpus),
        judge_gpus=max(1, judge_gpus),  # one that shares the policy's GPU works while the policy waits for it
        passes=(config.kl > 0) + config.use_vllm,  # the reference's, and the trainer's own beside the sampler's
    )


def bottleneck(phases: dict[str, float], steps: Sequence[StepTime]) -> str:
    """What to add first: the longest of generation, training and waiting for tools; of the latter, the busiest station.

    Where no station is at work half of the rollout, it is the latency of single answers that the policy waits for.
    """
    waiting = phases.get("tools", 0.0) + phases["reward"]
    longest = max(("generation", "training"), key=lambda phase: phases[phase])
    if phases[longest] >= waiting:
        return longest
    busy = {name: statistics.mean(s.busy[name] for s in steps) for name in ("renders", "judge")}
    station = max(busy, key=lambda name: busy[name])
    return f"{station}, busy {busy[station]:.0%} of the rollout" if busy[station] > 0.5 else "the judge's latency"


def compare(planned: Plan, log: Sequence[dict]) -> dict[str, tuple[float, float]]:
    """(planned, measured) seconds of the step and of each phase; medians of a run's lines without the first.

    The first step loads and compiles. UserError where the log has no seconds by phase.
    """
    lines = [line for line in log if "seconds/step" in line][1:]
    if not lines:
        raise UserError("the log has no seconds by phase for two steps or more: name the log.jsonl of a GRPO run")
    measured = {
        phase: statistics.median(line[f"seconds/{phase}"] for line in lines)
        for phase in PHASES
        if phase != "saving" and f"seconds/{phase}" in lines[0]  # older logs have no `reference`
    }
    total = statistics.median(line["seconds/step"] - line["seconds/saving"] for line in lines)
    pairs = {phase: (planned.phases.get(phase, 0.0), seconds) for phase, seconds in measured.items()}
    return {"step": (planned.step_seconds, total)} | pairs
