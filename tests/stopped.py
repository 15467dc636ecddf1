"""Runs commands in a separate process, stops them at a given moment, and counts their moments.

A moment is a call of a function of a stage: reading, generating, rendering, judging, learning,
saving; for `reproduce`, printing and writing. The policy is tiny and random and writes a script; renderer,
judge, TRL, the loss and the notebooks' kernels are real.
"""

from __future__ import annotations

import atexit
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import psutil

CHART = "import matplotlib.pyplot as plt\nplt.plot([1, 2], color='red')\nplt.title('A')\n"
#: A fork server makes the slow imports once, before it has threads.
SERVER = multiprocessing.get_context("forkserver")
#: The moment and the signal that stops a command.
Stop = tuple[int, int] | None
#: Seconds within which a stopped command must end. An idle machine takes a tenth of this.
END_S = 60


def preload() -> None:
    """Make the slow imports. Call it before the server is first used."""
    SERVER.set_forkserver_preload(["stopped", "rrvf.training.grpo", "rrvf.judge.client", "rrvf.render.chart"])


def start(command: Callable, words: list[str], stop: Stop, count: Path) -> multiprocessing.Process:
    """Start `command(words)`, `train` or `reproduce`. count: the file for the number of moments and the time
    (`time.monotonic()`) of the signal.
    """
    process = SERVER.Process(target=_main, args=(command, words, stop, count))
    process.start()
    return process


def finish(command, words: list[str], place: Path) -> int:
    """Run a command to its end and return its number of moments."""
    process = start(command, words, None, place / "count")
    process.join()
    assert process.exitcode == 0
    return json.loads((place / "count").read_text())[0]


def stop_at(command, words: list[str], place: Path, moment: int, sent: signal.Signals) -> None:
    """Stop a command at a moment, and check that it ends soon and leaves no process."""
    process, family = start(command, words, (moment, sent), place / "count"), {}
    while process.is_alive():
        family |= {p.pid: p for p in _family(process.pid)}
        process.join(0.05)
    assert process.exitcode == 128 + sent
    assert psutil.wait_procs(family.values(), timeout=END_S)[1] == []
    _, told = json.loads((place / "count").read_text())
    print(f"moment {moment}: exit code {process.exitcode}, {time.monotonic() - told:.1f} s after {sent.name}")
    assert time.monotonic() - told < END_S


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def check(command, words: dict[str, list[str]], place: Path) -> None:
    """Run `words["whole"]` undisturbed, and `words["parts"]` stopped twice, then to its end."""
    moments = finish(command, words["whole"], place)
    # First in the second step or notebook, with finished work that must not be repeated. Then, because a continued run
    # has fewer moments, in the last saves or in the publication.
    stop_at(command, words["parts"], place, moments * 3 // 5, signal.SIGTERM)
    stop_at(command, words["parts"], place, moments // 2, signal.SIGINT)
    finish(command, words["parts"], place)


def _main(command: Callable, words: list[str], stop: Stop, count: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    moments, sent = itertools.count(), [0.0]

    def tick() -> None:
        if stop and next(moments) == stop[0]:
            sent[0] = time.monotonic()
            os.kill(os.getpid(), stop[1])
        elif not stop:
            next(moments)

    try:
        command(words, tick)
    finally:
        with count.open("w") as file:
            json.dump([next(moments), sent[0]], file)
        atexit._run_exitfuncs()  # a child of multiprocessing does not run them


def _ticking(stack: ExitStack, tick: Callable[[], None], places: list[tuple[object, str]]) -> None:
    """Call `tick` before each call of the functions at `places`."""
    for owner, name in places:
        original = getattr(owner, name)

        def ticking(*args, _original=original, **kwargs):
            tick()
            return _original(*args, **kwargs)

        stack.enter_context(mock.patch.object(owner, name, ticking))


def train(words: list[str], tick: Callable[[], None]) -> None:
    """`rrvf train WORDS[1:]`, with the data of the folder WORDS[0]."""
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration as Model

    from rrvf import cli
    from rrvf.judge.client import JudgeClient
    from rrvf.render.chart import ChartRenderer
    from rrvf.study import Study
    from rrvf.training import grpo
    from rrvf.training.trainer import RRVFTrainer

    with ExitStack() as stack, mock.patch("sys.argv", ["rrvf", "train", *words[1:]]):
        os.environ["RRVF_DATA"] = words[0]
        stack.enter_context(mock.patch.object(Model, "generate", _written))
        _ticking(stack, tick, [
            (Study, "pictures"), (Study, "judge"), (grpo, "training_processor"), (grpo, "load_policy_model"),
            (Model, "generate"), (ChartRenderer, "render"), (JudgeClient, "compare"), (JudgeClient, "score"),
            (RRVFTrainer, "training_step"), (torch.optim.AdamW, "step"), (torch, "save"), (Model, "save_pretrained"),
            (Path, "rename"), (os, "replace"), (grpo, "save_final"),
        ])  # fmt: skip
        cli.main()


def _written(self, input_ids, **_):
    """Replaces sampling: a tool call, then an answer, every second one broken. Draws random numbers like sampling."""
    import torch

    from rrvf.domains import CHART as DOMAIN
    from rrvf.policies.local import load_processor
    from rrvf.protocol import answer_text, tool_call_text

    noise = torch.rand(1).item()
    tokenizer = load_processor(self.config._name_or_path).tokenizer
    write = answer_text if "tool_response" in tokenizer.decode(input_ids[0]) else tool_call_text
    drawn = CHART.replace("2]", f"{noise:.3f}]")
    codes = [drawn.replace(")", "") if row % 2 else drawn for row in range(len(input_ids))]
    ids = [tokenizer(write(code, DOMAIN), add_special_tokens=False)["input_ids"] for code in codes]
    new = torch.full((len(ids), max(map(len, ids)) + 1), tokenizer.pad_token_id)
    for row, tokens in enumerate(ids):
        new[row, : len(tokens)] = torch.tensor(tokens)
        new[row, len(tokens)] = tokenizer.eos_token_id
    return torch.cat([input_ids, new], dim=1)


def reproduce(words: list[str], tick: Callable[[], None]) -> None:
    """`python -m reproduce --profile WORDS[0]` on the notebooks in folder WORDS[1], with `runs` and `results` beside it."""
    from reproduce import __main__ as main_module
    from reproduce import driver
    from reproduce.progress import Progress

    profile, notebooks = words
    run = driver.run_notebooks
    with (
        mock.patch.object(main_module, "REPOSITORY", Path(notebooks).parent),
        mock.patch.object(main_module, "run_notebooks", lambda *args: run(*args, Path(notebooks))),
        mock.patch.object(main_module, "show_tables"),
        ExitStack() as stack,
    ):
        _ticking(stack, tick, [
            (Progress, "say"), (driver, "execute"), (driver, "read_notebook"), (Path, "write_text"),
            (main_module, "publish_results"), (shutil, "copyfile"), (Path, "rename"),
        ])  # fmt: skip
        raise SystemExit(main_module.main(["--profile", profile, "--publish"]))
