"""The embedded judge as an OpenAI-compatible endpoint: `python -m rrvf.judge.server --port 8000`.

POST /v1/chat/completions takes a prompt of `rrvf.judge.prompts` (its first line names domain and mode) and two pictures
as data URIs, the reference first. GET serves /v1/models, /health and /metrics (Prometheus). The server fetches nothing
and runs no code. When its queue is full, it answers 429 with Retry-After.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import re
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import h11
import prometheus_client as prometheus
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from rrvf.domains import DOMAINS
from rrvf.errors import UserError
from rrvf.judge.child import running_server
from rrvf.judge.embedded import MODEL
from rrvf.judge.local import EmbeddedJudge
from rrvf.judge.prompts import HEADER, POINTS
from rrvf.judge.replies import OWN_RULE
from rrvf.records import Judgement

__all__ = ["JudgeApp", "main", "running_server", "serve"]

MAX_BODY = 64 * 2**20
BODY_S = 8  # seconds for a request's body; less than a stopping server waits
HEADERS_S = 8.0  # seconds for a request's headers
_DATA_URI = re.compile(r"\Adata:image/(?:png|jpeg);base64,")


class _Refused(Exception):
    """The request is no question to this judge. It is answered with a 400 and the message."""


class JudgeApp:
    """The endpoint. threads: comparisons at once. queue: requests that may wait; the next one is answered with 429."""

    def __init__(self, threads: int = 2, queue: int = 64) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rrvf-judge")
        self._most = threads + queue
        self._inside = 0
        self._registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "rrvf_judge_requests", "Requests by outcome", ["outcome"], registry=self._registry
        )
        self._seconds = prometheus.Histogram("rrvf_judge_seconds", "Seconds in the judge", registry=self._registry)
        prometheus.Gauge("rrvf_judge_in_flight", "Requests inside", registry=self._registry).set_function(
            lambda: self._inside
        )
        self.asgi = Starlette(
            routes=[
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/models", self.models),
                Route("/health", lambda _: PlainTextResponse("ok")),
                Route("/metrics", self.metrics),
            ]
        )

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions: one judgement."""
        try:
            body = await _body(request)  # before it counts as inside, so that a slow sender takes no place in the queue
            if self._inside >= self._most:
                self._requests.labels("busy").inc()
                return _error(429, "the queue is full", {"Retry-After": "1"})
            text, judgement = await self._judged(body)
        except _Refused as refusal:
            self._requests.labels("refused").inc()
            return _error(400, str(refusal))
        self._requests.labels("ok").inc()
        self._seconds.observe(judgement.seconds)
        return JSONResponse(_completion(text))

    async def _judged(self, body: bytes) -> tuple[str, Judgement]:
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, _reply, body)
        finally:
            self._inside -= 1

    async def models(self, request: Request) -> Response:
        """GET /v1/models: the embedded judge."""
        return JSONResponse(
            {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "rrvf"}]}
        )

    async def metrics(self, request: Request) -> Response:
        """GET /metrics, in Prometheus' text format."""
        return Response(prometheus.generate_latest(self._registry), media_type=prometheus.CONTENT_TYPE_LATEST)


class Impatient(H11Protocol):
    """uvicorn's HTTP with a time limit on a request's headers; without one, it waits for them for ever."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._wait_no_more()
        elif self._late is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(HEADERS_S, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY:
                    raise _Refused(f"the request is larger than {MAX_BODY >> 20} MiB")
                parts.append(part)
    except TimeoutError:
        raise _Refused(f"the request took longer than {BODY_S} s to arrive") from None
    except ClientDisconnect:
        raise _Refused("the client went away") from None
    return b"".join(parts)


def _reply(body: bytes) -> tuple[str, Judgement]:
    """The reply's text and the judgement for a request body. Raises _Refused."""
    domain, mode, pictures = _understood(body)
    judgement = EmbeddedJudge().score(*pictures, domain)
    if not judgement.ok:
        raise _Refused(judgement.reason or "the pictures could not be judged")
    if mode == "feedback":
        return judgement.feedback, judgement
    points = {name: round(judgement.parts[name] * top, 6) for name, top in POINTS.items()}
    return json.dumps(points | {"score": round(judgement.score * 100, 6), OWN_RULE: True}), judgement


