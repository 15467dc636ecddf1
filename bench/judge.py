"""Speed of the embedded judge by picture size, compared with SSIM of the same pair, and over HTTP.

Prints one JSON object.

Judge and SSIM alternate on each pair. `ratio` is the median over the pairs, `max_ms` the slowest pair. `real` are
charts of matplotlib's gallery and pages of npm packages, drawn at 640 x 480.

.venv/bin/python bench/judge.py
"""

from __future__ import annotations

import itertools
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np

from rrvf.benchmarks.pixels import ssim
from rrvf.data.gallery import refused_by_code, scripts
from rrvf.data.npm_pages import in_turn, one_file, pages
from rrvf.domains import Canvas
from rrvf.judge.client import JudgeClient
from rrvf.judge.embedded import judge_pair
from rrvf.judge.local import decode
from rrvf.judge.scenes import draw_chart, draw_page, random_chart, random_page
from rrvf.judge.server import running_server
from rrvf.render import Limits, Renderer

SIZES = ((280, 224), (640, 480))


def pictures(domain: str, size: tuple[int, int], count: int = 24) -> list[np.ndarray]:
    """Pictures of one size, from seeds 0 to count - 1."""
    rngs = [random.Random(i) for i in range(count)]
    if domain == "chart":
        return [draw_chart(replace(random_chart(rng), size=size)) for rng in rngs]
    return [cv2.resize(draw_page(random_page(rng)), size, interpolation=cv2.INTER_AREA) for rng in rngs]


def real_pictures(domain: str, count: int = 16) -> list[np.ndarray]:
    """Pictures of programs of other projects, on a canvas of 640 x 480. Programs that do not run are left out."""
    if domain == "chart":
        found = [text for text in (p.read_text(encoding="utf-8") for p in scripts()[::7]) if not refused_by_code(text)]
    else:
        found = [page for page in (one_file(path, package) for package, path in in_turn(pages(), 0)[:60]) if page]
    with Renderer(domain, 1, Limits(canvas=Canvas(width=640, height=480))) as renderer:
        return [decode(render.png) for render in renderer.render_many(found[:count]) if render.ok]


def timed(call: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def in_process(domain: str, made: list[np.ndarray], repeats: int = 3) -> dict[str, float]:
    """Compare each picture with the next one by judge and SSIM, in this thread. Medians over the repeats."""
    judged, alternative = [], []
    judge_pair(made[0], made[1], domain), ssim(made[0], made[1])
    for a, b in itertools.pairwise(made):
        turns = [(timed(lambda: judge_pair(a, b, domain)), timed(lambda: ssim(a, b))) for _ in range(repeats)]  # noqa: B023
        judged.append(statistics.median(one for one, _ in turns))
        alternative.append(statistics.median(two for _, two in turns))
    ratio = statistics.median(one / two for one, two in zip(judged, alternative, strict=True))
    return quantiles(judged) | {"ssim_ms": round(statistics.median(alternative), 2), "ratio": round(ratio, 2)}


def quantiles(times: list[float]) -> dict[str, float]:
    """Median and maximum."""
    return {"p50_ms": round(statistics.median(times), 2), "max_ms": round(max(times), 2)}


def over_http(callers: int = 8) -> dict[str, float]:
    """Scores of 280 x 224 charts, requested by `callers` threads from a server with two threads and no cache."""
    pngs = [cv2.imencode(".png", picture[..., ::-1])[1].tobytes() for picture in pictures("chart", SIZES[0])]
    pairs = list(itertools.pairwise(pngs)) * 4
    with running_server() as url, JudgeClient(url) as client, ThreadPoolExecutor(callers) as pool:
        client.score(*pairs[0], "chart")
        alone = quantiles([timed(lambda p=p: client.score(*p, "chart")) for p in pairs[:23]])
        seconds = timed(lambda: list(pool.map(lambda p: client.score(*p, "chart"), pairs))) / 1000
    return alone | {"per_second": round(len(pairs) / seconds, 1), "callers": callers}


def main() -> None:
    """All measurements."""
    names = [(domain, size) for domain in ("chart", "web") for size in SIZES]
    result = {f"{domain} {size[0]}x{size[1]}": in_process(domain, pictures(domain, size)) for domain, size in names}
    result |= {f"{domain} real 640x480": in_process(domain, real_pictures(domain)) for domain in ("chart", "web")}
    load = {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    print(json.dumps(load | result | {"http chart 280x224": over_http()}, indent=1))


if __name__ == "__main__":
    main()
