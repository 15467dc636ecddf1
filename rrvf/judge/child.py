"""The judge server as a child process, for notebooks, training and tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from rrvf.errors import UserError


@contextmanager
def running_server(port: int = 0, threads: int = 2, wait_s: float = 60.0) -> Iterator[str]:
    """A judge server as a child process, for as long as the block lasts; gives its URL.

    The child stops when the block ends, and also when this process dies. Raises UserError when it does not come up.
    """
    command = [
        sys.executable,
        "-m",
        "rrvf.judge.server",
        "--port",
        str(port),
        "--threads",
        str(threads),
        "--watch-stdin",
    ]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    try:
        yield _url_when_healthy(child, time.monotonic() + wait_s)
    finally:
        child.stdin.close()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def _url_when_healthy(child: subprocess.Popen, until: float) -> str:
    timer = threading.Timer(until - time.monotonic(), child.kill)  # readline below ends when the child does
    timer.start()
    try:
        line = child.stdout.readline()
    finally:
        timer.cancel()
    if not line:
        raise UserError("the judge server did not start: run `python -m rrvf.judge.server` to see why")
    url = json.loads(line)["url"]
    with httpx.Client(trust_env=False) as client:
        client.get(f"{url}/health", timeout=max(1.0, until - time.monotonic())).raise_for_status()
    return url
