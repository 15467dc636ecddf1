"""Does the evaluation runner take only the time of its slowest stage? Policy, renderer and judge are slowed in turn.

    python bench/stream.py [--samples 96]

The stages are stand-ins that sleep, so this measures how the runner overlaps them. The bound is 1.1 times the slowest
stage alone, which runs just before on the same machine, so that other load slows both. Memory is compared between a run
and one with ten times the samples.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from rrvf.benchmarks.run import Run
from rrvf.benchmarks.runner import evaluate
from rrvf.records import Judgement, Provenance, Render, Sample

WORKERS, JUDGING = 2, 4
FAST, SLOW = 0.004, 0.05


class Judge:
    """A slow judge that makes `JUDGING` comparisons at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._places = seconds, threading.Semaphore(JUDGING)

    def score(self, reference: bytes, generated: bytes, domain: str) -> Judgement:
        with self._places:
            time.sleep(self._seconds)
        return Judgement(status="ok", score=0.5)


class Benchmark:
    """A benchmark with slow renders, `WORKERS` at once."""

    name = protocol = "stages"

    def __init__(self, seconds: float) -> None:
        self._seconds, self._places = seconds, threading.Semaphore(WORKERS)

    def extract(self, reply: str) -> str:
        return reply

    def check(self, reference: str | None) -> None:
        """Accept any reference."""

    def score(self, sample: Sample, reference: str | None, code: str) -> tuple[Render, dict]:
        with self._places:
            time.sleep(self._seconds)
        return Render(status="ok", png=b"picture"), {"exec": 1.0}

    def judge_score(self, judgement: Judgement) -> float:
        return judgement.score

    def summary(self, results: list, seed: int) -> dict:
        return {}


def samples(root: Path, count: int) -> list[Sample]:
    Image.new("RGB", (16, 16)).save(root / "a.png")
    fields = {"domain": "chart", "split": "t", "image": "a.png", "sha256": "", "phash": "", "source": "", "licence": ""}
    return [Sample(id=str(i), **fields) for i in range(count)]


def policy(seconds: float) -> Callable[[list[Sample]], Iterator[str]]:
    """A slow policy that writes one answer after another."""

    def reply(asked: list[Sample]) -> Iterator[str]:
        for _ in asked:
            time.sleep(seconds)
            yield "code " * 200

    return reply


def alone(stage: str, count: int, seconds: float) -> float:
    """Seconds of one stage alone for all samples."""
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(WORKERS + JUDGING) as pool:
        asked, (benchmark, judge) = samples(Path(place), count), (Benchmark(seconds), Judge(seconds))
        begun = time.perf_counter()
        if stage == "policy":
            list(policy(seconds)(asked))
        elif stage == "renderer":
            list(pool.map(lambda sample: benchmark.score(sample, None, "code"), asked))
        else:
            list(pool.map(lambda sample: judge.score(b"", b"", sample.domain), asked))
        return time.perf_counter() - begun


def run(count: int, write_s: float, render_s: float, judge_s: float) -> float:
    """Seconds of a whole run."""
    with tempfile.TemporaryDirectory() as place:
        root, benchmark, judge = Path(place), Benchmark(render_s), Judge(judge_s)
        made_by = Provenance(
            protocol="", prompt_hash="", judge="", metric_version="", versions={}, seed=0, profile_hash=""
        )
        run = Run(
            benchmark, samples(root, count), root, judge, made_by, root / "out", WORKERS, judging=JUDGING, block=None
        )
        begun = time.perf_counter()
        evaluate(run, policy(write_s))
        return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=96)
    count = parser.parse_args().samples
    run(2, 0, 0, 0)  # warm-up: loads modules such as the picture decoders
    for name, (write_s, render_s, judge_s) in {
        "policy": (SLOW, FAST, FAST), "renderer": (FAST, SLOW * WORKERS, FAST), "judge": (FAST, FAST, SLOW * JUDGING),
    }.items():  # fmt: skip
        bound = alone(name, count, max(write_s, render_s, judge_s))
        took = run(count, write_s, render_s, judge_s)
        print(f"slow {name}: {took:.1f} s, that stage alone {bound:.1f} s, {took / bound:.2f} times (at most 1.1)")
    peaks = []
    for many in (10 * count, 100 * count):
        run(many, 0, 0, 0)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(f"memory: {peaks[0]:.0f} MB after {10 * count} samples, {peaks[1]:.0f} MB after {100 * count}")


if __name__ == "__main__":
    main()
