"""Pages: HTML in, a screenshot out, by Playwright and Chromium (Fig. 2c step 1, web interfaces).

Covered
- no network: every request is answered from memory or refused, and the browser lives in an empty network namespace
- no script, unless `Limits.javascript`; no popup, download, service worker; no second navigation
- a fresh context per page, a fresh browser every so many pages, after a crash and after a page that hung
- bounds on wall time, memory of the browser tree, code, embedded data and picture size, kept from outside the browser
- Chromium's own sandbox is on, also for root

Not covered
- a flaw in Chromium: it reads files of the machine as a user without rights
- a page that draws the target from markup (thousands of coloured boxes): the code limit bounds it, no more
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Self

import cv2
import numpy as np
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Playwright, async_playwright

from rrvf.protocol import sanitize
from rrvf.records import Render, RenderReason
from rrvf.render.browser import Chromium
from rrvf.render.limits import Limits
from rrvf.render.web_requests import ADDRESS, Requests

_DATA_URI = re.compile(r"data:[\w/+.-]*[;,][^\s'\")>]*")
_WATCH_S = 0.2


class Failure(Exception):
    """A page that gave no picture."""

    def __init__(self, reason: RenderReason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class WebRenderer:
    """A pool of `workers` browsers. Thread-safe; works inside a running event loop, since it has one of its own."""

    def __init__(self, workers: int = 1, limits: Limits = Limits()) -> None:
        self.limits = limits
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rrvf-web", daemon=True)
        self._thread.start()
        self._closed = False
        self._playwright: Playwright | None = None
        try:
            self._submit(self._start(workers)).result()
        except BaseException:
            self.close()
            raise

    async def _start(self, workers: int) -> None:
        self._playwright = await async_playwright().start()
        self._all = [Chromium(self._playwright, self.limits) for _ in range(workers)]
        self._idle: asyncio.Queue[Chromium] = asyncio.Queue()
        for browser in self._all:
            self._idle.put_nowait(browser)

    def render(self, code: str) -> Render:
        """The screenshot of a page, or the typed reason why there is none."""
        return self._submit(self._render(code)).result()

    def render_many(self, codes: list[str]) -> list[Render]:
        """Render all `codes`, one per browser at a time; results in their order."""
        return [job.result() for job in [self._submit(self._render(code)) for code in codes]]

    def close(self) -> None:
        """End every browser; safe to call twice."""
        if not self._closed:
            self._closed = True
            if self._playwright is not None:
                self._submit(self._stop()).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit(self, work: Coroutine) -> Future:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _stop(self) -> None:
        for browser in self._all:
            await browser.stop()
        await self._playwright.stop()

    async def _render(self, code: str) -> Render:
        browser = await self._idle.get()
        started = time.monotonic()
        try:
            check_code(code, self.limits)
            png = await self._watched(browser, code)
            height, width = check_picture(png, self.limits)
            return Render(status="ok", seconds=time.monotonic() - started, width=width, height=height, png=png)
        except Failure as failure:
            return Render(
                status="render_error",
                reason=failure.reason,
                message=sanitize(failure.message)[:300],
                seconds=time.monotonic() - started,
            )
        finally:
            self._idle.put_nowait(browser)

    async def _watched(self, browser: Chromium, code: str) -> bytes:
        """The screenshot, unless time or memory runs out first: then the browser is killed, whatever it is doing."""
        work = asyncio.create_task(self._shoot(browser, code))
        deadline = time.monotonic() + self.limits.wall_s
        while not work.done():
            await asyncio.wait([work], timeout=_WATCH_S)
            late = time.monotonic() > deadline
            if not work.done() and (late or browser.memory_mb() > self.limits.memory_mb):
                browser.kill()
                work.cancel()
                with contextlib.suppress(BaseException):
                    await work
                await browser.stop()
                if late:
                    raise Failure("timeout", f"the page was not drawn within {self.limits.wall_s:g} s")
                raise Failure("memory", f"the page needed more than {self.limits.memory_mb} MB")
        return work.result()

    async def _shoot(self, browser: Chromium, code: str) -> bytes:
        try:
            page = await browser.page()
        except PlaywrightError as error:
            raise Failure("crash", f"the browser did not start: {_first_line(error)}") from None
        try:
            await page.route("**/*", Requests(code).answer)
            await page.goto(ADDRESS, wait_until="load")
            return await self._screenshot(page)
        except PlaywrightError as error:
            reason = "crash" if "closed" in str(error) or "crashed" in str(error) else "navigation"
            raise Failure(reason, _first_line(error)) from None
        finally:
            await browser.done(page)

    async def _screenshot(self, page: Page) -> bytes:
        full = self.limits.canvas is None or self.limits.canvas.full_page
        if full:
            size = await page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            if size[0] * size[1] > self.limits.max_pixels:
                raise Failure("limit", f"the page is {size[0]}x{size[1]} pixels, more than {self.limits.max_pixels} in all")
        timeout = 1000 * self.limits.wall_s
        return await page.screenshot(full_page=full, animations="disabled", caret="hide", timeout=timeout)


def check_code(code: str, limits: Limits) -> None:
    """Refuse a page that is too large, or that pastes pictures in, before a browser sees it."""
    if len(code.encode()) > limits.code_bytes:
        raise Failure("limit", f"the page is longer than {limits.code_bytes} bytes")
    embedded = sum(len(match) for match in _DATA_URI.findall(code))
    if embedded > limits.literal_bytes:
        raise Failure("limit", f"the page embeds {embedded} bytes of data: URIs, more than {limits.literal_bytes}")


def check_picture(png: bytes, limits: Limits) -> tuple[int, int]:
    """Height and width of a screenshot that shows something."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise Failure("crash", "the browser gave no picture")
    height, width = picture.shape[:2]
    if height * width > limits.max_pixels:
        raise Failure("limit", f"the picture is {width}x{height} pixels, more than {limits.max_pixels} in all")
    if (picture == picture[0, 0]).all():
        raise Failure("blank", "the page is one flat colour")
    return height, width


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].replace(ADDRESS, "the page")
