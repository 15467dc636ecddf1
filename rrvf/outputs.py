"""Checks and writes outputs. A place is checked before the work begins, so that a bad --out fails at once."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from rrvf.errors import UserError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_MENDABLE = (*_NO_ROOM, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR)


def out_file(path: Path) -> Path:
    """`path` as a writable file; its folder is created. Raises UserError if it cannot be written."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file in it")
    out_folder(path.parent)
    with _told(path):
        there = path.exists()
        path.open("ab").close()
        if not there:
            path.unlink()
    return path


def out_folder(path: Path) -> Path:
    """`path` as a writable folder, created if missing. Raises UserError if it cannot be written to."""
    import tempfile  # slow to load and not needed for --help

    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file: name a folder")
    with _told(path):
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    return path


@contextlib.contextmanager
def _told(path: Path):
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write to {path} ({error.strerror}): choose another place") from None


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which replaces `path` at the end.

    An error or a kill leaves `path` as it was before. Several processes may write the same file at once: each uses its
    own temporary path, and the last one wins.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def trouble(error: OSError) -> str | None:
    """The message for an error of a full disk or missing permissions.

    None for any other error, which is a bug of ours.
    """
    # An error of a write to an open file names no file. Then only a disk error is the user's to solve.
    if error.errno not in (_MENDABLE if error.filename else _NO_ROOM):
        return None
    where = error.filename or "cannot write"
    return f"{where}: {error.strerror}: free space or grant access, then run it again; what was written is kept"


def error_line(line: str) -> None:
    """Print on standard error why a command ends."""
    print(f"error: {line}", file=sys.stderr)


def say(line: str) -> None:
    """Print a message of the program on standard error."""
    print(f"rrvf: {line}", file=sys.stderr, flush=True)


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end this process by an exception, so that what it started is ended too.

    SIGHUP stays ignored under nohup.
    """
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sign) != signal.SIG_IGN:
            signal.signal(sign, lambda number, _: sys.exit(128 + number))


def exit_code(work: Callable[[], int | None], say: Callable[[str], object] = error_line) -> int:
    """Run `work` and return its exit code, 0 if it returns None.

    For an error that the user can solve, pass one line to `say` and return 2. Return 130 if it was interrupted.
    """
    try:
        return work() or 0
    except UserError as error:
        say(str(error))
    except OSError as error:
        if (line := trouble(error)) is None:
            raise
        say(line)
    except KeyboardInterrupt:
        say("interrupted: run the same command again to continue")
        return 130
    return 2
