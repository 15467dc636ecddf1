"""Pages: HTML in, a screenshot out, by Playwright and Chromium (Fig. 2c step 1, web interfaces).

Covered
- network: every request is answered from memory or refused, and the browser runs in an empty network namespace
- no script, unless `Limits.javascript`; no popup, download or service worker; no second navigation
- a new document per page, opened ahead, at an address that the browser has never seen. Pages with scripts, pages after
  a failure or a page of much memory, and every `CONTEXT_PAGES`-th page get a new context, so no state passes from one
  page to the next
- moving pages are stopped at one defined moment (see `web_still`)
- a new browser after a crash and after a page that hung
- limits on wall time, memory of the browser's process tree, code, embedded pictures and picture size, enforced from
  outside
- Chromium's own sandbox is on, also for root

Not covered
- a flaw in Chromium: the browser can read files of the machine as a user without rights
- a page that draws the target from markup (thousands of coloured boxes): only its length, plain and compressed, is
  bounded
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Literal, Self

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

from rrvf.errors import HarnessError, UserError
from rrvf.protocol import sanitize
from rrvf.records import Render
from rrvf.render.browser import VIEWPORT, Blank, Chromium
from rrvf.render.limits import Failure, Limits
from rrvf.render.pasted import page_share
from rrvf.render.web_blocks import OFFSETS, RECOLOUR, TAGS, Text, text_blocks
from rrvf.render.web_checks import check_code, check_picture
from rrvf.render.web_requests import ADDRESS
from rrvf.render.web_still import stand_still, still
from rrvf.render.web_styles import without_digests

WebTrace = Literal["blocks"]
#: The screenshots and texts of a page. Under a trace, two recoloured screenshots follow the first; else there are no
#: texts.
Drawn = tuple[list[bytes], list[Text]]
_WATCH_S = 0.2
_ADDRESS = re.compile(re.escape(ADDRESS) + r"(\?\w+)?")
_BROWSER_FAILED = ("crash", "navigation")
#: With scripts on, a page's clock starts at this second and runs forward this many milliseconds after the page has
#: loaded. So its timers fire equally often on every machine.
_CLOCK_S, _CLOCK_MS = 60, 3000


class WebRenderer:
    """A pool of `workers` browsers. Thread-safe. It has its own event loop, so it works inside a running one."""

    #: A page that every working browser can draw.
    _control = "<p>text"

    def __init__(self, workers: int = 1, limits: Limits = Limits()) -> None:
        self.limits = limits
        self._closed = False
        self._closing = threading.Lock()
        self._rendering: set[asyncio.Task] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rrvf-web", daemon=True)
        self._thread.start()
        self._all = [Chromium(limits) for _ in range(workers)]
        self._idle: asyncio.Queue[Chromium] = asyncio.Queue()
        self._submit(self._start()).result()

    def render(self, code: str, trace: WebTrace | None = None) -> Render:
        """The screenshot of a page, or the typed reason for its failure.

        With trace "blocks" (only without scripts), `items["blocks"]` holds the page's text blocks, see `web_blocks`.
        The status is `harness_error` if Chromium does not start, or fails on a control page too, or if the renderer is
        closed meanwhile. UserError for a trace with scripts on.
        """
        with contextlib.suppress(CancelledError):
            return self._submit(self._render(code, trace)).result()
        return Render(status="harness_error", message="the renderer was closed")

    async def arender(self, code: str, trace: WebTrace | None = None) -> Render:
        """`render` for coroutines. Cancelling the task stops the page."""
        return await asyncio.wrap_future(self._submit(self._render(code, trace)))

    def close(self) -> None:
        """End every browser. Safe to call twice."""
        with self._closing:
            if self._closed:
                return
            stopped = asyncio.run_coroutine_threadsafe(self._stop(), self._loop)
            self._closed = True
        stopped.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit(self, work: Coroutine) -> Future:
        """Run a coroutine in the loop. Raises CancelledError once the renderer is closed, as nothing would run it."""
        with self._closing:
            if not self._closed:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise CancelledError

    async def _start(self) -> None:
        for browser in self._all:
            browser.prepare()
            self._idle.put_nowait(browser)

    async def _stop(self) -> None:
        for browser in self._all:
            browser.retire()
        for task in self._rendering:
            task.cancel()
        await asyncio.gather(*self._rendering, return_exceptions=True)
        await asyncio.gather(*(browser.stop() for browser in self._all))
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _render(self, code: str, trace: WebTrace | None) -> Render:
        if trace and self.limits.javascript:
            raise UserError("blocks of text are measured without scripts: leave Limits.javascript off")
        code = code.encode(errors="replace").decode("utf-8-sig")  # replaces lone surrogates, drops a byte order mark
        started = time.monotonic()
        browser: Chromium | None = None
        self._rendering.add(task := asyncio.current_task())
        try:
            await asyncio.to_thread(self._check, code)
            checked = time.monotonic() - started
            browser = await self._idle.get()
            blank = await _ready(browser)
            started = time.monotonic() - checked  # the wait for a browser does not count
            shots, texts = await self._drawn(browser, blank, code, trace)
            height, width = await asyncio.to_thread(check_picture, shots[0], self.limits)
            items = {"blocks": await asyncio.to_thread(text_blocks, texts, *shots)} if trace else None
            pasted = await asyncio.to_thread(self._share, code, shots[0])
            fields = {"status": "ok", "width": width, "height": height, "png": shots[0], "items": items}
            fields |= {"pasted_share": pasted, "message": sanitize(blank.requests.unstyled())[:300]}
        except Failure as failure:
            fields = {"status": "render_error", "reason": failure.reason, "message": sanitize(failure.message)[:300]}
        except HarnessError as error:
            fields = {"status": "harness_error", "message": f"the browser failed: {error}"[:300]}
        finally:
            self._rendering.discard(task)
            if browser:
                self._idle.put_nowait(browser)
        return Render(seconds=time.monotonic() - started, **fields)

    def _check(self, code: str) -> None:
        check_code(code, self.limits)

    def _share(self, code: str, png: bytes) -> float:
        return page_share(code, png)

    async def _drawn(self, browser: Chromium, blank: Blank, code: str, trace: WebTrace | None) -> Drawn:
        """The screenshots and texts. A page that crashed its browser or could not be loaded is tried once more.

        Raises HarnessError if that fails too and the browser cannot draw a control page either: then the failure is not
        this page's fault.
        """
        try:
            return await self._watched(browser, blank, code, trace)
        except Failure as failure:
            if failure.reason not in _BROWSER_FAILED:
                raise
        try:
            return await self._watched(browser, await _ready(browser), code, trace)
        except Failure as failure:
            if failure.reason in _BROWSER_FAILED:
                await self._check_browser(browser)
            raise

    async def _check_browser(self, browser: Chromium) -> None:
        try:
            await self._watched(browser, await _ready(browser), self._control, None)
        except Failure as failure:
            raise HarnessError(f"Chromium draws no page ({failure.message}): run `rrvf doctor`") from None

    async def _watched(self, browser: Chromium, blank: Blank, code: str, trace: WebTrace | None) -> Drawn:
        """The screenshots and texts. If time or memory runs out, the browser is killed at once."""
        started, most_mb, reuse = time.monotonic(), 0.0, False
        work = asyncio.create_task(self._shoot(blank, code, trace))
        try:
            while not work.done():
                await asyncio.wait([work], timeout=_WATCH_S)
                if not work.done():
                    most_mb = max(most_mb, self._check_bounds(browser, started))
            drawn = work.result()
            reuse = not self.limits.javascript and most_mb < self.limits.memory_mb / 2
            return drawn
        except PlaywrightError as error:
            gone = any(word in str(error) for word in ("closed", "crashed", "Connection"))
            raise Failure("crash" if gone else "navigation", _first_line(error)) from None
        finally:
            if not work.done():
                browser.kill()
                work.cancel()
            browser.done(blank, reuse)

    def _check_bounds(self, browser: Chromium, started: float) -> float:
        """The memory that the page uses, in MB. Raises Failure if it exceeds its memory or time limit."""
        if time.monotonic() - started > self.limits.wall_s:
            raise Failure("timeout", f"the page was not drawn within {self.limits.wall_s:g} s")
        memory_mb = browser.memory_mb() - browser.idle_mb
        if memory_mb > self.limits.memory_mb:
            raise Failure("memory", f"the page needed more than {self.limits.memory_mb} MB")
        return memory_mb

    async def _shoot(self, blank: Blank, code: str, trace: WebTrace | None) -> Drawn:
        """The screenshot and, under a trace, two screenshots with recoloured text and the texts."""
        page = blank.page
        blank.requests.begin(code)
        if self.limits.javascript:
            await page.clock.install(time=0)
            await page.clock.pause_at(_CLOCK_S)
        await _load(page, await asyncio.to_thread(lambda: still(without_digests(code))))
        if self.limits.javascript:
            await page.clock.run_for(_CLOCK_MS)
        await stand_still(page, code)
        shots = [await self._screenshot(blank)]
        texts: list[Text] = []
        if trace:
            for offset in OFFSETS:
                found = await page.evaluate(RECOLOUR, [TAGS, offset])
                texts = texts or found  # recolouring overwrites the page's own colours
                shots.append(await self._screenshot(blank))
        return shots, texts

    async def _screenshot(self, blank: Blank) -> bytes:
        full = (self.limits.canvas or VIEWPORT).full_page
        if full:
            await self._check_size(blank)
        return await blank.page.screenshot(full_page=full, animations="disabled", caret="hide", timeout=0)

    async def _check_size(self, blank: Blank) -> None:
        """Raise Failure for a page that is too large, before it is drawn. Scripts cannot forge this measure."""
        size = (await blank.session.send("Page.getLayoutMetrics"))["cssContentSize"]
        if size["width"] * size["height"] > self.limits.max_pixels:
            shown = f"{size['width']}x{size['height']}"
            raise Failure("limit", f"the page is {shown} pixels, more than {self.limits.max_pixels} in all")


async def _ready(browser: Chromium) -> Blank:
    """The page that was opened ahead. Raises HarnessError if there is none: no untrusted code has run in it yet."""
    try:
        return await browser.page()
    except Exception as error:
        raise HarnessError(_first_line(error)) from None


async def _load(page: Page, code: str) -> None:
    """Write the page and wait until it is complete. A page whose scripts tried to leave it never reports `load`."""
    loading = asyncio.create_task(page.set_content(code, wait_until="load", timeout=0))
    try:
        while not (await asyncio.wait([loading], timeout=_WATCH_S))[0]:
            if await page.evaluate("document.readyState") == "complete":
                return
        loading.result()
    finally:
        loading.cancel()


def _first_line(error: Exception) -> str:
    return _ADDRESS.sub("the page", (str(error).strip().splitlines() or [type(error).__name__])[0])
