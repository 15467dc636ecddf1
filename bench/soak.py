"""Thousands of mixed renders of charts and pages, one in five hostile: does anything remain, and does memory grow?

    python bench/soak.py [--count 10000] [--workers 2] [--minutes M] [--json FILE]

The hostile programs are those of the tests (`tests/hostile`). Twenty times during the run it records the resident
memory of the parent processes, which live as long as the pool (this process and the chart zygote), and looks for
zombies. Each picture must be the same as in the first render of its program. At the end no process, descriptor or
temporary file may remain. Exits with 1 if one remains, if a render ended in an unexpected way, if a picture changed, or
if a parent grew by more than 1 MB per 1,000 renders after the first 1,000.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from scipy.stats import theilslopes

from rrvf.data.generated.charts import generate as chart
from rrvf.data.generated.pages import generate as page
from rrvf.domains import NANO_CANVAS
from rrvf.render import Limits, Renderer

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from hostile_suite import attacks

#: Long enough that no harmless render times out on a busy machine.
PATIENT = Limits(canvas=NANO_CANVAS, wall_s=60, memory_mb=800)
#: Full-page renders, so that a page that is too high reaches the limit.
PAGES = replace(PATIENT, canvas=replace(NANO_CANVAS, full_page=True))
#: For pages that may reach the time limit, and for pages with scripts.
SHORT = replace(PAGES, wall_s=2)
SHORT_SCRIPTS = replace(SHORT, javascript=True)
#: Hostile charts choose their own size, as in the tests.
HOSTILE = Limits(wall_s=60, memory_mb=200)
GROWTH_MB = 1.0


@dataclass(frozen=True)
class Job:
    """One render: its pool, its code, and the outcomes that are expected."""

    pool: str
    code: str
    expected: tuple[str, ...] = ("ok",)
    limits: Limits = PATIENT


def jobs(count: int) -> list[Job]:
    """`count` jobs in a fixed order. Of five jobs two are charts, two are pages and one is hostile."""
    good = [Job("chart", chart(n)) for n in range(50)], [Job("page", page(n)) for n in range(50)]
    here = Path("/nonexistent/canary")
    hostile = []
    for a in attacks("chart"):
        limits = replace(HOSTILE, wall_s=2) if a.may_time_out else HOSTILE
        hostile.append(Job("chart", a.aimed(9, here), a.expected, limits))
    for a in attacks("web"):
        if a.scripts or a.may_time_out:
            # With the short limit any of them may time out on a busy machine.
            hostile.append(
                Job("short scripts" if a.scripts else "short page", a.aimed(9, here), (*a.expected, "timeout"))
            )
        else:
            hostile.append(Job("page", a.aimed(9, here), a.expected))
    rng = random.Random(0)
    every = [[rng.choice(good[0]), rng.choice(good[1]), rng.choice(good[0]), rng.choice(good[1]), rng.choice(hostile)]
             for _ in range(count // 5)]  # fmt: skip
    mixed = [job for five in every for job in five]
    rng.shuffle(mixed)
    return mixed


class Parents:
    """Resident memory of the processes that live as long as the pools."""

    def __init__(self, charts: Renderer) -> None:
        zygote = psutil.Process(charts._engine._zygote._process.pid)
        inner = max([zygote, *zygote.children()], key=lambda p: p.memory_info().rss)  # inside its process namespace
        self._all = {"host": psutil.Process(), "zygote": inner}

    def memory_mb(self) -> dict[str, float]:
        return {name: process.memory_info().rss / 2**20 for name, process in self._all.items()}


def zombies() -> int:
    """The number of zombies below this process. They are counted twice, to ignore processes that are just ending."""
    dead = _dead()
    time.sleep(1 if dead else 0)
    return len(dead & _dead())


def _dead() -> set[psutil.Process]:
    found = set()
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                found.add(process)
        except psutil.Error:
            continue
    return found


def soak(mixed: list[Job], workers: int, minutes: float) -> tuple[list[dict], Counter]:
    """Run all jobs. Returns a row of memory per twentieth of the run, and the unexpected results with their numbers."""
    rows, wrong = [], Counter()
    first: dict[tuple[str, str], str] = {}
    with (
        Renderer("chart", workers, PATIENT) as charts,
        Renderer("web", workers, PAGES) as pages,
        Renderer("web", 1, SHORT) as short,
        Renderer("web", 1, SHORT_SCRIPTS) as scripts,
        ThreadPoolExecutor(2 * workers) as threads,
    ):
        pools = {"page": pages, "short page": short, "short scripts": scripts}

        def run(job: Job) -> str | None:
            """The unexpected result of a render; None if it ended as expected."""
            if job.pool == "chart":
                render = charts._engine.render(job.code, limits=job.limits)
            else:
                render = pools[job.pool].render(job.code)
            outcome = render.reason or "ok"
            if render.png:
                digest = hashlib.sha256(render.png).hexdigest()
                if first.setdefault((job.pool, job.code), digest) != digest:
                    return f"{job.pool}: another picture than at first for {job.code[:60]!r}"
            return (
                None if outcome in job.expected else f"{job.pool}: {outcome} for {job.expected} ({render.message[:60]})"
            )

        parents, begun = Parents(charts), time.perf_counter()
        step = max(1, len(mixed) // 20)
        for start in range(0, len(mixed), step):
            if time.perf_counter() - begun > 60 * minutes:
                break
            wrong.update(filter(None, threads.map(run, mixed[start : start + step])))
            done = min(start + step, len(mixed))
            rows.append(
                {"renders": done, "seconds": time.perf_counter() - begun, "zombies": zombies(), **parents.memory_mb()}
            )
            print(json.dumps({key: round(value, 2) for key, value in rows[-1].items()}), file=sys.stderr, flush=True)
    return rows, wrong


def left_behind(mixed: list[Job], workers: int, minutes: float) -> tuple[list[dict], Counter, dict[str, int]]:
    """The result of `soak`, and how many descriptors, processes and temporary files remain after it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # as root, the browser runs as another user
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        soak(jobs(20), 1, minutes)  # warm-up: some files are opened once and stay open
        before = len(os.listdir("/proc/self/fd"))
        rows, wrong = soak(mixed, workers, minutes)
        left = {
            "processes": len(psutil.Process().children(recursive=True)),
            "zombies": max(row["zombies"] for row in rows),
            "descriptors": len(os.listdir("/proc/self/fd")) - before,
            "files": len(os.listdir(folder)),
        }
    return rows, wrong, left


def growth(rows: list[dict]) -> dict[str, float]:
    """Growth of each parent in MB per 1,000 renders, as the median slope after the first 1,000.

    The median ignores a large picture that happens to be in memory at one measurement.
    """
    later = [row for row in rows if row["renders"] >= 1000] or rows
    thousands = [row["renders"] / 1000 for row in later]
    if len(later) < 2:
        return {}
    return {name: float(theilslopes([row[name] for row in later], thousands).slope) for name in ("host", "zygote")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further twentieth after this time")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows, wrong, left = left_behind(jobs(options.count), options.workers, options.minutes)
    grown = growth(rows)
    result = {"renders": rows[-1]["renders"], "left": left, "mb_per_1000": grown, "unexpected": dict(wrong)}
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps({**result, "rows": rows}, indent=1) + "\n")
    sys.exit(bool(any(left.values()) or wrong or max(grown.values(), default=0) > GROWTH_MB))


if __name__ == "__main__":
    main()
