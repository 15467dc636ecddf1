"""How long the embedded judge takes: in process per picture size, and over HTTP. Prints one JSON object.

Wall time means little on a busy machine; `cpu_ms` is the thread's own processor time, and `load` says how busy it was.

.venv/bin/python bench/judge.py
"""

from __future__ import annotations

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

from rrvf.judge.client import JudgeClient
from rrvf.judge.embedded import judge_pair
from rrvf.judge.scenes import draw_chart, draw_page, random_chart, random_page
from rrvf.judge.server import running_server

SIZES = ((280, 224), (640, 480))


def pictures(domain: str, size: tuple[int, int], count: int = 24) -> list[np.ndarray]:
    """Pictures of one size, from seeds 0 to count - 1."""
    rngs = [random.Random(i) for i in range(count)]
    if domain == "chart":
        return [draw_chart(replace(random_chart(rng), size=size)) for rng in rngs]
    return [cv2.resize(draw_page(random_page(rng)), size, interpolation=cv2.INTER_AREA) for rng in rngs]


def timed(call: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def quantiles(times: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {"p50_ms": round(statistics.median(times), 2), "p95_ms": round(float(np.quantile(times, 0.95)), 2)}


def in_process(domain: str, size: tuple[int, int]) -> dict[str, float]:
    """One pair after another, in this thread."""
    made = pictures(domain, size)
    pairs = list(zip(made, made[1:], strict=False))
    judge_pair(*pairs[0], domain)
    before = time.thread_time()
    wall = quantiles([timed(lambda p=p: judge_pair(*p, domain)) for p in pairs * 2])
    return wall | {"cpu_ms": round((time.thread_time() - before) * 1000 / len(pairs) / 2, 2)}


def over_http(callers: int = 8) -> dict[str, float]:
    """Score requests of `callers` threads to a server of two threads, charts of 280 x 224, no cache."""
    pngs = [cv2.imencode(".png", picture[..., ::-1])[1].tobytes() for picture in pictures("chart", SIZES[0])]
    pairs = list(zip(pngs, pngs[1:], strict=False)) * 4
    with running_server() as url, JudgeClient(url) as client, ThreadPoolExecutor(callers) as pool:
        client.score(*pairs[0], "chart")
        alone = quantiles([timed(lambda p=p: client.score(*p, "chart")) for p in pairs[:23]])
        seconds = timed(lambda: list(pool.map(lambda p: client.score(*p, "chart"), pairs))) / 1000
    return alone | {"per_second": round(len(pairs) / seconds, 1), "callers": callers}


def main() -> None:
    """All measurements."""
    names = [(domain, size) for domain in ("chart", "web") for size in SIZES]
    result = {f"{domain} {size[0]}x{size[1]}": in_process(domain, size) for domain, size in names}
    load = {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    print(json.dumps(load | result | {"http chart 280x224": over_http()}, indent=1))


if __name__ == "__main__":
    main()
