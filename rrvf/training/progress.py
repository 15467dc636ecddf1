"""Prints one line per optimiser step."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TextIO

from transformers import TrainerCallback

from rrvf.training.phases import PHASES

#: What a line shows, in order: label, key in the step log and, in SHOWN, the number format.
TERMS = (("vision", "rewards/vision/mean"), ("format", "rewards/format/mean"), ("tool", "rewards/tool/mean"))
SHOWN = (
    ("runs", "rrvf/exec_rate", ".0%"),
    ("similarity", "rrvf/similarity_given_exec", ".2f"),
    ("turns", "rrvf/turns", ".1f"),
    ("calls", "rrvf/tool_calls", ".1f"),
    ("judge errors", "rrvf/judge_errors", ".0%"),
    ("of drafts", "rrvf/feedback_errors", ".0%"),
    ("harness errors", "rrvf/harness_errors", ".0%"),
    ("pasted", "rrvf/pasted_share", ".2f"),
    ("flat groups", "frac_reward_zero_std", ".0%"),
)


def progress_line(logs: Mapping[str, float | None]) -> str:
    """The step's reward with its terms, metrics of the episodes, and seconds by phase. `-`: not measured."""
    terms = " ".join(f"{label} {_number(logs.get(key), '+.2f')}" for label, key in TERMS)
    shown = "  ".join(f"{label} {_number(logs.get(key), form)}" for label, key, form in SHOWN)
    spent = ((phase, logs.get(f"seconds/{phase}")) for phase in PHASES)
    phases = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in spent if seconds is not None and seconds >= 0.05)
    total = _number(logs.get("seconds/step"), ".1f")
    return f"R {_number(logs.get('reward'), '+.2f')} ({terms})  {shown}  {total} s ({phases})"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


class Progress(TrainerCallback):
    """Prints `progress_line` with the step and the minutes left. stream: None: standard error."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._begun, self._from = time.monotonic(), 0

    def on_train_begin(self, args, state, control, **kwargs):
        """Start the clock, at the step where the run starts or resumes."""
        self._begun, self._from = time.monotonic(), state.global_step

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Print the step's line, on the main process only."""
        if not state.is_world_process_zero or "loss" not in (logs or {}):
            return
        done = state.global_step - self._from
        left = (state.max_steps - state.global_step) * (time.monotonic() - self._begun) / max(done, 1)
        shown = progress_line(logs) if "reward" in logs else f"loss {logs['loss']:.3f}"
        print(
            f"step {state.global_step}/{state.max_steps}  {shown}  {left / 60:.0f} min left",
            file=self._stream or sys.stderr,
            flush=True,
        )
