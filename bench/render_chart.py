"""The cost of isolation for a chart: a sandboxed render against `exec` in a warm process and against `python FILE`.

    python bench/render_chart.py [--count 100] [--repeats 3] [--json FILE]

The scripts are those of matplotlib's gallery that all three ways render. The ways alternate on each script, so that a
busy machine slows all of them equally. A ratio is the median over the scripts, from each script's medians over the
repeats. Then two workers of each kind render all scripts again, for the throughput.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Self

from rrvf.data.gallery import scripts
from rrvf.render.chart import ChartRenderer
from rrvf.render.zygote import plot_python

BLOCK = 25
#: Reads lines of code as JSON strings. Answers each with the seconds of exec and savefig, or null if it failed.
WARM = """
import io, json, os, sys, time
replies = os.fdopen(os.dup(1), "w")
silent = os.open(os.devnull, os.O_WRONLY); os.dup2(silent, 1); os.dup2(silent, 2)
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt, numpy, pandas, scipy.stats, seaborn, mpl_toolkits.mplot3d
plt.plot([1, 2]); plt.title("warm"); plt.savefig(io.BytesIO()); plt.close("all")
for line in sys.stdin:
    matplotlib.rcdefaults(); matplotlib.use("agg")
    start = time.perf_counter()
    try:
        exec(compile(json.loads(line), "script.py", "exec"), {"__name__": "__main__", "__file__": "script.py"})
        plt.gcf().savefig(io.BytesIO(), format="png", dpi=100)
        seconds = time.perf_counter() - start
    except BaseException:
        seconds = None
    plt.close("all")
    print(json.dumps(seconds), file=replies, flush=True)
"""


class Warm:
    """One process that runs script after script by `exec`, without isolation."""

    def __init__(self, folder: str) -> None:
        self._process = subprocess.Popen(
            [plot_python(), "-c", WARM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        )

    def seconds(self, code: str) -> float | None:
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline() or "null")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def cold_seconds(code: str, folder: str) -> float | None:
    """Seconds of `python script.py` with an added last line that saves the figure; None if it failed."""
    script = Path(folder) / "script.py"
    script.write_text(code + "\nimport matplotlib.pyplot as plt\nplt.gcf().savefig('out.png', dpi=100)\n")
    start = time.perf_counter()
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run([plot_python(), script], cwd=folder, capture_output=True, env=environment, check=False)
    return time.perf_counter() - start if done.returncode == 0 else None


def latencies(codes: Iterable[str], count: int, repeats: int) -> dict[str, dict[str, float]]:
    """Median seconds of `warm`, `sandbox` and `cold`, by code, for the first `count` scripts that all three render."""
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, Warm(folder) as warm, ChartRenderer() as engine:
        ways: dict[str, Callable[[str], float | None]] = {
            "warm": warm.seconds,
            "sandbox": lambda code: _seconds(engine, code),
            "cold": lambda code: cold_seconds(code, folder),
        }
        for code in codes:
            times = {name: [way(code) for _ in range(1 if name == "cold" else repeats)] for name, way in ways.items()}
            if all(None not in t for t in times.values()):
                rows[code] = {name: statistics.median(t) for name, t in times.items()}
                print(f"\r{len(rows)}/{count}", end="", file=sys.stderr)
            if len(rows) == count:
                break
    return rows


def _seconds(engine: ChartRenderer, code: str) -> float | None:
    start = time.perf_counter()
    return time.perf_counter() - start if engine.render(code).ok else None


def throughput(codes: list[str]) -> dict[str, float]:
    """Scripts per second with two workers of each kind. The kinds alternate block by block."""
    spent = {"warm": 0.0, "sandbox": 0.0}
    with (
        tempfile.TemporaryDirectory() as folder,
        Warm(folder) as one,
        Warm(folder) as two,
        ChartRenderer(2) as engine,
        ThreadPoolExecutor(2) as threads,
    ):
        idle: SimpleQueue[Warm] = SimpleQueue()
        for warm in (one, two):
            idle.put(warm)
            warm.seconds(codes[0])

        def bare(code: str) -> None:
            warm = idle.get()
            warm.seconds(code)
            idle.put(warm)

        for start in range(0, len(codes), BLOCK):
            for name, way in (("warm", bare), ("sandbox", engine.render)):
                begun = time.perf_counter()
                list(threads.map(way, codes[start : start + BLOCK]))
                spent[name] += time.perf_counter() - begun
    return {name: len(codes) / seconds for name, seconds in spent.items()}


def summary(rows: list[dict[str, float]], rates: dict[str, float]) -> dict[str, float]:
    """The printed figures, as ratios."""
    quick = [r for r in rows if r["warm"] < 0.2]
    ratio = lambda rows, a, b: statistics.median(r[a] / r[b] for r in rows)  # noqa: E731
    return {
        "scripts": len(rows),
        **{f"{name}_ms": 1e3 * statistics.median(r[name] for r in rows) for name in rows[0]},
        "sandbox_over_warm": ratio(rows, "sandbox", "warm"),
        "cold_over_sandbox": ratio(rows, "cold", "sandbox"),
        "quick_scripts": len(quick),
        "quick_cold_over_sandbox": ratio(quick, "cold", "sandbox"),
        "quick_cold_over_warm": ratio(quick, "cold", "warm"),
        **{f"two_{name}_per_second": rate for name, rate in rates.items()},
        "throughput_over_warm": rates["sandbox"] / rates["warm"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    paths = scripts()
    random.Random(0).shuffle(paths)
    rows = latencies((p.read_text(encoding="utf-8") for p in paths), options.count, options.repeats)
    figures = summary(list(rows.values()), throughput(list(rows)))
    print("\n" + json.dumps({k: round(v, 3) for k, v in figures.items()}))
    if options.json:
        options.json.write_text(json.dumps({"summary": figures, "rows": list(rows.values())}, indent=1) + "\n")


if __name__ == "__main__":
    main()
