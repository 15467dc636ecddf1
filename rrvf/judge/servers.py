"""The servers of one judge. A question goes to the least busy server; one that has failed is asked last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import openai

from rrvf.outputs import say

T = TypeVar("T")
#: Seconds for which a server that failed is asked last.
PAUSE_S = 30.0
#: HTTP errors on which another server is asked, besides 5xx: timeout, conflict, too many requests.
_ELSEWHERE = (408, 409, 429)
#: Seconds for a sign of life: listing the models.
SIGN_S = 10.0


@dataclass
class _Server:
    api: openai.AsyncOpenAI
    under_way: int = 0
    asked: int = 0
    failed_at: float = -PAUSE_S
    down: bool = False

    @property
    def order(self) -> tuple[bool, int, int]:
        return time.monotonic() - self.failed_at < PAUSE_S, self.under_way, self.asked


class Servers:
    """Several servers of one model. apis: a client for each server. All calls must come from one event loop."""

    def __init__(self, apis: list[openai.AsyncOpenAI]) -> None:
        self._servers = [_Server(api) for api in apis]

    async def call(self, ask: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> T:
        """The answer of the least busy server.

        Of several servers each is tried once without retries. If all fail, the least busy one is asked with retries.
        Only errors as in `_try_another` lead to the next server. Others are raised at once.
        """
        untried = list(self._servers) if len(self._servers) > 1 else []
        while untried:
            server = min(untried, key=lambda s: s.order)
            untried.remove(server)
            try:
                return await self._asked(server, ask(server.api.with_options(max_retries=0)))
            except openai.APIError as error:
                if not _try_another(error):
                    raise
                self._failed(server, error)
        server = min(self._servers, key=lambda s: s.order)
        return await self._asked(server, ask(server.api))

    async def any(self, ask: Callable[[openai.AsyncOpenAI], Awaitable[bool]]) -> bool:
        """Whether `ask` is true of one server at least."""
        for server in self._servers:
            if await ask(server.api):
                return True
        return False

    async def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            await server.api.close()

    async def _asked(self, server: _Server, answer: Awaitable[T]) -> T:
        server.under_way += 1
        server.asked += 1
        try:
            answered = await answer
        finally:
            server.under_way -= 1
        server.down = False
        return answered

    def _failed(self, server: _Server, error: openai.APIError) -> None:
        if not server.down:
            say(f"the judge at {server.api.base_url} failed ({type(error).__name__}): others are asked first")
        server.down, server.failed_at = True, time.monotonic()


def _try_another(error: openai.APIError) -> bool:
    if isinstance(error, openai.APIStatusError):
        return error.status_code >= 500 or error.status_code in _ELSEWHERE
    return isinstance(error, openai.APIConnectionError)  # timeouts included


async def alive(api: openai.AsyncOpenAI) -> bool:
    """Whether a server answers at all. One that refuses the question is alive; one that stays silent is not."""
    try:
        async with asyncio.timeout(SIGN_S):
            await api.with_options(max_retries=0).models.list()
    except (openai.OpenAIError, ValueError, TimeoutError) as error:
        return not isinstance(error, openai.APITimeoutError | TimeoutError) and not away(error)
    return True


def away(error: Exception) -> bool:
    """Whether an error means that no server listens: no connection, or a gateway says so. A timeout does not."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (502, 503, 504)
    return isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError)
