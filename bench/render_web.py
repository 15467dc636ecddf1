"""What a page costs: warm and in a fresh context, or with a browser started for it; wall and processor time.

    python bench/render_web.py [--count 100] [--workers 1] [--json FILE]

Three kinds of pages: generated ones on the small canvas of the nano profile, the same with a Tailwind stylesheet and a
picture as WebSight's have, and the real pages of npm packages, full page at 1280. Processor time is that of the browser,
its helpers and its driver, and of this process; it does not depend on who else uses the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import psutil

from rrvf.data.generated.pages import generate
from rrvf.data.npm_pages import in_turn, one_file, pages
from rrvf.domains import NANO_CANVAS
from rrvf.render import Limits
from rrvf.render.web import WebRenderer

_TAILWIND = """<link href="https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css" rel="stylesheet">
<body class="bg-gray-100"><header class="bg-blue-600 text-white p-4 flex justify-between"><b>Shop {0}</b>
<a class="hover:underline">About</a></header><main class="grid md:grid-cols-2 gap-4 p-6">
<img class="rounded-lg shadow" src="https://source.unsplash.com/random/300x200/?food{0}"><div class="text-xl font-bold">Fresh
<p class="text-sm text-gray-600">All days of the week, number {0}.</p></div></main></body>"""


def real_pages() -> Iterator[str]:
    """The pages of the npm packages that are usable, as one file each."""
    return (code for package, path in in_turn(pages(), 0) if (code := one_file(path, package)))


def measure(codes: list[str], limits: Limits, workers: int) -> dict[str, float]:
    """Median and 90th percentile of a page's wall time one by one (ms), processor time (ms), pages a second in parallel."""
    with WebRenderer(workers, limits) as renderer:
        renderer.render(codes[0])
        before = processor_seconds()
        seconds = [_timed(renderer, code) for code in codes]
        spent = processor_seconds() - before
        start = time.perf_counter()
        renderer.render_many(codes)
        rate = len(codes) / (time.perf_counter() - start)
    cuts = statistics.quantiles(seconds, n=10)
    return {
        "pages": len(codes),
        "median_ms": 1e3 * cuts[4],
        "p90_ms": 1e3 * cuts[8],
        "processor_ms": 1e3 * spent / len(codes),
        "per_second": rate,
    }


def _timed(renderer: WebRenderer, code: str) -> float:
    start = time.perf_counter()
    render = renderer.render(code)
    if not render.ok:
        raise SystemExit(f"a page does not render: {render.reason} {render.message}")
    return time.perf_counter() - start


def cold(codes: list[str], limits: Limits) -> dict[str, float]:
    """Median wall time (ms) with a browser started for each page."""
    seconds = []
    for code in codes:
        start = time.perf_counter()
        with WebRenderer(1, limits) as renderer:
            renderer.render(code)
            seconds.append(time.perf_counter() - start)
    return {"pages": len(codes), "median_ms": 1e3 * statistics.median(seconds)}


def processor_seconds() -> float:
    """Of this process and all its descendants."""
    me = psutil.Process()
    total = 0.0
    for process in [me, *me.children(recursive=True)]:
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    small, full = Limits(canvas=NANO_CANVAS, wall_s=60), Limits(wall_s=60)
    generated = [generate(seed) for seed in range(options.count)]
    rows = {
        "generated": measure(generated, small, options.workers),
        "tailwind": measure([_TAILWIND.format(n) for n in range(options.count)], small, options.workers),
        "real": measure(list(islice(real_pages(), max(10, options.count // 4))), full, options.workers),
        "generated, cold": cold(generated[:5], small),
    }
    for name, row in rows.items():
        print(f"{name:16} " + "  ".join(f"{key} {value:.1f}" for key, value in row.items()))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
