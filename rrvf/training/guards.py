"""Guards watch a run: each detects one way in which GRPO fails while the loss looks fine.

A guard takes the logs of the last steps and the guards' settings, and returns the problem in one line, or None.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence

from transformers import TrainerCallback

from rrvf.profile import GuardConfig

logger = logging.getLogger(__name__)

Logs = Mapping[str, float | None]


def no_tool_calls(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """No episode calls the tool: the policy asks for no feedback, or its calls cannot be parsed."""
    if all(line.get("tools/call_frequency") == 0 for line in recent):
        return "no episode called the tool: check in episodes/ whether its calls are malformed"
    return None


def flat_groups(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """The rewards inside every group are equal, so every advantage and every gradient is zero."""
    if all(line.get("frac_reward_zero_std") == 1 for line in recent):
        return "no group has any variance in its rewards, so nothing is learned: raise temperature or group_size"
    return None


def judge_errors(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """The judge fails too often. Leaving episodes out biases the sample; a draft without feedback teaches nothing."""
    for asked, key in (("episodes", "rrvf/judge_errors"), ("drafts", "rrvf/feedback_errors")):
        if min(line.get(key) or 0.0 for line in recent) > config.judge_errors:
            return (
                f"the judge failed on more than {config.judge_errors:.0%} of the {asked}: check with "
                "`rrvf judge compare` that it runs and answers in the form it is asked for"
            )
    return None


def harness_errors(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """Our own renders fail too often, which biases the sample. If all of a step fail, one step is enough."""
    shares = [line.get("rrvf/harness_errors") or 0.0 for line in recent]
    if shares[-1] == 1 or (len(shares) == config.patience and min(shares) > config.harness_errors):
        return f"renders of {shares[-1]:.0%} of the episodes failed, and not because of their code: run `rrvf doctor`"
    return None


def hacking(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """Reward hacking: the total reward rises while R_vision falls, from the first half of the steps to the second."""
    reward, similarity = _change(recent, "reward"), _change(recent, "rewards/vision/mean")
    if reward is not None and similarity is not None and reward > 0.05 and similarity < -0.02:
        return f"the reward rose by {reward:.2f} while R_vision fell by {-similarity:.2f}: check the weights (D2)"
    return None


def sampler_gap(recent: Sequence[Logs], config: GuardConfig) -> str | None:
    """vLLM and the trainer disagree on log probabilities, for instance if a picture's tokens are expanded twice."""
    gaps = [line.get("sampling/sampling_logp_difference/mean") or 0.0 for line in recent]
    if min(gaps) > config.sampler_gap:
        return f"vLLM's log probabilities differ by {min(gaps):.2f} from the trainer's: they do not see the same prompt"
    return None


def _change(recent: Sequence[Logs], key: str) -> float | None:
    values = [line.get(key) for line in recent]
    if any(value is None for value in values):
        return None
    half = len(values) // 2
    return sum(values[-half:]) / half - sum(values[:half]) / half


GUARDS = {g.__name__: g for g in (harness_errors, no_tool_calls, flat_groups, judge_errors, hacking, sampler_gap)}


class Guards(TrainerCallback):
    """Runs every guard after each step, on the last `patience` steps (`harness_errors` from the first step on).

    A guard reports at most once per `patience` steps: it warns, or stops the run if it is in `config.stop`.
    multi_turn: False: episodes have one turn, so `no_tool_calls` is off. stopped: why a guard stopped the run, or None.
    """

    def __init__(self, config: GuardConfig, multi_turn: bool) -> None:
        self._config = config
        self._guards = {name: guard for name, guard in GUARDS.items() if multi_turn or name != "no_tool_calls"}
        self._recent: deque[Logs] = deque(maxlen=config.patience)
        self._quiet_until = dict.fromkeys(GUARDS, 0)
        self.stopped: str | None = None

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Run the guards on the step's logs."""
        if "loss" not in (logs or {}):
            return
        self._recent.append(dict(logs))
        full = len(self._recent) == self._config.patience
        for name, guard in self._guards.items():
            if not full and name != "harness_errors":
                continue
            problem = guard(self._recent, self._config)
            if problem and state.global_step >= self._quiet_until[name]:
                self._quiet_until[name] = state.global_step + self._config.patience
                self._report(name, problem, state, control)

    def _report(self, name: str, problem: str, state, control) -> None:
        message = f"{name}, seen over {len(self._recent)} steps, at step {state.global_step}: {problem}"
        if name in self._config.stop:
            self.stopped = message
            control.should_save = control.should_training_stop = True
        elif state.is_world_process_zero:
            logger.warning(message)
