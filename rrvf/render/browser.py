"""One worker's Chromium: started without a network, watched from outside, killed and restarted when it hangs.

Each browser has its own Playwright driver, so a page that floods or breaks the driver harms no other worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import NamedTuple

import psutil
from playwright.async_api import Browser, CDPSession, Page, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from rrvf.chromium import find_chromium
from rrvf.domains import Canvas
from rrvf.errors import UserError
from rrvf.folders import closed_folder
from rrvf.render.limits import Limits
from rrvf.render.web_requests import Requests

WRAPPER = Path(__file__).parent / "chromium-without-network.sh"
#: As root, the browser runs as this user. The chart sandbox uses ids from 61000 on.
BROWSER_UID = "61900"
#: Pages per context (a context has its own process) and per browser before it is replaced: both leak memory.
CONTEXT_PAGES, BROWSER_PAGES = 50, 1_000
#: Image animation policy 2 is "no animation": pictures show their first frame. The hover and pointer settings repeat
#: Playwright's own, because Chromium reads this flag only once.
_SETTINGS = (
    "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4,imageAnimationPolicy=2"
)
#: One raster thread and no partial raster give the same bytes each time. Otherwise a few pixels of round corners differ
#: by 1.
ARGUMENTS = (
    f"--blink-settings={_SETTINGS}",
    "--disable-smooth-scrolling",
    "--disable-gpu",
    "--hide-scrollbars",
    "--font-render-hinting=none",
    "--num-raster-threads=1",
    "--disable-partial-raster",
)
VIEWPORT = Canvas(1280, 720, full_page=True)
_START_S, _STOP_S = 120, 10
_PROFILE = "--user-data-dir="


class Blank(NamedTuple):
    """An empty page that code is written into, the handler of its requests, and a CDP session with the browser."""

    page: Page
    requests: Requests
    session: CDPSession


class Chromium:
    """A browser that opens the next page before it is requested. Not for concurrent tasks."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._driver: Playwright | None = None
        self._browser: Browser | None = None
        self._process: psutil.Process | None = None
        self._folders: list[str] = []
        self._next: asyncio.Task[Blank] | None = None
        self._pages = 0
        self._retired = False
        self.idle_mb = 0.0

    def prepare(self) -> None:
        """Start to open the next page, with a new browser if there is none."""
        if self._next is None:
            self._next = asyncio.create_task(self._open())

    async def page(self) -> Blank:
        """The page that was opened ahead. Raises UserError if no browser starts."""
        self.prepare()
        ready = self._next
        await asyncio.wait([ready])  # unlike a plain await, a cancelled caller leaves the task alone
        self._next = None
        blank = ready.result()
        return blank if self._alive() else await self._open()

    def done(self, blank: Blank, reuse: bool) -> None:
        """Start to prepare the next page: a new document in the used context, or in a new context. Does not block."""
        self._pages += 1
        if self._retired:
            return
        again = reuse and self._pages % CONTEXT_PAGES
        self._next = asyncio.create_task(self._visit(blank) if again else self._turn_over(blank))

    def retire(self) -> None:
        """Open no further page ahead: the browser is about to be stopped."""
        self._retired = True

    async def _visit(self, blank: Blank) -> Blank:
        try:
            await asyncio.wait_for(blank.page.goto(blank.requests.visit()), _STOP_S)
        except (PlaywrightError, TimeoutError):
            return await self._turn_over(blank)
        return blank

    async def _turn_over(self, blank: Blank) -> Blank:
        if self._alive():
            with contextlib.suppress(PlaywrightError, TimeoutError):
                await asyncio.wait_for(blank.page.context.close(), _STOP_S)
        return await self._open()

    def _alive(self) -> bool:
        return self._browser is not None and self._browser.is_connected()

    async def _open(self) -> Blank:
        """A new page. A start that fails is tried once more, because a stalled machine may have delayed it.

        No page's code has run here yet. A failure means a full disk, no free descriptors or processes, or a broken
        browser.
        """
        for last in (False, True):
            try:
                return await self._try_open()
            except UserError:
                raise
            except Exception as error:
                await self._end()
                if last:
                    raise UserError(f"Chromium does not start ({_reason(error)}): run `rrvf doctor`") from None
        raise AssertionError

    async def _try_open(self) -> Blank:
        if not self._alive() or self._pages >= BROWSER_PAGES:
            await self._end()
            await self._start()
        return await asyncio.wait_for(self._new_page(), _START_S)

    async def _start(self) -> None:
        mark = f"--rrvf-worker={uuid.uuid4().hex}"
        chromium = find_chromium()
        _check_reachable(chromium)
        self._folders = [tempfile.mkdtemp(prefix="rrvf-browser-", dir=_temporary_folder())]
        os.chmod(self._folders[0], 0o711)
        profile = Path(self._folders[0], "profile")
        profile.mkdir(0o700)
        self._driver = await async_playwright().start()
        self._browser = await self._driver.chromium.launch(
            executable_path=str(WRAPPER),
            chromium_sandbox=True,
            artifacts_dir=self._folders[0],
            timeout=1000 * _START_S,
            args=[mark, *ARGUMENTS],
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOME": "/nonexistent",
                "RRVF_CHROMIUM": chromium,
                "RRVF_PROFILE": str(profile),
                "RRVF_BROWSER_UID": BROWSER_UID,
            },
        )
        self._pages = 0
        self._process = next(p for p in psutil.Process().children(recursive=True) if mark in _arguments(p))
        self._driver_process = self._process.parent()
        profiles = [a.removeprefix(_PROFILE) for a in _arguments(self._process) if a.startswith(_PROFILE)]
        self._folders += [folder for folder in profiles if folder != str(profile)]
        self.idle_mb = self.memory_mb()

    async def _new_page(self) -> Blank:
        canvas = self._limits.canvas or VIEWPORT
        context = await self._browser.new_context(
            viewport={"width": canvas.width, "height": canvas.height},
            device_scale_factor=1,
            java_script_enabled=self._limits.javascript,
            service_workers="block",
            accept_downloads=False,
            reduced_motion="reduce",
            locale="en-US",
            timezone_id="UTC",
        )
        requests = Requests(whole=self._limits.javascript)
        await context.route("**/*", requests.answer)
        page = await context.new_page()
        context.on("page", lambda extra: asyncio.ensure_future(_close(extra)))
        await page.goto(requests.visit())
        session = await context.new_cdp_session(page)
        await session.send("Animation.enable")
        await session.send("Animation.setPlaybackRate", {"playbackRate": 0})  # also for later documents
        return Blank(page, requests, session)

    def memory_mb(self) -> float:
        """Resident memory of the browser, its helper processes and its driver, in MB."""
        total = 0
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        return total / 2**20

    def kill(self) -> None:
        """Kill the browser and its helper processes at once. The next page comes from a new browser."""
        for process in self._tree()[:-1]:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _tree(self) -> list[psutil.Process]:
        """The living helper processes, then the browser, then its driver."""
        if self._process is None:
            return []
        helpers: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            helpers = self._process.children(recursive=True)
        return [*helpers, self._process, self._driver_process]

    async def stop(self) -> None:
        """Close the browser and its driver. Kill them if they do not respond."""
        if self._next is not None:
            with contextlib.suppress(Exception):
                await self._next
            self._next = None
        await self._end()

    async def _end(self) -> None:
        tree = self._tree()
        for ending in (self._browser and self._browser.close, self._driver and self._driver.stop):
            if ending:
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(ending(), _STOP_S)
        for process in tree:
            with contextlib.suppress(psutil.Error):
                process.kill()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._driver = self._browser = self._process = None


def _temporary_folder() -> str:
    """A temporary folder that the browser's user can reach. As root, TMPDIR may be closed to other users."""
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if closed_folder(Path(folder)) is None:
            return folder
    raise UserError("the user that Chromium runs as can enter no temporary folder: `chmod o+x` TMPDIR and its parents")


def _check_reachable(chromium: str) -> None:
    if closed := closed_folder(Path(chromium)):
        raise UserError(f"the user that Chromium runs as cannot enter {closed}: `chmod o+x` it, or move Chromium")


async def _close(page: Page) -> None:
    with contextlib.suppress(PlaywrightError):
        await page.close()


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
