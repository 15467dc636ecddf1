"""The judges that `make judge` serves (reproduce/judges), and the memory that each needs per GPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from rrvf.plan.models import SHAPES, shape
from rrvf.profile import PROFILES, Profile

JUDGES = PROFILES.parent / "judges"
GIB = 1 << 30
#: GiB that vLLM needs besides weights and cache: activations of its profile run (8,192 tokens and its largest pictures)
#: and CUDA graphs. An estimate for 3B to 72B models; vLLM prints its own figure at start.
ENGINE = 3.0


@dataclass(frozen=True)
class JudgeNeed:
    """What one judge needs; `name` is its file in reproduce/judges.

    gpus: number of GPUs that share the weights. taken: the share of each GPU's memory that vLLM reserves. weights: GiB
    per GPU. cache: GiB per GPU for the keys and values of one question of full length.
    """

    name: str
    gpus: int
    taken: float
    weights: float
    cache: float

    @property
    def needed(self) -> float:
        """GiB that vLLM needs on each GPU to start."""
        return self.weights + ENGINE + self.cache

    def questions(self, gpu_gb: float) -> int:
        """Number of questions of full length whose keys and values fit at once. gpu_gb: GiB of one GPU."""
        return max(0, int((self.taken * gpu_gb - self.weights - ENGINE) / self.cache))


def judge_need(profile: Profile) -> JudgeNeed | None:
    """What the profile's judge needs. None for the embedded judge and for models without a file in reproduce/judges."""
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