def _understood(body: bytes) -> tuple[str, str, list[bytes]]:
    """Domain, mode and the two pictures of a request. Raises _Refused."""
    try:
        request = json.loads(body)
        content = [part for message in request["messages"] for part in message["content"] if isinstance(part, dict)]
        texts = [part["text"] for part in content if part.get("type") == "text"]
        links = [part["image_url"]["url"] for part in content if part.get("type") == "image_url"]
        header = HEADER.search("\n".join(texts))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _Refused("the request is not a chat completion with text and image_url parts") from error
    if request.get("stream"):
        raise _Refused("streaming is not offered")
    if header is None:
        raise _Refused(
            f"no line 'RRVF judge: {'|'.join(DOMAINS)} feedback|score' in the prompt: use the prompts of rrvf.judge"
        )
    if len(links) != 2 or not all(isinstance(link, str) and _DATA_URI.match(link) for link in links):
        raise _Refused("two pictures are needed, the reference first, as PNG or JPEG data URIs")
    try:
        return header[1], header[2], [base64.b64decode(link.partition(",")[2], validate=True) for link in links]
    except ValueError as error:  # also of text that is not ASCII
        raise _Refused("a data URI is not valid base64") from error


def _completion(text: str) -> dict:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    name = f"chatcmpl-{hashlib.sha256(text.encode()).hexdigest()[:24]}"
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return {
        "id": name,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [choice],
        "usage": usage,
    }


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    kind = "rate_limit_error" if status == 429 else "invalid_request_error"
    return JSONResponse({"error": {"message": message, "type": kind, "code": status}}, status, headers)


def serve(
    host: str = "127.0.0.1", port: int = 8000, threads: int = 2, queue: int = 64, watch_stdin: bool = False
) -> None:
    """Run the server until it is told to stop. Requests under way are finished first. Port 0 takes a free port.

    Prints one JSON line, `{"url": ..., "port": ..., "model": ...}`, on standard output once the port is bound. With
    `watch_stdin` it also stops when its standard input closes, which happens when its parent dies. UserError where the
    port cannot be bound.
    """
    held = _bound(host, port)
    port = held.getsockname()[1]
    config = uvicorn.Config(
        JudgeApp(threads, queue).asgi, http=Impatient, log_level="warning", timeout_graceful_shutdown=10
    )
    server = uvicorn.Server(config)
    if watch_stdin:
        threading.Thread(target=_stop_at_eof, args=(server,), daemon=True).start()
    shown = f"[{host}]" if ":" in host else host
    print(json.dumps({"url": f"http://{shown}:{port}", "port": port, "model": MODEL}), flush=True)
    server.run(sockets=[held])


def _bound(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:  # a resolver takes it modulo 65536
        raise UserError(f"there is no port {port}: choose one from 1 to 65535, or --port 0 for a free one")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        held = socket.socket(family, kind, proto)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(address)
        held.listen(1)  # so that a second server on this port fails now, not at its first request
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot serve on {host}:{port} ({reason}): choose another port, or --port 0 for a free one"
        ) from error
    return held


def _stop_at_eof(server: uvicorn.Server) -> None:
    sys.stdin.buffer.read()
    server.should_exit = True


def main(arguments: list[str] | None = None) -> int:
    """The command line `python -m rrvf.judge.server`. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m rrvf.judge.server", description="The embedded judge as an endpoint."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free port")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--queue", type=int, default=64, help="requests that may wait; beyond it the answer is 429")
    parser.add_argument("--watch-stdin", action="store_true", help="stop when standard input closes")
    try:
        serve(**vars(parser.parse_args(arguments)))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
