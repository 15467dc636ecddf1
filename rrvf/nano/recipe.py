"""The settings of the nano policy's pre-training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How long each stage trains, and on how much data.

    A step of the eye stage has 32 strips and 28 pictures; of strips, 128 strips; of readings, 2 x `batch` charts; of
    programs and feedback, `batch` pictures with their turns.

    eye_rate: peak learning rate of the eye stage. alone, warm: see `train_eye`.
    feedback_steps: with 0 no drafts are sampled either.
    charts, pages: pictures of the corpora; with 0 pages the policy learns charts only.
    chart_repairs, page_repairs: pictures whose drafts are sampled for the feedback stage.
    threads: of a CPU. workers: processes that prepare batches ahead; a GPU needs some.
    size: of `model.SIZES`, for a policy that is trained from scratch.
    """

    eye_steps: int = 3_200
    eye_rate: float = 3e-3
    alone: int = 1_000
    warm: int = 100
    strip_steps: int = 1_600
    reading_steps: int = 450
    program_steps: int = 1_300
    feedback_steps: int = 250
    charts: int = 12_000
    pages: int = 4_000
    chart_repairs: int = 360
    page_repairs: int = 160
    batch: int = 24
    threads: int = 2
    workers: int = 0
    size: str = "nano"
    seed: int = 0
