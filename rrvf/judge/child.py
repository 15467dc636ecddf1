"""The judge server as a child process, for notebooks, training and tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from rrvf.errors import UserError
from rrvf.outputs import say


@contextmanager
def running_server(port: int = 0, threads: int = 2, wait_s: float = 60.0) -> Iterator[str]:
    """Run a judge server as a child process while the block lasts; gives its URL.

    The server stops when the block ends or this process dies. If it dies earlier, it is restarted at the same address,
    at most five times, each with a line on standard error. UserError when it does not start. wait_s: seconds for the
    start.
    """
    child = _start(port, threads)
    try:
        url = _url_when_healthy(child, time.monotonic() + wait_s)
    except BaseException:
        _stop(child)
        raise
    keeper = _Keeper(child, lambda: _start(int(url.rpartition(":")[2]), threads))
    try:
        yield url
    finally:
        keeper.stop()


def _start(port: int, threads: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "rrvf.judge.server", "--port", str(port), "--threads", str(threads)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen([*command, "--watch-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def _stop(child: subprocess.Popen) -> None:
    child.stdin.close()
    try:
        child.wait(5)  # it has no state to save
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()


class _Keeper:
    """Restarts a child that died, at most `most` times, until `stop` is called."""

    def __init__(self, child: subprocess.Popen, start: Callable[[], subprocess.Popen], most: int = 5) -> None:
        self._child, self._start, self._left = child, start, most
        self._lock, self._stopped = threading.Lock(), False
        threading.Thread(target=self._keep, name="rrvf-judge-keeper", daemon=True).start()

    def _keep(self) -> None:
        while self._left:
            code = self._child.wait()
            with self._lock:
                if self._stopped:
                    return
                self._left -= 1
                say(f"the judge server ended (exit code {code}): starting it again")
                _stop(self._child)
                self._child = self._start()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            _stop(self._child)


def _url_when_healthy(child: subprocess.Popen, until: float) -> str:
    timer = threading.Timer(until - time.monotonic(), child.kill)  # the kill ends the readline below
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
