"""What isolation costs: a sandboxed render against `exec` and `savefig` in one warm process, and against `python FILE`.

    python bench/render_chart.py --scripts .cache/assets/matplotlib-3.8.4/galleries --count 100 [--json FILE]

The three ways take turns on each script, so that a busy machine slows all of them alike. Only scripts that all three
render count. The ratio of a script is that of its medians over the repeats.
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
from collections.abc import Callable
from pathlib import Path

from rrvf.render.chart import ChartRenderer
from rrvf.render.zygote import plot_python

#: Reads one JSON string of code a line, answers with the seconds of exec and savefig, or null.
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
    """One process that execs script after script, with no isolation at all."""

    def __init__(self, folder: str) -> None:
        self._process = subprocess.Popen(
            [plot_python(), "-c", WARM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        )

    def seconds(self, code: str) -> float | None:
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline() or "null")

    def close(self) -> None:
        self._process.communicate()


def cold_seconds(code: str, folder: str) -> float | None:
    """`python script.py` with a last line that saves."""
    script = Path(folder) / "script.py"
    script.write_text(code + "\nimport matplotlib.pyplot as plt\nplt.gcf().savefig('out.png', dpi=100)\n")
    start = time.perf_counter()
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run([plot_python(), script], cwd=folder, capture_output=True, env=environment, check=False)
    return time.perf_counter() - start if done.returncode == 0 else None


def measure(codes: list[str], repeats: int, workers: int) -> list[dict[str, float]]:
    """Median seconds per script by `warm`, `sandbox` and `cold`; scripts that fail in any way are left out."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, ChartRenderer(workers) as engine:
        warm = Warm(folder)
        ways: dict[str, Callable[[str], float | None]] = {
            "warm": warm.seconds,
            "sandbox": lambda code: r.seconds if (r := engine.render(code)).ok else None,
            "cold": lambda code: cold_seconds(code, folder),
        }
        for done, code in enumerate(codes, 1):
            times = {name: [way(code) for _ in range(1 if name == "cold" else repeats)] for name, way in ways.items()}
            if all(None not in t for t in times.values()):
                rows.append({name: statistics.median(t) for name, t in times.items()})
            print(f"\r{done}/{len(codes)}", end="", file=sys.stderr)
        warm.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scripts", type=Path, default=Path(".cache/assets/matplotlib-3.8.4/galleries"))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    paths = sorted(options.scripts.rglob("*.py"))
    random.Random(0).shuffle(paths)
    rows = measure([p.read_text() for p in paths[: options.count]], options.repeats, workers=1)
    summary = {"scripts": len(rows), **{f"{n}_ms": 1e3 * statistics.median(r[n] for r in rows) for n in rows[0]}}
    for name in ("sandbox", "cold"):
        summary[f"{name}_over_warm"] = statistics.median(r[name] / r["warm"] for r in rows)
    print("\n" + json.dumps({k: round(v, 3) for k, v in summary.items()}))
    if options.json:
        options.json.write_text(json.dumps({"summary": summary, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
