"""Waits for a judge that cannot be reached. All questions share one wait, which is reported on standard error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from rrvf.outputs import say

#: Seconds between two lines about a wait.
SIGN_S = 60.0


class Outage:
    """One judge's outage.

    url: of the judge, for the lines. answers: asks the judge for a sign of life. wait_s: seconds to wait; 0: no wait.
    """

    def __init__(self, url: str, answers: Callable[[], Awaitable[bool]], wait_s: float) -> None:
        self._url, self._answers, self._wait_s = url, answers, wait_s
        self._watch: asyncio.Task[bool] | None = None

    async def over(self) -> bool:
        """Wait for the end of the outage. False where it lasts longer than `wait_s`."""
        if self._wait_s <= 0:
            return False
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watched())
        return await asyncio.shield(self._watch)

    async def _watched(self) -> bool:
        started = said = time.monotonic()
        say(f"the judge at {self._url} cannot be reached: waiting up to {self._wait_s:.0f} s for it, start it again")
        while time.monotonic() - started < self._wait_s:
            if await self._answers():
                say(f"the judge is back after {time.monotonic() - started:.0f} s: going on")
                return True
            if time.monotonic() - said >= SIGN_S:
                said = time.monotonic()
                say(f"still waiting for the judge at {self._url}: {said - started:.0f} of {self._wait_s:.0f} s")
            await asyncio.sleep(min(2.0, self._wait_s / 20))
        return False
