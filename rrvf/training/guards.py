"""Watchmen over a run: each knows one way in which GRPO goes wrong while the loss looks fine."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence

from transformers import TrainerCallback

from rrvf.profile import GuardConfig

logger = logging.getLogger(__name__)

Logs = Mapping[str, float | None]


def no_tool_calls(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """The policy has stopped asking for feedback, or never began (or its calls are not understood)."""
    if all(line.get("tools/call_frequency") == 0 for line in recent):
        return "no episode called the tool: look at episodes/ whether the calls are malformed"
    return None


def flat_groups(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """Every group's rewards are equal, so that every advantage and every gradient is zero."""
    if all(line.get("frac_reward_zero_std") == 1 for line in recent):
        return "no group has any variance in its rewards, so nothing is learned: raise temperature or group_size"
    return None


def judge_errors(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """What is left when the judge fails is no fair sample of the episodes, and a draft without feedback is none."""
    for asked, key in (("episodes", "rrvf/judge_errors"), ("drafts", "rrvf/feedback_errors")):
        if min(line.get(key) or 0.0 for line in recent) > config.judge_errors:
            return (
                f"the judge failed on more than {config.judge_errors:.0%} of the {asked}: is it running, and does it "
                "answer as it is asked? `rrvf judge compare` shows it"
            )
    return None


def harness_errors(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """Our own renders fail, so that what is left is no fair sample; where all of a step do, one step is enough."""
    shares = [line.get("rrvf/harness_errors") or 0.0 for line in recent]
    if shares[-1] == 1 or (len(shares) == config.patience and min(shares) > config.harness_errors):
        return f"the renders of {shares[-1]:.0%} of the episodes failed through no fault of theirs: run `rrvf doctor`"
    return None


def hacking(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """The reward rises while what it stands for falls: second half of the steps against the first."""
    reward, similarity = _change(recent, "reward"), _change(recent, "rewards/vision/mean")
    if reward is not None and similarity is not None and reward > 0.05 and similarity < -0.02:
        return f"the reward rose by {reward:.2f} while R_vision fell by {-similarity:.2f}: check the weights (D2)"
    return None


def sampler_gap(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """vLLM and the trainer disagree on what was sampled, as when a picture's tokens are expanded twice."""
    gaps = [line.get("sampling/sampling_logp_difference/mean") or 0.0 for line in recent]
    if min(gaps) > config.sampler_gap:
        return f"vLLM's log probabilities are {min(gaps):.2f} away from the trainer's: they do not see the same prompt"
    return None


def _change(recent: Sequence[Logs], key: str) -> float | None:
    values = [line.get(key) for line in recent]
    if any(value is None for value in values):
        return None
    half = len(values) // 2
    return sum(values[-half:]) / half - sum(values[:half]) / half


GUARDS = {g.__name__: g for g in (harness_errors, no_tool_calls, flat_groups, judge_errors, hacking, sampler_gap)}


class Guards(TrainerCallback):
    """Asks every guard after each step, over the last `patience` steps (of harness errors from the first step on).

    A guard speaks once per `patience` steps.

    `stopped` says why the run was ended, where it was. multi_turn: without it nobody is expected to call the tool.
    """

    def __init__(self, config: GuardConfig, multi_turn: bool) -> None:
        self._config = config
        self._guards = {name: guard for name, guard in GUARDS.items() if multi_turn or name != "no_tool_calls"}
        self._recent: deque[Logs] = deque(maxlen=config.patience)
        self._quiet_until = dict.fromkeys(GUARDS, 0)
        self.stopped: str | None = None

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Ask the guards; `control` is told to stop where a guard of `config.stop` speaks."""
        if "loss" not in (logs or {}):
            return
        self._recent.append(dict(logs))
        whole = len(self._recent) == self._config.patience
        for name, guard in self._guards.items():
            if not whole and name != "harness_errors":
                continue
            problem = guard(self._recent, self._config)
            if problem and state.global_step >= self._quiet_until[name]:
                self._quiet_until[name] = state.global_step + self._config.patience
                self._speak(name, problem, state, control)

    def _speak(self, name: str, problem: str, state, control) -> None:
        said = f"{name}, seen over {len(self._recent)} steps, at step {state.global_step}: {problem}"
        if name in self._config.stop:
            self.stopped = said
            control.should_save = control.should_training_stop = True
        elif state.is_world_process_zero:
            logger.warning(said)
