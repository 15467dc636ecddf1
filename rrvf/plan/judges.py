"""The judges that `make judge` serves (reproduce/judges), and what one needs of each of its GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from rrvf.plan.models import SHAPES, shape
from rrvf.profile import PROFILES, Profile

JUDGES = PROFILES.parent / "judges"
GIB = 1 << 30
#: GiB of vLLM beside weights and cache: activations of its profile run (8,192 tokens and its largest pictures) and CUDA
#: graphs. An estimate for 3B to 72B; vLLM prints its own figure when it starts.
ENGINE = 3.0


@dataclass(frozen=True)
class JudgeNeed:
    """A judge's file. gpus: that share its weights; taken: the share of each that vLLM takes.

    Weights and cache: GiB on each of them, the cache of one question of full length.
    """

    name: str
    gpus: int
    taken: float
    weights: float
    cache: float

    @property
    def needed(self) -> float:
        """GiB on each GPU, without which vLLM does not start."""
        return self.weights + ENGINE + self.cache

    def questions(self, gpu_gb: float) -> int:
        """Questions of full length whose keys and values fit at once."""
        return max(0, int((self.taken * gpu_gb - self.weights - ENGINE) / self.cache))


def judge_need(profile: Profile) -> JudgeNeed | None:
    """What the profile's judge needs; None for the embedded one, and for one that no file here serves."""
    if profile.judge.url is None or profile.judge.model not in SHAPES:
        return None
    for path in sorted(JUDGES.glob("*.yaml")):
        settings = yaml.safe_load(path.read_text())
        if settings["model"] == profile.judge.model:
            return _need(path, settings)
    return None


def _need(path: Path, settings: dict) -> JudgeNeed:
    size, gpus = shape(settings["model"]), settings["tensor-parallel-size"]
    cache = settings["max-model-len"] * size.cache_bytes / gpus / GIB
    return JudgeNeed(path.stem, gpus, settings["gpu-memory-utilization"], 2 * size.parameters / gpus / GIB, cache)
