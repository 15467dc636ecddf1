"""Code in, picture out: one seam for all domains, Fig. 2c step 1.

    from rrvf.render import render
    render("chart", "import matplotlib.pyplot as plt; plt.plot([1, 2])").png

The code is foreign, written by a model that is rewarded for its picture. What is promised for charts:

Covered
- no file of the machine but interpreter, libraries and fonts, read-only; the target picture is not there
- no network of any kind: no sockets at all, and an empty network namespace
- no other process: no fork, thread, exec, signal, ptrace; a process namespace of its own that ends with the render
- no environment, no descriptor but the reply's, no user id or capability of the host
- bounds on wall and processor time, memory, files written, picture size, code, literals, and on what code can carry in
  any disguise (its compressed length)
- one script, one process, one folder that holds it alone: nothing passes from a render to the next, and the order does
  not matter
- the reply is a length-capped frame with a checked JSON header and bare pixels: no pickle, no eval, no foreign decoder

Not covered
- a flaw in the Linux kernel
- a program that forges its own reply: it can show any picture, as it could by drawing it, and claim any metric items;
  it can reach neither another program's items nor the target's
- time spent together: a program can slow its neighbours down within its limits, and can measure time
- where the machine refuses namespaces, Landlock or seccomp (`isolation()` tells), the renderer refuses to start until
  `RRVF_ACCEPT_WEAK_SANDBOX` accepts the lack by name. Without namespaces the other two still deny reading, sockets and
  signals, but a program can ask whether a file exists, and only time bounds the sum of the files that it writes

Pages: see `rrvf.render.web`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import pkgutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, Self

from rrvf.domains import domain as known_domain
from rrvf.errors import HarnessError, UserError
from rrvf.records import Render
from rrvf.render.chart import Ticket
from rrvf.render.chart import Trace as ChartTrace
from rrvf.render.limits import Limits
from rrvf.render.zygote import missing_means

__all__ = ["Limits", "Renderer", "Trace", "isolation", "render", "settled"]

#: What a render may extract besides its picture: a metric's items of a chart, the blocks of text of a page.
Trace = ChartTrace | Literal["blocks"]
#: Pauses before a render whose harness failed is tried again: a machine short of memory may have some in a moment.
PAUSES_S = (0.5, 2.0)


class Renderer:
    """A pool of `workers` warm renderers of one domain; a context manager, all methods callable from any thread.

    A `harness_error` comes back only where the tries after `PAUSES_S` failed too.
    """

    def __init__(self, domain: str, workers: int = 1, limits: Limits = Limits()) -> None:
        self.domain = known_domain(domain).name
        self.workers, self.limits = workers, limits
        self._engine = _engine(self.domain)(workers, limits)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="rrvf-render")
        self._closed = False

    def render(self, code: str, trace: Trace | None = None) -> Render:
        """The picture of `code`, or the typed reason why there is none. Never raises for what the code does."""
        return self._tried(code, self._tracing(trace))

    def render_many(self, codes: list[str], trace: Trace | None = None) -> list[Render]:
        """Render all `codes`, `workers` at a time; results in their order. HarnessError as in `render_each`."""
        return list(self.render_each(codes, trace))

    def render_each(self, codes: Iterable[str], trace: Trace | None = None, settle: bool = True) -> Iterator[Render]:
        """`render_many` for any number of programs: reads and renders only a little ahead of what is taken.

        Raises HarnessError at a render whose harness failed, unless told not to `settle`: a batch that is measured
        would lack it.
        """
        check = settled if settle else lambda render: render
        ahead: deque[Future[Render]] = deque()
        for code in codes:
            ahead.append(self._threads.submit(self.render, code, trace))
            if len(ahead) > 2 * self.workers:
                yield check(ahead.popleft().result())
        while ahead:
            yield check(ahead.popleft().result())

    async def arender(self, code: str, trace: Trace | None = None) -> Render:
        """`render` for coroutines; cancelling the task gives the program up."""
        options: dict = self._tracing(trace)
        if hasattr(self._engine, "arender"):
            drawn: Render = await self._engine.arender(code, **options)
            return drawn
        options["ticket"] = ticket = Ticket()
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._tried, code, options)
        try:
            return await work
        except asyncio.CancelledError:
            ticket.cancel()
            raise

    def close(self) -> None:
        """End every process of the pool; safe to call twice."""
        self._closed = True
        self._engine.close()
        self._threads.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tried(self, code: str, options: dict) -> Render:
        """The first render that says something of the code; the last one where none does."""
        render: Render = self._engine.render(code, **options)
        for pause in PAUSES_S:
            if render.status != "harness_error" or self._closed:
                break
            time.sleep(pause)
            render = self._engine.render(code, **options)
        return render

    def _tracing(self, trace: Trace | None) -> dict:
        known = known_domain(self.domain).traces
        if trace and trace not in known:
            raise UserError(f"trace {trace!r} is not for the {self.domain} domain: it has {', '.join(known) or 'none'}")
        return {"trace": trace} if trace else {}


def _engine(domain: str) -> Callable:
    found: Callable = pkgutil.resolve_name(known_domain(domain).renderer_at)
    return found


def _takes_limits(domain: str) -> bool:
    """Whether one renderer of a domain serves all limits, as its `render` takes them."""
    return getattr(_engine(domain), "takes_limits", False)


def settled(render: Render) -> Render:
    """`render`, whose outcome is the code's own; HarnessError where it is ours."""
    if render.status == "harness_error":
        raise HarnessError(
            f"{render.message}: mend the machine and run the same command again; what was written is kept"
        )
    return render


_warm: dict[tuple[int, str, Limits | None], Renderer] = {}
_warm_lock = threading.Lock()


def render(domain: str, code: str, limits: Limits = Limits(), trace: Trace | None = None) -> Render:
    """One render by a warm renderer that this process keeps; for many programs, use `Renderer`."""
    renderer = _warm_renderer(known_domain(domain).name, limits)
    own = {"limits": limits} if _takes_limits(domain) else {}
    return renderer._tried(code, renderer._tracing(trace) | own)


def _warm_renderer(domain: str, limits: Limits) -> Renderer:
    key = (os.getpid(), domain, None if _takes_limits(domain) else limits)
    with _warm_lock:
        if key not in _warm:
            _close_warm(domain)
            _warm[key] = Renderer(domain, workers=2, limits=limits)
        return _warm[key]


def _close_warm(domain: str | None = None) -> None:
    """Close this process's warm renderers, of one domain or all; a forked child leaves its parent's alone."""
    for key in [k for k in _warm if k[0] == os.getpid() and domain in (None, k[1])]:
        _warm.pop(key).close()


atexit.register(_close_warm)


def isolation() -> dict[str, str]:
    """The means of isolation that charts lack on this machine, each with the reason; empty where all are in force."""
    return missing_means()
