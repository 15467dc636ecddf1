"""Where the seconds of an optimiser step go."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

#: Phases inside the rollout; what is left of a rollout (tokens, pictures, masks) is `other`.
ROLLOUT = ("generation", "tools", "reward", "reference")
#: All phases of a step, as they are shown.
PHASES = (*ROLLOUT, "training", "saving", "other")


class Phases:
    """Seconds by phase since the last `take`.

    generation: the policy writes. tools: waiting for drafts to be rendered and compared. reward: waiting for final
    renders and scores. reference: a pass forward over the episodes without a loss, by the policy that the run began
    with for the KL term, and with vLLM by the trained one. saving: checkpoints. other: the rest of a rollout. training:
    all the rest, which is forward, backward and the optimiser. step: their sum. `generation`, `reference` and
    `training` are model compute.
    """

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()
        self._since = time.perf_counter()

    def start(self) -> None:
        """Forget what was measured so far."""
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
        """`seconds/PHASE` of the step that ends now; the next one begins."""
        total, s = time.perf_counter() - self._since, dict(self._seconds)
        known = {phase: s.get(phase, 0.0) for phase in ROLLOUT}
        rollout, saving = s.get("rollout", 0.0), s.get("saving", 0.0)
        known["other"] = rollout - sum(known.values())
        known |= {"training": total - rollout - saving, "saving": saving, "step": total}
        self.start()
        return {f"seconds/{phase}": round(seconds, 4) for phase, seconds in known.items()}
