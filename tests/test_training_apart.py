"""On a GPU each section of a study is trained in a process of its own, which ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch

from rrvf.errors import UserError
from rrvf.training import apart as module
from rrvf.training.apart import apart, run_section

#: A user's script, without a main guard. It takes SIGINT also where the tests run in the background.
PARENT = """
import signal
from rrvf.training.apart import apart
from test_training_apart import waits
signal.signal(signal.SIGINT, signal.default_int_handler)
apart(waits)
"""


def refuses(path: Path) -> None:
    path.write_text(str(os.getpid()))
    raise UserError("mend it so")


def fails() -> None:
    raise ValueError("no such thing")


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def waits() -> None:
    print("waiting", os.getpid(), flush=True)
    time.sleep(600)


def test_the_user_is_told_in_the_words_of_the_other_process(tmp_path):
    with pytest.raises(UserError, match=r"^mend it so$"):
        apart(refuses, tmp_path / "pid")
    assert int((tmp_path / "pid").read_text()) != os.getpid()


@pytest.mark.parametrize(
    ("call", "words"), [(fails, "failed: ValueError: no such thing"), (dies, "died .*run it again")]
)
def test_a_failure_of_the_other_process_is_one_line(call, words):
    with pytest.raises(UserError, match=words):
        apart(call)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_training_outlives_the_process_that_asked_for_it(number, tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    child = psutil.Process(int(parent.stdout.readline().split()[1]))
    try:
        parent.send_signal(number)
        parent.wait(60)
        deadline = time.monotonic() + 60
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:  # some containers reap none
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        parent.kill()
        with suppress(psutil.NoSuchProcess):
            child.kill()


@pytest.mark.parametrize("gpu", [False, True])
def test_only_on_a_gpu_a_section_has_its_own_process(gpu, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(module, "_sft", lambda *words: calls.append("here"))
    monkeypatch.setattr(module, "apart", lambda *words: calls.append("apart"))
    run_section(None, "sft", "chart", tmp_path)
    assert calls == ["apart" if gpu else "here"]
