"""Calculates hours and price of a run from a profile and a machine's latencies, and compares them with a real run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rrvf.errors import UserError
from rrvf.plan.latencies import Latencies, load_latencies
from rrvf.plan.simulation import Step, StepTime, Workload
from rrvf.profile import GRPOConfigSection, Profile
from rrvf.training.phases import PHASES

#: Number of simulated steps, each with its own seed. A plan is their mean.
SIMULATED = 8


@dataclass(frozen=True)
class Plan:
    """The plan of one run.

    step_seconds, phases: seconds per step, in total and by phase. hours: of the run. gpu_hours: of policy and judge.
    dollars: price of the GPU-hours. estimates: names of the latencies that are estimates.
    """

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
    """The plan of a GRPO `section` of a profile.

    measured: log lines of a run, whose turns and lengths replace the estimates. latencies: of the machine; None: the
    profile's own. together: policy GPUs per process (more than 1 for verl's engines). Raises UserError without
    latencies, for an unknown section and for a number of GPUs that cannot work.
    """
    times = latencies or load_latencies(profile)
    if section not in profile.grpo:
        raise UserError(f"profile {profile.name} has no grpo called {section!r}: it has {', '.join(profile.grpo)}")
    if times.judge_reference_gpus and (policy_gpus < 1 or judge_gpus < 1 and not profile.judge.serve):
        raise UserError(f"profile {profile.name} needs GPUs for policy and judge: give --policy-gpus and --judge-gpus")
    config = profile.grpo[section]
    work = workload(profile, config, times, policy_gpus // together, judge_gpus, measured)
    if work.processes > work.episodes:
        raise UserError(
            f"{policy_gpus} policy GPUs are too many for {work.episodes} episodes a step: each needs at least one"
        )
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
    profile: Profile,
    section: str,
    policy_gpus: int,
    latencies: Latencies,
    step: int,
    together: int = 1,
    measured: Sequence[dict] = (),
) -> int | None:
    """The fewest judge GPUs with which the judge is not the bottleneck, in multiples of `step`; None if over 128."""
    for judge_gpus in range(step, 129, step):
        if not busy_judge(plan(profile, section, policy_gpus, judge_gpus, measured, latencies, together)):
            return judge_gpus
    return None


def busy_judge(planned: Plan) -> bool:
    """Whether more judge GPUs would shorten the step. They do not shorten the latency of a single answer."""
    return planned.bottleneck.startswith("judge,")


def workload(
    profile: Profile,
    config: GRPOConfigSection,
    times: Latencies,
    policy_gpus: int,
    judge_gpus: int,
    measured: Sequence[dict],
) -> Workload:
    """The workload of one step. Sizes come from the profile, turns and lengths from `measured` if given."""
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
        judge_gpus=max(1, judge_gpus),  # a judge that shares the policy's GPU works while the policy waits for it
        passes=(config.kl > 0) + config.use_vllm,  # reference model; trainer's own log probabilities beside vLLM's
    )


def bottleneck(phases: dict[str, float], steps: Sequence[StepTime]) -> str:
    """The longest of generation, training and waiting for tools; for tools, the busier of renders and judge.

    If neither is busy for half of the rollout, the bottleneck is the latency of single answers.
    """
    waiting = phases.get("tools", 0.0) + phases["reward"]
    longest = max(("generation", "training"), key=lambda phase: phases[phase])
    if phases[longest] >= waiting:
        return longest
    busy = {name: statistics.mean(s.busy[name] for s in steps) for name in ("renders", "judge")}
    station = max(busy, key=lambda name: busy[name])
    return f"{station}, busy {busy[station]:.0%} of the rollout" if busy[station] > 0.5 else "the judge's latency"


def compare(planned: Plan, log: Sequence[dict]) -> dict[str, tuple[float, float]]:
    """(planned, measured) seconds of the step and of each phase. Measured: the median over the log's steps.

    The first step is left out, because it loads and compiles. Raises UserError if the log has no seconds by phase.
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
