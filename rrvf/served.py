"""Runs a model server as a child process, waits until it answers, and stops it with its engine.

command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", ...]
with serving(command, "http://127.0.0.1:8001/v1", Path("judge.log")):
    ...
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from rrvf.endpoints import base_url
from rrvf.errors import UserError

#: Seconds that a first start may take: it downloads the weights.
START_S = 3 * 3600
#: vLLM's server warms up flashinfer's sampler, which is compiled then: without nvcc and ninja the server ends. Greedy
#: replies need no such sampler.
ENVIRONMENT = {"VLLM_USE_FLASHINFER_SAMPLER": "0"}
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded here: between fork and exec it could wait for a lock of another thread


@contextmanager
def serving(command: Sequence[str], url: str, log: Path) -> Iterator[None]:
    """Run the server `command` during the block. Its output goes to `log`. url: its address.

    UserError with its last line of output if it ends early or does not answer within `START_S`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as words:
        child = subprocess.Popen(
            command,
            stdout=words,
            stderr=words,
            start_new_session=True,
            preexec_fn=end_with_parent,
            env={**ENVIRONMENT, **os.environ},
        )
    try:
        _wait(child, url, log)
        yield
    finally:
        _stop(child)


def end_with_parent() -> None:
    """Have this process get SIGTERM when the thread that started it ends: after a kill no child works on unseen."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def answers(url: str) -> bool:
    """Whether an OpenAI-compatible server is there."""
    try:
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            return client.get(f"{base_url(url, 'server')}/models").status_code < 500
    except httpx.HTTPError:
        return False


def free_port() -> int:
    """A port of this machine that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(child: subprocess.Popen, url: str, log: Path) -> None:
    until = time.monotonic() + START_S
    while not answers(url):
        if child.poll() is not None or time.monotonic() > until:
            lines = log.read_text(errors="replace").strip().splitlines()
            raise UserError(f"the server at {url} did not start ({lines[-1] if lines else 'no output'}): see {log}")
        time.sleep(0.2)


def _stop(child: subprocess.Popen) -> None:
    """End the server with its engine, which is a process of its own in the same group and may outlive it."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):  # nobody of the group is left
            os.killpg(child.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            child.wait(8)
