"""Measures the seconds that each phase of an optimiser step takes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

#: Phases inside the rollout. The remaining time of a rollout (tokens, pictures, masks) is `other`.
ROLLOUT = ("generation", "tools", "reward", "reference")
#: All phases of a step, in the order of the log.
PHASES = (*ROLLOUT, "training", "saving", "other")


class Phases:
    """Seconds by phase since the last `take`. `generation`, `reference` and `training` are model compute.

    generation: the policy samples.
    tools: waiting for drafts to be rendered and compared.
    reward: waiting for final renders and scores.
    reference: forward passes outside the loss: of the initial policy for the KL term and, with vLLM, of the trained
    policy for the importance correction.
    other: the remaining time of the rollout.
    saving: writing checkpoints.
    training: the remaining time of the step: forward, backward and the optimiser.
    step: the sum of all phases.
    """

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()
        self._since = time.perf_counter()

    def start(self) -> None:
        """Reset the clock and all phases."""
        self._seconds.clear()
        self._since = time.perf_counter()

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Add the seconds of the `with` block to `phase`."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[phase] += time.perf_counter() - begun

    def take(self) -> dict[str, float]:
        """End a step: return its seconds by `seconds/PHASE`, and start the next step."""
        total, s = time.perf_counter() - self._since, dict(self._seconds)
        known = {phase: s.get(phase, 0.0) for phase in ROLLOUT}
        rollout, saving = s.get("rollout", 0.0), s.get("saving", 0.0)
        known["other"] = rollout - sum(known.values())
        known |= {"training": total - rollout - saving, "saving": saving, "step": total}
        self.start()
        return {f"seconds/{phase}": round(seconds, 4) for phase, seconds in known.items()}
