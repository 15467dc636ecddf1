"""The one training loop of the pre-training: Muon for the matrices, AdamW for the rest, snapshots on the way.

Muon learns to read in about two thirds of AdamW's steps here, for a twentieth more time a step.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate.utils import send_to_device
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

SNAPSHOT_STEPS = 100


def schedule(step: int, steps: int) -> float:
    """The learning rate's factor: 60 steps of warm-up under a cosine that ends at a twentieth."""
    return min(1, (step + 1) / 60) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def optimisers(module: torch.nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for what multiplies (2-D weights but embeddings), AdamW for embeddings, norms, biases and convolution."""
    embeddings = {id(m.weight) for m in module.modules() if isinstance(m, torch.nn.Embedding)}
    matrices = [p for p in module.parameters() if p.dim() == 2 and id(p) not in embeddings]
    taken = {id(p) for p in matrices}
    rest = [p for p in module.parameters() if id(p) not in taken]
    return [
        torch.optim.Muon(matrices, lr=rate, momentum=0.95, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.05),
    ]


@dataclass(frozen=True)
class Loop:
    """How all stages are trained.

    rng: that all batches are drawn from. log: takes a line every 100 steps. workers: processes that make batches ahead;
    0 makes each when it is needed, which on a CPU costs nothing, for it is busy anyway.
    """

    rng: random.Random
    log: Callable[[str], None]
    device: str = "cpu"
    workers: int = 0

    def train(
        self,
        module: torch.nn.Module,
        steps: int,
        rate: float,
        make: Callable[[int], dict],
        losses: Callable[[int, dict], dict],
        path: Path,
    ) -> None:
        """Train the module in place.

        `make` takes a step and gives its batch of tensors; `losses` takes both and gives `loss` and other figures to
        log, by name; each log line has their means.

        A snapshot is kept at `path` + ".partial" every 100 steps and taken up again if it is there; the batches after
        that are drawn anew. The caller removes it once the result is safe.
        """
        parts, first, seen = optimisers(module, rate), 0, []
        snapshot = snapshot_of(path)
        if snapshot.exists():
            state = torch.load(snapshot, map_location=self.device)
            module.load_state_dict(state["model"])
            for part, saved in zip(parts, state["optimisers"], strict=True):
                part.load_state_dict(saved)
            first = state["step"]
        module.train()
        started = time.monotonic()
        for step, batch in enumerate(self._batches(make, range(first, steps)), first):
            figures = losses(step, send_to_device(batch, self.device))
            _step(module, parts, figures["loss"], rate * schedule(step, steps))
            seen.append({k: v.detach() for k, v in figures.items()})
            if (step + 1) % SNAPSHOT_STEPS == 0:
                names = dict.fromkeys(k for s in seen for k in s)
                means = " ".join(f"{k} {torch.stack([s[k] for s in seen if k in s]).mean():.4f}" for k in names)
                self.log(f"{path.stem} {step + 1} {means} {time.monotonic() - started:.0f}s")
                seen.clear()
                saved = [part.state_dict() for part in parts]
                torch.save({"model": module.state_dict(), "optimisers": saved, "step": step + 1}, snapshot)

    def _batches(self, make: Callable[[int], dict], steps: range) -> DataLoader:
        how = {"multiprocessing_context": "fork", "prefetch_factor": 4} if self.workers else {}
        return DataLoader(_Batches(make, self.rng, steps), batch_size=None, num_workers=self.workers, **how)


class _Batches(IterableDataset):
    """The batches of some steps; of several workers each makes every so manieth, from numbers of its own."""

    def __init__(self, make: Callable[[int], dict], rng: random.Random, steps: range) -> None:
        self._make, self._rng, self._steps = make, rng, steps

    def __iter__(self) -> Iterator[dict]:
        steps = self._steps
        if worker := get_worker_info():
            self._rng.seed(worker.seed)
            steps = steps[worker.id :: worker.num_workers]
        return map(self._make, steps)


def snapshot_of(path: Path) -> Path:
    """Where the unfinished state of the stage `path` is kept."""
    return path.with_suffix(".partial")


def _step(module, parts: list[torch.optim.Optimizer], loss: torch.Tensor, rate: float) -> None:
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    for part in parts:
        for group in part.param_groups:
            group["lr"] = rate
        part.step()
        part.zero_grad(set_to_none=True)
