"""Speed of scoring pairs of scripts, compared with the official evaluator's work, and growth with their number.

    python bench/score.py [--workers 2] [--count 10] [--repeats 10] [--sizes 100 1000] [--scripts FOLDER] [--json FILE]

A pair is a script and the next one of the list: by default `count` gallery scripts of about 50 lines, each pair
`repeats` times under other names. `cold` traces both sides. `cached` traces only the generated side, which is the cost
of scoring a second policy. Both include the start of the sandbox.

The official evaluator is not part of this project, so a stand-in replaces it. For each pair it starts ten new
interpreters, five per side, as the original does (metrics_spec T10): one plain run, then one each for text, layout,
type and colour, with the wrappers of our tracer. It leaves out the original's scoring, so the ratios are conservative.
CPU seconds are compared, for both in one run over the same scripts, so that a busy machine slows both equally.

`growth` scores many small pairs of 50 true scripts: CPU time per pair and the peak memory of the scoring process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from rrvf.benchmarks.chartmimic import LIMITS, score_folder
from rrvf.data.gallery import refused_by_code, scripts
from rrvf.render import Renderer
from rrvf.render.zygote import plot_python

Result = TypeVar("Result")
SANDBOX = Path(__file__).parents[1] / "rrvf" / "render" / "sandbox"
#: One interpreter of the stand-in: `python -c RUN METRIC SCRIPT`, in its own folder.
RUN = f"""
import re, runpy, sys
metric, path = sys.argv[1:]
code = re.sub(r"plt\\.(savefig|show)\\(.*", "", open(path).read(), flags=re.DOTALL).strip()
open(path, "w").write(code + "\\nplt.savefig('figure.pdf')\\n")
if metric != "exec":
    sys.path.insert(0, {str(SANDBOX)!r})
    import matplotlib.pyplot as plt
    from trace import _log_texts, layout_items
    from trace_calls import CallTrace
    from trace_colors import ColorTrace
    traces = {{"type": CallTrace, "color": ColorTrace}}
    if metric == "text":
        _log_texts([])
    elif metric in traces:
        traces[metric](named=False, protocol="official").install()
runpy.run_path(path, run_name="__main__")
if metric == "layout":
    layout_items(plt.gcf().axes)
"""
GROWTH = """
import resource, sys
from pathlib import Path
from rrvf.benchmarks.chartmimic import score_folder
folder = Path(sys.argv[1])
score_folder(folder, folder / "out.json", workers=int(sys.argv[2]), cache=folder / "cache", progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def typical(folder: Path | None, count: int) -> list[str]:
    """A seeded choice of scripts that run: from a folder, or from the gallery's scripts of 40 to 60 lines."""
    paths = sorted(folder.rglob("*.py")) if folder else scripts()
    codes = [path.read_text() for path in paths]
    if not folder:
        codes = [code for code in codes if 40 <= code.count("\n") <= 60 and not refused_by_code(code)]
    random.Random(0).shuffle(codes)
    with Renderer("chart", 2, LIMITS) as renderer:
        return list(islice((code for code in codes if renderer.render(code, "fixed").ok), count))


def write_pairs(folder: Path, codes: list[str], repeats: int = 1) -> None:
    """Write each script and the next as a pair. A repeated true script gets a unique comment, so it is traced again."""
    for r in range(repeats):
        for i, code in enumerate(codes):
            (folder / f"pair_{r}_{i:05}.gt.py").write_text(f"{code}\n# {r}\n" if r else code)
            (folder / f"pair_{r}_{i:05}.gen.py").write_text(codes[(i + 1) % len(codes)])


def cost(work: Callable[[], Result]) -> tuple[float, float, Result]:
    """Wall and CPU seconds of `work` and of all its child processes that ended, and its result."""
    start, before = time.perf_counter(), _processor()
    result = work()
    return time.perf_counter() - start, _processor() - before, result


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def standin(codes: list[str]) -> None:
    """Run the stand-in's five interpreters for each script, which is half a pair."""
    fonts = plot_python().parents[1] / ".mplconfig"
    environment = {"PATH": os.environ["PATH"], "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg", "MPLCONFIGDIR": fonts}
    for code in codes:
        for metric in ("exec", "text", "layout", "type", "color"):
            with tempfile.TemporaryDirectory() as folder:
                script = Path(folder, "script.py")
                script.write_text(code)
                command = [plot_python(), "-c", RUN, metric, script]
                subprocess.run(command, cwd=folder, env=environment, capture_output=True)


def speed(codes: list[str], repeats: int, workers: int) -> dict[str, float]:
    """Seconds per pair of our scoring, cold and cached, measured between the two halves of the stand-in's work."""
    half, n = len(codes) // 2, len(codes) * repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pairs(folder, codes, repeats)
        score = lambda: score_folder(folder, folder / "out.json", workers=workers, cache=folder / "cache")  # noqa: E731
        _, first, _ = cost(lambda: standin(codes[:half]))
        (cold_wall, cold, _), (cached_wall, cached, _) = cost(score), cost(score)
        _, second, _ = cost(lambda: standin(codes[half:]))
    official = 2 * (first + second) / len(codes)
    return {
        "pairs": n,
        "workers": workers,
        "cold_pairs_per_s": round(n / cold_wall, 2),
        "cached_pairs_per_s": round(n / cached_wall, 2),
        "cold_cpu_s_per_pair": round(cold / n, 4),
        "cached_cpu_s_per_pair": round(cached / n, 4),
        "standin_cpu_s_per_pair": round(official, 3),
        "cold_times_faster": round(official / (cold / n), 1),
        "cached_times_faster": round(official / (cached / n), 1),
    }


def growth(size: int, workers: int) -> dict[str, float]:
    """Seconds per pair and peak memory for `size` pairs of short scripts, in a new process."""
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2, {}])\nplt.title('growth')\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pairs(folder, [code.format(i % 50) for i in range(size)])
        command = [sys.executable, "-c", GROWTH, folder, str(workers)]
        run = partial(subprocess.run, command, check=True, stdout=subprocess.PIPE, text=True)
        wall, processor, done = cost(run)
    return {"pairs": size, "seconds": round(wall, 1), "cpu_ms_per_pair": round(1e3 * processor / size, 1),
            "peak_mb": round(float(done.stdout))}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scripts", type=Path)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {"load": round(os.getloadavg()[0], 1)}
    found["speed"] = speed(typical(options.scripts, options.count), options.repeats, options.workers)
    print(json.dumps(found), flush=True)
    found["growth"] = []
    for size in options.sizes:
        found["growth"].append(growth(size, options.workers))
        print(json.dumps(found["growth"][-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
