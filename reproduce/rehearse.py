"""`make rehearse PROFILE=paper|gpu`: run the whole path of a profile on two cores, from the archives to Tables 1 to 3.

A rehearsal uses the same profile file, scripts of reproduce/launch and notebooks as the real run, except for the
settings in `rehearsal.yaml`. One training is killed and resumed. All files go to `runs/rehearsal-<profile>`, which is
emptied at the start, and none to `results/`. It prints one line per stage; exit codes as in `python -m reproduce`.
"""

from __future__ import annotations

import argparse
import resource
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
from rrvf.outputs import end_on_signals, exit_code
from rrvf.served import answers, serving


def rehearse(name: str) -> None:
    """Run all stages of a profile's rehearsal, then print its tables. Raises UserError if a stage fails."""
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
    """Serves the embedded judge at the address of the profile's judge.

    Raises UserError if a judge already answers there, because it may be a real one.
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
    """A list of the main memory of this process and its descendants, in bytes, measured every `every_s` seconds.

    Shared pages are counted once (PSS).
    """
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
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return rehearsal.killed_cpu + sum(one.ru_utime + one.ru_stime for one in used)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m reproduce.rehearse", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="paper", choices=sorted(FILES))
    options = parser.parse_args(arguments)
    end_on_signals()
    return exit_code(lambda: rehearse(options.profile))


if __name__ == "__main__":
    sys.exit(main())
