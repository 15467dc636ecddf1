"""Trains a section of a study, on a GPU in a process of its own.

A process that has trained with vLLM in it does not give back all of the GPU's memory. The notebooks train several
sections in one process, and the second would find the GPU full.
"""

from __future__ import annotations

import ctypes
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from rrvf.study import Study

_PR_SET_PDEATHSIG = 1


def run_section(study: Study, kind: str, name: str, out: Path) -> None:
    """Train the section `name` of a kind (grpo, sft, rft) into `out`. Continues a run that is there."""
    train = {"grpo": _grpo, "sft": _sft, "rft": _rft}[kind]
    if not torch.cuda.is_available():
        train(study, name, out)
        return
    # A new interpreter: CUDA does not survive a fork.
    with ProcessPoolExecutor(1, get_context("spawn"), end_with_parent) as apart:
        apart.submit(train, study, name, out).result()


def end_with_parent() -> None:
    """Let this process be told to end (SIGTERM) when its parent dies, so that no training goes on unseen."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _grpo(study: Study, name: str, out: Path) -> None:
    from rrvf.training.grpo import train_grpo

    config = study.section("grpo", name)
    with study.tools_of(config) as tools:
        train_grpo(study.profile, config, study.pictures(config), study.data, tools, out, resume=True)


def _sft(study: Study, name: str, out: Path) -> None:
    from rrvf.training.sft import train_sft

    config = study.section("sft", name)
    train_sft(study.profile, config, study.split(config.train_set), study.data / config.train_set, out, resume=True)


def _rft(study: Study, name: str, out: Path) -> None:
    from rrvf.training.rft import draw
    from rrvf.training.sft import train_sft

    config = study.section("rft", name)
    samples, root = study.split(config.train_set), study.data / config.train_set
    with study.tools(config.domain) as tools:
        drawn = draw(study.profile, config, samples, root, tools, out / "drawn.jsonl")
    train_sft(study.profile, config, samples, root, out, resume=True, drawn=drawn)
