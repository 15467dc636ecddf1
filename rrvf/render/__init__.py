"""Code in, picture out: one interface for all domains (Fig. 2c, step 1).

    from rrvf.render import render
    render("chart", "import matplotlib.pyplot as plt; plt.plot([1, 2])").png

The code is untrusted: a model that is rewarded for the picture wrote it. The sandbox for charts guarantees:

Covered
- files: only the interpreter, libraries and fonts, read-only; the target picture is not visible
- network: no sockets at all, and an empty network namespace
- processes: no fork, thread, exec, signal or ptrace; each render has its own process namespace, which ends with it
- host: no environment variables, no file descriptor except the reply's, no user id or capability of the host
- limits on wall time, processor time, memory, written files, picture size, code length, literals, and the compressed
  length of the code, which bounds the data that it can carry in any disguise
- isolation between renders: one process and one private folder per script; no state passes from one render to the next,
  and the order of renders does not matter
- the reply is a length-capped frame with a checked JSON header and raw pixels: no pickle, no eval, no decoder that the
  program supplies

Not covered
- a flaw in the Linux kernel
- a program that forges its own reply: it can show any picture, which it could also draw, and claim any metric items; it
  cannot reach the items of another program or of the target
- shared time: a program can slow its neighbours down within its limits, and can measure time
- a machine that refuses namespaces, Landlock or seccomp (`isolation()` lists them): the renderer refuses to start until
  `RRVF_ACCEPT_WEAK_SANDBOX` names the missing means. Without namespaces the other two still deny reading, sockets and
  signals, but a program can ask whether a file exists, and only the time limit bounds the total size of the files that
  it writes

Pages: see `rrvf.render.web`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import pkgutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Literal, Self

from rrvf.domains import domain as known_domain
from rrvf.errors import HarnessError, UserError
from rrvf.records import Render
from rrvf.render.chart import Ticket
from rrvf.render.chart import Trace as ChartTrace
from rrvf.render.limits import Limits
from rrvf.render.zygote import missing_means

__all__ = ["Limits", "Renderer", "Trace", "isolation", "render", "settled"]

#: What a render may extract besides its picture: the metric items of a chart, or the text blocks of a page.
Trace = ChartTrace | Literal["blocks"]
#: Seconds to wait before a retry after a `harness_error`: a machine that is short of memory may recover.
PAUSES_S = (0.5, 2.0)


class Renderer:
    """A pool of `workers` warm renderers of one domain. A context manager; every method may be called from any thread.

    A render returns `harness_error` only after the retries of `PAUSES_S` failed too. Only `arender` of pages and SVG
    does not retry. UserError for charts without a plotting runtime or without isolation. Without a browser each render
    of pages and SVG is a `harness_error`.
    """

    def __init__(self, domain: str, workers: int = 1, limits: Limits = Limits()) -> None:
        self.domain = known_domain(domain).name
        if workers < 1:
            raise UserError(f"a renderer needs at least one worker, not {workers}")
        self.workers, self.limits = workers, limits
        self._engine = _engine(self.domain)(workers, limits)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="rrvf-render")
        self._closed = False

    def render(self, code: str, trace: Trace | None = None) -> Render:
        """The picture of `code`, or the typed reason why there is none. Never raises for what the code does."""
        return self._tried(code, self._tracing(trace))

    def render_many(self, codes: list[str], trace: Trace | None = None) -> list[Render]:
        """Render all `codes`, `workers` at a time; results in input order. HarnessError as in `render_each`."""
        return list(self.render_each(codes, trace))

    def render_each(self, codes: Iterable[str], trace: Trace | None = None, settle: bool = True) -> Iterator[Render]:
        """Render any number of programs as an iterator. It reads and renders only a little ahead of the caller.

        Raises HarnessError at a render that ended as `harness_error`, because a measured batch would lack that sample.
        With `settle=False` such a render is yielded like any other.
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
        """`render` for coroutines. Cancelling the task stops the program."""
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
        self._threads.shutdown(wait=False, cancel_futures=True)  # codes that wait would begin while the engine ends
        self._engine.close()
        self._threads.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tried(self, code: str, options: dict) -> Render:
        """The first render that is no `harness_error`; the last one where every retry failed."""
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
            raise UserError(f"the {self.domain} domain has no trace {trace!r}: it has {', '.join(known) or 'none'}")
        return {"trace": trace} if trace else {}


def _engine(domain: str) -> Callable:
    found: Callable = pkgutil.resolve_name(known_domain(domain).renderer_at)
    return found


def _takes_limits(domain: str) -> bool:
    """Whether the domain's renderer takes limits per render, so that one renderer serves all limits."""
    return getattr(_engine(domain), "takes_limits", False)


def settled(render: Render) -> Render:
    """`render` itself. Raises HarnessError if its status is `harness_error`."""
    if render.status == "harness_error":
        raise HarnessError(
            f"{render.message}: fix the machine and run the same command again; what was written is kept"
        )
    return render


_warm: dict[tuple[int, str, Limits | None], Renderer] = {}
#: The renders in progress of each warm renderer. One that is replaced is closed when its last render has ended.
_busy: Counter[Renderer] = Counter()
_warm_lock = threading.Lock()


def render(domain: str, code: str, limits: Limits = Limits(), trace: Trace | None = None) -> Render:
    """One render by a warm renderer that this process keeps open. For many programs, use `Renderer`."""
    own = {"limits": limits} if _takes_limits(domain) else {}
    with _warm_renderer(known_domain(domain).name, limits) as renderer:
        return renderer._tried(code, renderer._tracing(trace) | own)


@contextmanager
def _warm_renderer(domain: str, limits: Limits) -> Iterator[Renderer]:
    key = (os.getpid(), domain, None if _takes_limits(domain) else limits)
    with _warm_lock:
        if key not in _warm:
            _close_warm(domain)
            _warm[key] = Renderer(domain, workers=2, limits=limits)
        renderer = _warm[key]
        _busy[renderer] += 1
    try:
        yield renderer
    finally:
        with _warm_lock:
            _busy[renderer] -= 1
            if not _busy[renderer]:
                del _busy[renderer]
                if _warm.get(key) is not renderer:
                    renderer.close()


def _close_warm(domain: str | None = None) -> None:
    """Close the warm renderers of this process, all of them or those of one domain that are not in use.

    A forked child leaves its parent's open.
    """
    for key in [k for k in _warm if k[0] == os.getpid() and domain in (None, k[1])]:
        renderer = _warm.pop(key)
        if domain is None or not _busy[renderer]:
            renderer.close()


atexit.register(_close_warm)


def isolation() -> dict[str, str]:
    """The means of isolation for charts that this machine lacks, each with the reason. Empty if all are in force."""
    return missing_means()
