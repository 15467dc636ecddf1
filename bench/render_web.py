"""The cost of isolation for a page: our renderer against other ways to draw it.

    python bench/render_web.py [--count 50] [--pause 0.5] [--small] [--json FILE]

The pages are real ones of npm packages, 1280 wide, full height, without scripts; with `--small` they are generated
pages on the nano canvas, as in the training of a nano policy. The ways:
- ours: each page in a new document at its own address, created in advance; animations are stopped
- reused: one document that is written again for each page, so that a page can affect the next
- fresh_context: a new browser context, which is a process, for each page, created on demand
- launched, launched_full: a new browser for each page: the headless shell and, if there is one, a full Chromium

The ways alternate block by block and run back to back within a block, so that a busy machine slows all of them equally.
There is a pause before each page, as between the renders of a judge. All ways have it, because an idle browser is
slower at first. With `--pause 0` our renderer must wait for the document that it creates in advance. The other ways
have no network namespace, no watchdog and no checks of code and picture, and Chromium's own sandbox is off. All answer
requests from memory and wait for the same load event. A ratio is the median over the pages.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

from playwright.async_api import Browser, Page, Playwright, async_playwright

from rrvf.chromium import find_chromium
from rrvf.data.generated.pages import generate
from rrvf.data.npm_pages import in_turn, one_file, pages
from rrvf.domains import NANO_CANVAS, Canvas
from rrvf.render import Limits
from rrvf.render.browser import ARGUMENTS, VIEWPORT
from rrvf.render.web import WebRenderer
from rrvf.render.web_requests import ADDRESS, Requests

LIMITS = Limits(wall_s=60)
BLOCK = 10
Way = Callable[[str], Awaitable[bytes | None]]


def real_pages(renderer: WebRenderer) -> Iterator[str]:
    """Pages of the npm packages that render, each as one file."""
    codes = (one_file(path, package) for package, path in in_turn(pages(), 0))
    return (code for code in codes if code and renderer.render(code).ok)


async def launch(driver: Playwright, chromium: str) -> Browser:
    return await driver.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))


async def open_page(browser: Browser, canvas: Canvas) -> tuple[Page, Requests]:
    size = {"width": canvas.width, "height": canvas.height}
    context = await browser.new_context(viewport=size, java_script_enabled=False, reduced_motion="reduce")
    requests = Requests()
    await context.route("**/*", requests.answer)
    page = await context.new_page()
    await page.goto(ADDRESS)
    return page, requests


async def draw(page: Page, requests: Requests, code: str) -> bytes:
    requests.begin(code)
    await page.set_content(code, wait_until="load", timeout=0)
    return await page.screenshot(full_page=True, animations="disabled", caret="hide", timeout=0)


def fresh_context(browser: Browser, canvas: Canvas) -> Way:
    """A new context for each page, in the same browser."""

    async def way(code: str) -> bytes:
        page, requests = await open_page(browser, canvas)
        try:
            return await draw(page, requests, code)
        finally:
            await page.context.close()

    return way


def launched(driver: Playwright, chromium: str, canvas: Canvas) -> Way:
    """A new browser for each page, with the same Playwright driver."""

    async def way(code: str) -> bytes:
        browser = await launch(driver, chromium)
        try:
            return await draw(*await open_page(browser, canvas), code)
        finally:
            await browser.close()

    return way


def full_chromium() -> str | None:
    """A Chromium with a user interface, as on most machines and after `playwright install chromium`."""
    return next(filter(None, map(shutil.which, ("google-chrome", "chromium", "chromium-browser"))), None)


async def measure(
    codes: list[str], renderer: WebRenderer, canvas: Canvas, pause_s: float
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of each page by each way, and per way the number of pictures with the same bytes as ours."""

    async def ours(code: str) -> bytes | None:
        return (await renderer.arender(code)).png

    async with async_playwright() as driver:
        browser = await launch(driver, find_chromium())
        page, requests = await open_page(browser, canvas)
        ways: dict[str, Way] = {
            "ours": ours,
            "reused": lambda code: draw(page, requests, code),
            "fresh_context": fresh_context(browser, canvas),
            "launched": launched(driver, find_chromium(), canvas),
        }
        if full := full_chromium():
            ways["launched_full"] = launched(driver, full, canvas)
        await ways["reused"](codes[0])
        pictures, times = await _in_turns(codes, ways, pause_s)
        await browser.close()
    same = {way: sum(a == b for a, b in zip(pictures["ours"], shown, strict=True)) for way, shown in pictures.items()}
    return times, same


async def _in_turns(
    codes: list[str], ways: dict[str, Way], pause_s: float
) -> tuple[dict[str, list], dict[str, list[float]]]:
    pictures: dict[str, list] = {name: [] for name in ways}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for start in range(0, len(codes), BLOCK):
        for name, way in ways.items():
            for code in codes[start : start + BLOCK]:
                await asyncio.sleep(pause_s)
                begun = time.perf_counter()
                pictures[name].append(await way(code))
                times[name].append(time.perf_counter() - begun)
        print(f"\r{min(start + BLOCK, len(codes))}/{len(codes)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return pictures, times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--pause", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument("--small", action="store_true", help="generated pages on the nano canvas")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    canvas = replace(NANO_CANVAS, full_page=True) if options.small else VIEWPORT
    with WebRenderer(1, replace(LIMITS, canvas=canvas)) as renderer:
        found = (generate(n) for n in count()) if options.small else real_pages(renderer)
        codes = list(islice(found, options.count))
        times, same = asyncio.run(measure(codes, renderer, canvas, options.pause))
    summary = {"pages": len(codes), "load": os.getloadavg()[0]}
    summary |= {f"same_picture_{way}": number for way, number in same.items() if way != "ours"}
    summary |= {f"{name}_ms": 1e3 * statistics.median(seconds) for name, seconds in times.items()}
    ratio = lambda a, b: statistics.median(x / y for x, y in zip(times[a], times[b], strict=True))  # noqa: E731
    summary["ours_over_reused"] = ratio("ours", "reused")
    summary |= {f"{name}_over_ours": ratio(name, "ours") for name in times if name not in ("ours", "reused")}
    print(json.dumps({key: round(value, 3) for key, value in summary.items()}))
    if "launched_full" not in times:
        print("no full Chromium on this machine: the headless shell alone was launched per page")
    if options.json:
        options.json.write_text(json.dumps({"summary": summary, "seconds": times}, indent=1) + "\n")


if __name__ == "__main__":
    main()
