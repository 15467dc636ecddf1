"""Charts, host side: a script in, a `Render` out. Everything that a child sends is checked before it is used."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import select
import signal
import struct
import threading
import time
from typing import Annotated, Literal, Self, get_args

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rrvf.errors import HarnessError, UserError
from rrvf.protocol import sanitize
from rrvf.records import Render, RenderReason
from rrvf.render.blank import flat
from rrvf.render.limits import Failure, Limits, check_length, check_size
from rrvf.render.pasted import chart_share
from rrvf.render.zygote import ACCEPT, Child, Zygote

Trace = Literal["official", "fixed", "july2025", "plot2code"]
_HEADER_BYTES, _TRACED_HEADER_BYTES = 1 << 16, 8 << 20
_MESSAGE_CHARS = 300
#: Seconds that a child may take to become ready on a busy machine.
_READY_S = 60.0
_FOLDERS = re.compile(r"(?<![\w/.])(?:~|\.\.?)?(?:/+[^\s'\"/:;,]+)+/+(?=[^\s'\"/])")


class Reply(BaseModel):
    """The header of a child's reply. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    outcome: Literal["ok"] | RenderReason
    message: str = Field(default="", max_length=4000)
    width: int = Field(default=0, ge=0)
    height: int = Field(default=0, ge=0)
    coverage: float | None = Field(default=None, ge=0, le=1)
    unseeded: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=100)
    items: dict | None = None


class Killed(Failure):
    """A child was killed within its limits. Only the machine can do that, or a program that ended itself."""


