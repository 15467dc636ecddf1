"""Places to write to, looked at before the work begins: nobody waits an hour to learn that --out cannot be written."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from rrvf.errors import UserError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_MENDABLE = (*_NO_ROOM, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR)


def out_file(path: Path) -> Path:
    """`path` as a file that can be written; its folder is made. UserError else."""
    if path.is_dir():
        raise UserError(f"--out {path} is a folder: name a file in it")
    out_folder(path.parent)
    with _told(path):
        there = path.exists()
        path.open("ab").close()
        if not there:
            path.unlink()
    return path


def out_folder(path: Path) -> Path:
    """`path` as a folder that can be written to, made where it is missing. UserError else."""
    import tempfile  # slow to load, and help needs none of it

    if path.exists() and not path.is_dir():
        raise UserError(f"--out {path} is a file: name a folder")
    with _told(path):
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    return path


@contextlib.contextmanager
def _told(path: Path):
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write to {path} ({error.strerror}): choose another --out") from None


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write what is to be `path`, which is there whole or, after a kill, as it was before.

    Several may write the same file at once: each beside it under a name of its own, and the last one counts.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def trouble(error: OSError) -> str | None:
    """The line for an error that the disk or the rights of a folder bring.

    None for any other, which is a fault of ours.
    """
    # A write to an open file does not say which one it was; only a disk refuses one so.
    if error.errno not in (_MENDABLE if error.filename else _NO_ROOM):
        return None
    where = error.filename or "cannot write"
    return f"{where}: {error.strerror}: make room or give the rights, then run it again; what was written counts"


def error_line(line: str) -> None:
    """Say on standard error why a command ends."""
    print(f"error: {line}", file=sys.stderr)


def say(line: str) -> None:
    """The same as the command `rrvf` says it, and what else it has to tell."""
    print(f"rrvf: {line}", file=sys.stderr)


def exit_code(work: Callable[[], int | None], say: Callable[[str], object] = error_line) -> int:
    """Do `work` and give its code, 0 where it gives none.

    For what a person can mend one line to `say` and 2, and where it was interrupted 130.
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
