"""Trains a section of a study, on a GPU in a process of its own.

A process that has trained with vLLM in it does not give back all of the GPU's memory. The notebooks train several
sections in one process, and the second would find the GPU full.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch

from rrvf.errors import UserError, first_line
from rrvf.served import end_with_parent

if TYPE_CHECKING:
    from rrvf.study import Study


def run_section(study: Study, kind: str, name: str, out: Path) -> None:
    """Train the section `name` of a kind (grpo, sft, rft) into `out`. Continues a run that is there."""
    train = {"grpo": _grpo, "sft": _sft, "rft": _rft}[kind]
    if torch.cuda.is_available():
        apart(train, study, name, out)
    else:
        train(study, name, out)


def apart(call: Callable, *arguments: object) -> None:
    """Call a function of a module in a new interpreter, since CUDA does not survive a fork. Ends with this process.

    An exception in it is a UserError here; its traceback is printed there. UserError too if the process dies.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, call, *arguments))
    with _without_main():
        child.start()
    theirs.close()
    try:
        child.join()
    except BaseException:  # an interrupt that only this process got
        child.terminate()
        child.join()
        raise
    if child.exitcode:
        why = f"the training's process died (exit code {child.exitcode}; out of memory?): run it again to continue"
        with suppress(EOFError):
            why = ours.recv() if ours.poll() else why
        raise UserError(why)


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the user's script, which a new interpreter would import: without a main guard it would begin again there."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _child(told: Connection, call: Callable, *arguments: object) -> None:
    end_with_parent()
    if (parent := parent_process()) and os.getppid() != parent.pid:
        os._exit(1)
    try:
        call(*arguments)
    except UserError as error:
        told.send(str(error))
        raise SystemExit(1) from None
    except Exception as error:
        traceback.print_exc()
        told.send(f"the training failed: {type(error).__name__}: {first_line(error)[:1000]}")
        raise SystemExit(1) from None


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
