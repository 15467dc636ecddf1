"""Guards a folder of results: one process writes it at a time, and it holds one run with a fixed identity.

with owned(Path("runs/mine")):
    claim(Path("runs/mine"), {"policy": "nano", "judge": "..."}, begun="replies.jsonl")
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rrvf.errors import UserError
from rrvf.outputs import whole

LOCK = ".lock"
IDENTITY = "identity.json"
#: Part of the name of a folder that `Study.stage` moved aside because its inputs changed. Nothing reads such a folder.
ASIDE = ".stale-"
#: How a policy was made (`rrvf.training.checkpoints.how_made`). Lies beside the weights of every trained policy and in
#: the run's folder.
HOW_MADE = "training.json"


def closed_folder(path: Path) -> Path | None:
    """As root, the first of `path` and the folders above it that other users cannot enter; None if there is none.

    Root's renderers run as other users.
    """
    way = [path.resolve(), *path.resolve().parents] if os.geteuid() == 0 else []
    return next((part for part in reversed(way) if not part.stat().st_mode & stat.S_IXOTH), None)


def moved_aside(path: Path) -> bool:
    """Whether a path lies in a folder that was moved aside."""
    return any(ASIDE in part for part in path.parts)


@contextmanager
def owned(folder: Path, wait: bool = False, lock: Path | None = None) -> Iterator[Path]:
    """Lock `folder`, and make it if its lock lies in it.

    The lock is released at the end of the block, or when this process dies.

    wait: wait for another owner and print who it is; otherwise UserError names the owner. lock: the file to lock, where
    it must not lie in the folder.
    """
    with _held(folder, lock or folder / LOCK, wait) as file:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}, begun {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
        yield folder


def _held(folder: Path, lock: Path, wait: bool) -> TextIO:
    while True:
        make(lock.parent)
        try:
            file = lock.open("a+")
        except OSError as error:
            raise UserError(f"cannot write to {folder} ({error.strerror}): choose another folder") from None
        if not _locked(file, folder, lock, wait):
            file.close()
            raise UserError(
                f"{folder} is being written by {_owner(lock)}: wait until it ends, or choose another folder"
            )
        # The owner before may have moved the folder away with this lock file in it.
        with contextlib.suppress(OSError):
            if os.stat(lock).st_ino == os.fstat(file.fileno()).st_ino:
                return file
        file.close()


def make(folder: Path) -> None:
    """Make `folder` with its parents. UserError where this fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}): choose another place") from None


def claim(folder: Path, identity: Mapping[str, Any], begun: str) -> None:
    """Write the identity of the run in `folder` before it costs anything. UserError where it holds another run.

    identity: what must not change while the run continues; JSON values by the names that the error shows. begun: the
    file that exists once the run has cost something.
    """
    path = folder / IDENTITY
    if not (folder / begun).is_file():  # it has cost nothing yet, so another run may replace it
        with whole(path) as partial:
            partial.write_text(json.dumps(identity, indent=1) + "\n")
        return
    if not path.is_file():
        raise UserError(f"{folder} holds a run that does not say what it is: choose another folder")
    before, now = json.loads(path.read_text()), json.loads(json.dumps(identity))
    if other := [name for name in {**before, **now} if before.get(name) != now.get(name)]:
        shown = "; ".join(f"{name} {before.get(name)!r} there, {now.get(name)!r} here" for name in other[:2])
        raise UserError(f"{folder} holds another run ({shown}): choose another folder for this one")


def _locked(file: TextIO, folder: Path, lock: Path, wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP):
            return True  # a network disk without locks: used without a guard
        if not wait:
            return False
        print(f"{folder} is being written by {_owner(lock)}: waiting", file=sys.stderr, flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
    return True


def _owner(lock: Path) -> str:
    with contextlib.suppress(OSError):
        return lock.read_text() or "another process"
    return "another process"


def how_trained(model: str | Path) -> dict[str, Any]:
    """What HOW_MADE in the folder of a policy that was trained here says; empty for any other model."""
    try:
        found: dict[str, Any] = json.loads((Path(model) / HOW_MADE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
