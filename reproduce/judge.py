"""The judge of a profile with `judge: {serve: true}`: started beside the run, stopped after it.

It is vLLM with the profile's file of reproduce/judges, the same that `make judge` serves. It must have its memory before
training begins, for vLLM measures what is free while it starts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from reproduce.progress import Progress
from rrvf.endpoints import base_url
from rrvf.errors import UserError
from rrvf.plan.judges import JUDGES, judge_need
from rrvf.profile import Profile

#: What serves a large model.
VLLM = (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
#: Seconds that a first start may take: it downloads the weights.
START_S = 3 * 3600


@contextmanager
def served_judge(profile: Profile, results: Path, progress: Progress, server: Sequence[str] = ()) -> Iterator[None]:
    """Hold the profile's judge at its URL for as long as the block lasts; nothing where the profile asks for none.

    One that answers there already is taken and left running. server: the command without `--config` and `--port`.
    UserError where none of the judges here is the profile's, or where it does not start.
    """
    url = profile.judge.url
    if not profile.judge.serve or url is None or answers(url):
        yield
        return
    need = judge_need(profile)
    if need is None:
        raise UserError(f"no file of reproduce/judges serves {profile.judge.model}: add one, or leave judge.serve out")
    config, port = JUDGES / f"{need.name}.yaml", urlsplit(base_url(url, "judge")).port or 80
    command = server or VLLM
    log = results / "judge.log"
    progress.say(f"judge {need.name}: starting, its words are in {log}")
    with serving([*command, "--config", str(config), "--port", str(port)], url, log):
        progress.say(f"judge {need.name}: answers at {url}")
        yield


@contextmanager
def serving(command: Sequence[str], url: str, log: Path) -> Iterator[None]:
    """Hold the OpenAI-compatible server that `command` starts, from when it answers at `url` to the block's end.

    Its words go to `log`. UserError, with the last of them, where it ends before it answers.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as words:
        child = subprocess.Popen(command, stdout=words, stderr=words, start_new_session=True)
    try:
        _wait(child, url, log)
        yield
    finally:
        _stop(child)


def answers(url: str) -> bool:
    """Whether an OpenAI-compatible server answers at `url`."""
    try:
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            return client.get(f"{base_url(url, 'judge')}/models").status_code < 500
    except httpx.HTTPError:
        return False


def _wait(child: subprocess.Popen, url: str, log: Path) -> None:
    until = time.monotonic() + START_S
    while not answers(url):
        if child.poll() is not None or time.monotonic() > until:
            lines = log.read_text(errors="replace").strip().splitlines()
            raise UserError(f"the server at {url} did not start ({lines[-1] if lines else 'no words'}): see {log}")
        time.sleep(0.2)


def _stop(child: subprocess.Popen) -> None:
    """End the server with its engine, which is a process of its own in the same group."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            os.killpg(child.pid, sign)
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                continue
