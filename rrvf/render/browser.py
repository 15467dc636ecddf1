"""One Chromium of one worker: started without a network, watched from outside, killed and started again when it hangs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from pathlib import Path

import psutil
from playwright.async_api import Browser, BrowserContext, Page, Playwright

from rrvf.chromium import find_chromium
from rrvf.render.limits import Limits

WRAPPER = Path(__file__).parent / "chromium-without-network.sh"
#: Root's browser runs as this user, beside those of the chart sandbox.
BROWSER_UID = "61900"
#: A browser is replaced after so many pages: its memory creeps.
PAGES = 200


class Chromium:
    """A browser that has the next page open before it is asked for. Not for several tasks at once."""

    def __init__(self, playwright: Playwright, limits: Limits) -> None:
        self._playwright, self._limits = playwright, limits
        self._browser: Browser | None = None
        self._next: asyncio.Task[Page] | None = None
        self._pages = 0
        self._mark = ""

    async def page(self) -> Page:
        """A page in a context that no other page has seen."""
        if self._browser is None or not self._browser.is_connected() or self._pages >= PAGES:
            await self.stop()
            await self._start()
        self._pages += 1
        ready, self._next = self._next or asyncio.create_task(self._open()), None
        return await ready

    async def done(self, page: Page) -> None:
        """Throw a page's context away and open the next one meanwhile."""
        self._next = asyncio.create_task(self._open())
        with contextlib.suppress(Exception):
            await page.context.close()

    async def _start(self) -> None:
        self._mark = f"--rrvf-worker={uuid.uuid4().hex}"
        self._browser = await self._playwright.chromium.launch(
            executable_path=str(WRAPPER),
            chromium_sandbox=True,
            args=[self._mark, "--disable-gpu", "--hide-scrollbars", "--font-render-hinting=none"],
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOME": "/nonexistent",
                "RRVF_CHROMIUM": find_chromium(),
                "RRVF_BROWSER_UID": BROWSER_UID,
            },
        )
        self._pages = 0

    async def _open(self) -> Page:
        canvas = self._limits.canvas
        viewport = {"width": canvas.width, "height": canvas.height} if canvas else {"width": 1280, "height": 720}
        context: BrowserContext = await self._browser.new_context(
            viewport=viewport,
            device_scale_factor=1,
            java_script_enabled=self._limits.javascript,
            service_workers="block",
            accept_downloads=False,
            reduced_motion="reduce",
            locale="en-US",
            timezone_id="UTC",
        )
        page = await context.new_page()
        context.on("page", lambda extra: asyncio.ensure_future(extra.close()))
        return page

    def memory_mb(self) -> float:
        """Resident memory of the browser and all its helpers."""
        total = 0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        return total / 2**20

    def kill(self) -> None:
        """End the whole tree at once; the browser need not agree."""
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _processes(self) -> list[psutil.Process]:
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if self._mark and self._mark in child.cmdline() and "--type=" not in " ".join(child.cmdline()):
                    return [*child.children(recursive=True), child]
        return []

    async def stop(self) -> None:
        """Close the browser, by force if it does not answer."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._browser is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._browser.close(), 3)
            self.kill()
            self._browser = None
