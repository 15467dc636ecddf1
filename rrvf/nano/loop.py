"""The training loop of every pre-training stage: Muon for matrices, AdamW for other weights, and snapshots.

With Muon the policy learns to read in about two thirds of the steps that AdamW needs; a step takes 5 % longer.
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

from rrvf.outputs import whole

SNAPSHOT_STEPS = 100


def schedule(step: int, steps: int) -> float:
    """The factor of the learning rate at a step: linear warm-up over 60 steps, times a cosine decay to 0.05."""
    return min(1, (step + 1) / 60) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def optimisers(module: torch.nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for matrices (2-D weights except embeddings); AdamW for embeddings, norms, biases and the convolution."""
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

    rng: every batch is drawn with it. log: takes a line every 100 steps. device: of the module.
    workers: processes that prepare batches ahead. With 0 each batch is made when it is needed; on a CPU that costs
    nothing, because training keeps it busy anyway.
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

        steps, rate: optimiser steps and peak learning rate. make: takes a step's number and returns its batch of
        tensors. losses: takes the number and the batch and returns `loss` and other figures by name; a log line has
        their means.
        path: the stage's file. A snapshot is saved beside it (`snapshot_of`) every 100 steps. If there is one already,
        training continues from it, with newly drawn batches. The caller removes it once the result is saved.
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
                with whole(snapshot) as partial:  # a kill leaves the last snapshot or this one
                    torch.save({"model": module.state_dict(), "optimisers": saved, "step": step + 1}, partial)

    def _batches(self, make: Callable[[int], dict], steps: range) -> DataLoader:
        how = {"multiprocessing_context": "fork", "prefetch_factor": 4} if self.workers else {}
        return DataLoader(_Batches(make, self.rng, steps), batch_size=None, num_workers=self.workers, **how)


class _Batches(IterableDataset):
    """The batches of `steps`. Of n workers, each makes every n-th batch, with its own seed."""

    def __init__(self, make: Callable[[int], dict], rng: random.Random, steps: range) -> None:
        self._make, self._rng, self._steps = make, rng, steps

    def __iter__(self) -> Iterator[dict]:
        steps = self._steps
        if worker := get_worker_info():
            self._rng.seed(worker.seed)
            steps = steps[worker.id :: worker.num_workers]
        return map(self._make, steps)


def snapshot_of(path: Path) -> Path:
    """The snapshot of the unfinished stage whose file is `path`."""
    return path.with_suffix(".partial")


def _step(module, parts: list[torch.optim.Optimizer], loss: torch.Tensor, rate: float) -> None:
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    for part in parts:
        for group in part.param_groups:
            group["lr"] = rate
        part.step()
        part.zero_grad(set_to_none=True)
