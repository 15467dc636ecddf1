"""The servers of one judge: questions go where the fewest are under way, and past a server that fails."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import openai

T = TypeVar("T")
#: Seconds in which a server that failed is asked last.
PAUSE_S = 30.0
#: A time-out, a conflict, too many questions: another server may answer, as where one is out of order.
_ELSEWHERE = (408, 409, 429)


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
    """apis: a client for each, of one and the same model. Used on one event loop."""

    def __init__(self, apis: list[openai.AsyncOpenAI]) -> None:
        self._servers = [_Server(api) for api in apis]

    async def call(self, ask: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> T:
        """`ask` of the least busy server. Several are each tried once without retries, then one of them with."""
        untried = list(self._servers) if len(self._servers) > 1 else []
        while untried:
            server = min(untried, key=lambda s: s.order)
            untried.remove(server)
            try:
                return await self._asked(server, ask(server.api.with_options(max_retries=0)))
            except openai.APIError as error:
                if not _may_do_elsewhere(error):
                    raise
                self._failed(server, error)
        server = min(self._servers, key=lambda s: s.order)
        return await self._asked(server, ask(server.api))

    async def any(self, ask: Callable[[openai.AsyncOpenAI], Awaitable[bool]]) -> bool:
        """Whether one of them says yes."""
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
            told = f"rrvf: the judge at {server.api.base_url} failed ({type(error).__name__}): others are asked first"
            print(told, file=sys.stderr, flush=True)
        server.down, server.failed_at = True, time.monotonic()


def _may_do_elsewhere(error: openai.APIError) -> bool:
    if isinstance(error, openai.APIStatusError):
        return error.status_code >= 500 or error.status_code in _ELSEWHERE
    return isinstance(error, openai.APIConnectionError)  # a time-out is one
