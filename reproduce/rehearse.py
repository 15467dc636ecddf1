"""`make rehearse PROFILE=paper|gpu`: the profile's whole path on two cores, from the archives to Tables 1 to 3.

The same profile file, the same scripts of reproduce/launch, the same notebooks; what `rehearsal.yaml` names is
substituted. One training is killed and taken up again. Everything lands in `runs/rehearsal-<profile>`, which is begun
anew each time, and nothing in `results/`. One line per stage; exit codes as of `python -m reproduce`.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import psutil

from reproduce.publish import show_tables
from reproduce.rehearsal import FILES, REPOSITORY, Rehearsal
from reproduce.rehearsal_stages import Stage, stages
from rrvf.errors import UserError
from rrvf.folders import owned
from rrvf.outputs import exit_code
from rrvf.served import answers, serving


def rehearse(name: str) -> None:
    """All stages of a profile's rehearsal, then its tables. UserError where one does not end as it should."""
    rehearsal = Rehearsal(name)
    started = time.monotonic()
    with owned(rehearsal.folder, lock=rehearsal.folder.with_name(f".rehearsal-{name}.lock")):
        rehearsal.begin()
        with _judge(rehearsal):
            for stage in stages(rehearsal.profile):
                _timed(stage, rehearsal)
        show_tables(rehearsal.profile, rehearsal.folder)
    minutes = (time.monotonic() - started) / 60
    print(f"rehearsal of {name}: every stage ended, {minutes:.1f} min; {rehearsal.folder.relative_to(REPOSITORY)}")


@contextmanager
def _judge(rehearsal: Rehearsal) -> Iterator[None]:
    """The embedded judge at the address of the profile's.

    UserError where another answers there: it may be a real one.
    """
    url = rehearsal.profile.judge.url
    if answers(url):
        raise UserError(f"a judge answers at {url} already: stop it, since a rehearsal brings its own")
    command = [sys.executable, "-m", "rrvf", "judge", "serve", "--port", str(urlsplit(url).port)]
    with serving(command, url, rehearsal.log("judge")):
        yield


def _timed(stage: Stage, rehearsal: Rehearsal) -> None:
    print(f"stage {stage.name}: begins", flush=True)
    began, cpu = time.monotonic(), _cpu_seconds(rehearsal)
    with peak_memory() as peak:
        said = stage.run(rehearsal)
    seconds, used = time.monotonic() - began, _cpu_seconds(rehearsal) - cpu
    spent = f"{seconds:.0f} s, {used:.0f} of CPU, {max(peak) / 2**30:.1f} GiB of memory"
    words = f"real: {stage.real}; substituted: {stage.substituted(rehearsal.change)}"
    print(f"stage {stage.name}: {spent}; {words}{f'; {said}' if said else ''}", flush=True)


@contextmanager
def peak_memory(every_s: float = 1.0) -> Iterator[list[int]]:
    """Bytes of main memory that this process and all it started hold, read each `every_s`; shared pages count once."""
    held, ended = [_memory()], threading.Event()

    def watch() -> None:
        while not ended.wait(every_s):
            held.append(_memory())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield held
    finally:
        ended.set()
        watcher.join()


def _memory() -> int:
    total, family = 0, [psutil.Process(), *psutil.Process().children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total


def _cpu_seconds(rehearsal: Rehearsal) -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return rehearsal.killed_cpu + sum(one.ru_utime + one.ru_stime for one in used)


def main(arguments: list[str] | None = None) -> int:
    """The command; gives its exit code."""
    parser = argparse.ArgumentParser(prog="python -m reproduce.rehearse", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="paper", choices=sorted(FILES))
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that what was started is ended too
    return exit_code(lambda: rehearse(options.profile))


if __name__ == "__main__":
    sys.exit(main())