class Ticket:
    """A handle by which another thread cancels a render that waits or runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Child | None = None
        self.given_up = False
        self.begun: float | None = None  # when the program itself began

    def cancel(self) -> None:
        """Kill the child that runs the render, now or as soon as a child is assigned."""
        with self._lock:
            self.given_up = True
            if self._child:
                self._child.kill()

    def hold(self, child: Child | None) -> None:
        """Record the child that runs the render, so that `cancel` can kill it. Kill it now if already cancelled."""
        with self._lock:
            self._child = child
            if child and self.given_up:
                child.kill()


class ChartRenderer:
    """A pool of `workers` warm, isolated chart workers. Thread-safe. Every script runs in a new process.

    `without` disables a means of isolation (`namespaces`, `landlock`, `seccomp`), to test the weaker combinations.
    Raises UserError if the machine lacks a means that `RRVF_ACCEPT_WEAK_SANDBOX` does not accept by name.
    """

    #: `render` takes limits, so one renderer serves all limits.
    takes_limits = True

    def __init__(self, workers: int = 1, limits: Limits = Limits(), without: frozenset[str] = frozenset()) -> None:
        self.limits = limits
        self._workers, self._without = workers, without
        self._free = threading.BoundedSemaphore(workers)
        self._starting = threading.Lock()
        self._closed = False
        self._owner = os.getpid()
        self._zygote = self._start()

    def render(
        self, code: str, trace: Trace | None = None, limits: Limits | None = None, ticket: Ticket | None = None
    ) -> Render:
        """Run `code` and return its picture, or the typed reason for its failure. Blocks; callable from any thread."""
        if os.getpid() != self._owner:
            raise UserError("a renderer cannot be used after a fork: create one in each process")
        if trace is not None and trace not in get_args(Trace):
            raise UserError(f"no trace called {trace!r}: choose one of {', '.join(get_args(Trace))}")
        limits, ticket = limits or self.limits, ticket or Ticket()
        started = time.perf_counter()
        try:
            check_length(code, limits, "program", packed=not trace)
            with self._free:
                started = time.perf_counter()
                render = self._render(code, trace, limits, ticket)
        except Failure as failure:
            message = policy_text(failure.message, code)
            render = Render(status="render_error", reason=failure.reason, message=message, items=failure.items)
        except (HarnessError, OSError, MemoryError) as error:
            render = Render(status="harness_error", message=policy_text(f"the chart sandbox failed: {error}"))
        return render.model_copy(update={"seconds": round(time.perf_counter() - (ticket.begun or started), 4)})

    def close(self) -> None:
        """End every process of the pool; safe to call twice."""
        self._closed = True
        self._zygote.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def missing(self) -> dict[str, str]:
        """The means of isolation that are not in force, each with the reason."""
        return self._zygote.missing

    def _start(self) -> Zygote:
        accepted = frozenset(os.environ.get(ACCEPT, "").split(","))
        return Zygote(self._workers + 1 + self._workers // 4, accepted, self._without)

    def _take(self) -> Child:
        """A waiting child. Restarts the zygote once if it has died."""
        with self._starting:
            if not self._zygote.alive and not self._closed:
                self._zygote.close()
                try:
                    self._zygote = self._start()
                except UserError as error:
                    raise HarnessError(str(error)) from None
        return self._zygote.take(timeout_s=_READY_S)

    def _render(self, code: str, trace: Trace | None, limits: Limits, ticket: Ticket) -> Render:
        """One try in a child, and a second one if the machine may have ended the first: the zygote, or the child."""
        try:
            return self._try(code, trace, limits, ticket)
        except (Failure, HarnessError) as error:
            if self._closed:
                raise HarnessError("the renderer was closed") from None
            if ticket.given_up or self._zygote.alive and not isinstance(error, Killed):
                raise
            return self._try(code, trace, limits, ticket)

    def _try(self, code: str, trace: Trace | None, limits: Limits, ticket: Ticket) -> Render:
        child = self._take()
        try:
            ticket.hold(child)
            _begin(child, _job(code, trace, limits))
            ticket.begun = time.perf_counter()
            return _converse(child, code, limits, traced=trace is not None)
        finally:
            ticket.hold(None)
            # With as many workers as cores or more, drawing ahead would take time from running renders.
            self._zygote.replace(child, touched=self._workers < (os.cpu_count() or 1))


def _job(code: str, trace: Trace | None, limits: Limits) -> bytes:
    canvas = dataclasses.asdict(limits.canvas) if limits.canvas else None
    wanted = ("max_pixels", "literal_bytes", "memory_mb", "cpu_s", "file_mb")
    job = {"code": code, "trace": trace, "canvas": canvas, **{name: getattr(limits, name) for name in wanted}}
    text = json.dumps(job).encode()
    return len(text).to_bytes(4, "big") + text


def _converse(child: Child, code: str, limits: Limits, traced: bool) -> Render:
    """Read and check the reply of a child that has begun, within the wall time."""
    longest = _TRACED_HEADER_BYTES if traced else _HEADER_BYTES
    started = time.monotonic()
    deadline = started + limits.wall_s
    try:
        sizes = _receive(child, 8, deadline)
        head, picture = struct.unpack(">II", sizes)
        if head > longest or picture > 3 * limits.max_pixels:
            raise Failure("forbidden", "the program tampered with its reply")
        header, pixels = _receive(child, head, deadline), _receive(child, picture, deadline)
    except TimeoutError:
        raise Failure("timeout", f"the program did not finish within {limits.wall_s:g} s") from None
    except OSError:
        raise _death(child, limits, time.monotonic() - started) from None
    return _checked(header, pixels, code, limits, traced)


def _begin(child: Child, job: bytes) -> None:
    """Send the job and wait until the child is about to run it. Raises HarnessError if that fails.

    Until then the child has run no untrusted code: its words can be trusted, and its death is not the program's fault.
    """
    deadline = time.monotonic() + _READY_S
    try:
        child.socket.settimeout(_READY_S)
        child.socket.sendall(job)
        if (sign := _receive(child, 1, deadline)) != b"+":
            said = _receive(child, int.from_bytes(_receive(child, 2, deadline), "big"), deadline)
            raise HarnessError(said.decode(errors="replace") if sign == b"-" else "a worker sent no start signal")
    except OSError as error:
        raise HarnessError(str(error) or "a worker died before it began") from None


def _receive(child: Child, size: int, deadline: float) -> bytearray:
    data = bytearray()
    while len(data) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        child.socket.settimeout(left)
        part = child.socket.recv(min(size - len(data), 1 << 20))
        if not part:
            raise ConnectionError
        data += part
    return data


def _death(child: Child, limits: Limits, seconds: float) -> Failure:
    """Why a child closed its reply without sending one, judged by its exit status."""
    if not select.select([child.pidfd], [], [], 1.0)[0]:
        return Failure("forbidden", "the program tampered with its reply")
    try:
        status = child.status.result(timeout=60)
    except TimeoutError:
        raise HarnessError("the exit status of a worker did not arrive") from None
    if status >= 0:
        return Failure("exit", "the program ended itself before its picture was made")
    if status != -signal.SIGKILL:
        return Failure("crash", f"the interpreter died of {signal.Signals(-status).name}")
    if seconds > 0.95 * limits.cpu_s:
        return Failure("timeout", f"the program used more than {limits.cpu_s:g} s of processor time")
    return Killed("memory", "the program was ended for lack of memory")


def _checked(header: bytes, pixels: bytes, code: str, limits: Limits, traced: bool) -> Render:
    """The record of a reply, once its content matches its header."""
    try:
        reply = Reply.model_validate_json(bytes(header))
    except ValidationError:
        raise Failure("forbidden", "the program tampered with its reply") from None
    if reply.items is not None and not traced:
        raise Failure("forbidden", "the program tampered with its reply")
    if reply.outcome != "ok":
        raise Failure(reply.outcome, reply.message, reply.items)
    if not limits.max_pixels and reply.items is not None:
        return Render(status="ok", items=reply.items, unseeded=tuple(reply.unseeded))
    if not pixels or len(pixels) != 3 * reply.width * reply.height:
        raise Failure("forbidden", "the program tampered with its reply")
    check_size(reply.width, reply.height, limits, reply.items)
    picture = np.frombuffer(pixels, np.uint8).reshape(reply.height, reply.width, 3)
    if flat(picture):
        raise Failure("blank", "the picture is one flat colour", reply.items)
    encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
    return Render(status="ok", width=reply.width, height=reply.height, png=encoded, items=reply.items,
                  pasted_share=chart_share(code, encoded, reply.coverage or 0.0),
                  unseeded=tuple(reply.unseeded))  # fmt: skip


def policy_text(message: str, code: str = "") -> str:
    """`message` without folders, chat tokens and control characters, at most 300 characters.

    A folder that occurs in `code` stays: the policy wrote it, and it may be the mistake that the message is about.
    """
    text = _FOLDERS.sub(lambda found: found[0] if found[0].rstrip("/") in code else "", message)
    text = sanitize("".join(c if c.isprintable() or c == "\n" else " " for c in text).strip())
    return text if len(text) <= _MESSAGE_CHARS else text[: _MESSAGE_CHARS - 3] + "..."
