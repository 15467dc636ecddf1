"""Any OpenAI-compatible endpoint as a judge: the embedded server, vLLM, a hosted model.

    with JudgeClient("http://127.0.0.1:8000", cache_dir=".cache/judge") as judge:
        judge.score(target_png, rendered_png, "chart").score

Every call ends in a Judgement: a complete answer, or `judge_error` with a reason. There is no default number. For
both orders of the pictures, repeats and further judges see `rrvf.judge.panel`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import threading
import time
import warnings
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import openai

from rrvf.domains import domain as find_domain
from rrvf.endpoints import Bounded, addresses, key_for, usage_of
from rrvf.errors import UserError
from rrvf.judge.card import JudgeCard, Sampling
from rrvf.judge.outage import Outage
from rrvf.judge.prompts import SCORE_SCHEMA, JudgePrompt, Mode, load_judge_prompt
from rrvf.judge.replies import BadReply, content_of, fields_of, question, reason_of
from rrvf.judge.rubrics import Rubric
from rrvf.judge.servers import Servers
from rrvf.records import Judgement, Usage, storable

if TYPE_CHECKING:
    from diskcache import Cache

FORMAT = {"type": "json_schema", "json_schema": {"name": "score", "strict": True, "schema": SCORE_SCHEMA}}
T = TypeVar("T")
#: Seconds for what must be small: the list of models, a sign of life.
_SIGN_S = 10.0
#: Outages that one question waits out: one that takes its server down each time must not be asked for ever.
_OUTAGES = 3


class JudgeClient:
    """A judge at a URL. Thread-safe; sync calls run on an own loop, so they work inside Jupyter too.

    url: root or `/v1` of the endpoint; several servers of one model, with commas between, share the questions evenly.
    model: None asks the endpoint for its first model. revision: of its weights.
    sampling: how replies are drawn. rubric: a benchmark's own way to score, with its own sampling; None: ours. key: the
    variable that the key is taken from, where `api_key` is None and it is set (`rrvf.endpoints`). cache_dir: answers
    are kept there, keyed by pictures and card (prompt, model, revision, sampling), not by URL: a server that comes back
    elsewhere is not paid twice. Give `revision` where two servers have different weights under one name. None keeps
    nothing. max_in_flight: requests at once. timeout_s: how long one request may be silent. deadline_s: one question,
    its retries included, from when it is its turn. max_retries: for 429 (Retry-After is heeded), 5xx and lost
    connections, with growing, jittered pauses; replies that are no answer are asked for once more. outage_s: after the
    retries, how long to wait for a server that cannot be reached, or whose gateway says so (502, 503, 504); all
    questions wait together.
    """

    def __init__(
        self, url: str, model: str | None = None, *, revision: str = "", sampling: Sampling = Sampling(),
        rubric: Rubric | None = None, key: str = "RRVF_JUDGE_API_KEY", api_key: str | None = None,
        cache_dir: str | Path | None = None, max_in_flight: int = 16,
        timeout_s: float = 60.0, deadline_s: float = 300.0, max_retries: int = 4, outage_s: float = 0.0,
    ) -> None:  # fmt: skip
        bases = addresses(url, "judge")
        self._base = ", ".join(bases)
        self._model = model
        self._revision = revision
        self._rubric = rubric
        self._sampling = rubric.sampling if rubric else sampling
        self._deadline_s = deadline_s
        self._outage = Outage(self._base, self._alive, outage_s)
        self._structured = True
        self._running: dict[str, asyncio.Task[Judgement]] = {}
        self._cache = _open_cache(cache_dir)
        self._slots = asyncio.Semaphore(max_in_flight)
        self._servers = Servers([
            openai.AsyncOpenAI(
                base_url=base, api_key=api_key or key_for(base, key),
                timeout=timeout_s, max_retries=max_retries, http_client=Bounded(base),
            ) for base in bases
        ])  # fmt: skip
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rrvf-judge-client", daemon=True)
        self._thread.start()

    def compare(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """What differs, as text (Fig. 2c, step 2). The Judgement holds feedback and no score."""
        return self._submit(reference_png, generated_png, domain, "feedback").result()

    def score(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """How alike, as a number in [0, 1] with parts (Fig. 2d). The Judgement holds no feedback."""
        return self._submit(reference_png, generated_png, domain, "score").result()

    async def acompare(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """`compare` for any running loop."""
        return await asyncio.wrap_future(self._submit(reference_png, generated_png, domain, "feedback"))

    async def ascore(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """`score` for any running loop."""
        return await asyncio.wrap_future(self._submit(reference_png, generated_png, domain, "score"))

    def card(self, domain: str) -> JudgeCard:
        """Who judges and how it is asked. Raises UserError when neither caller nor endpoint names the model."""
        try:
            model = asyncio.run_coroutine_threadsafe(self._named_in_time(), self._loop).result()
        except Exception as error:  # the library takes what it received for what it asked for
            raise UserError(f"the judge at {self._base} does not name its model: is it running?") from error
        return self._card(model, domain)

    def check(self) -> None:
        """Ask for a sign of life before anything is paid for: UserError, with what starts a judge, where none comes.

        A judge that is busy with others may be silent for a while, so silence counts at the third time.
        """
        if not any(asyncio.run_coroutine_threadsafe(self._alive(), self._loop).result() for _ in range(3)):
            port = httpx.URL(self._base.partition(",")[0]).port or 8000
            raise UserError(
                f"no judge answers at {self._base}: start it there (on GPUs `make judge JUDGE=72b PORT={port}`, or "
                f"JUDGE=7b for the smaller one; the embedded one `rrvf judge serve --port {port}`), or name its "
                "address as the profile's judge.url"
            )

    def close(self) -> None:
        """Stop the loop and close connections and cache."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()
        if self._cache is not None:
            self._cache.close()

    async def _stop(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # whoever waits for an answer is told
        await self._servers.close()

    def __enter__(self) -> JudgeClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _submit(self, reference: bytes, generated: bytes, domain: str, mode: Mode) -> Future[Judgement]:
        own = load_judge_prompt(find_domain(domain).name, mode)
        prompt = self._rubric.prompt if self._rubric and mode == "score" else own
        return asyncio.run_coroutine_threadsafe(self._judged(reference, generated, domain, mode, prompt), self._loop)

    async def _judged(
        self, reference: bytes, generated: bytes, domain: str, mode: Mode, prompt: JudgePrompt
    ) -> Judgement:
        """The cached answer, the answer already under way, or a new one."""
        started = time.perf_counter()
        try:
            model = await self._patiently(self._model_name)
            key = _key(reference, generated, prompt.sha256, self._card(model, domain).id)
            if (kept := self._kept(key)) is not None:
                return kept
            if key not in self._running:
                asked = self._question(prompt, reference, generated, mode)
                task = asyncio.create_task(self._answer(asked, model, domain, mode, key))
                self._running[key] = task
                task.add_done_callback(lambda done: self._forget(key, done))
            return await asyncio.shield(self._running[key])
        except (Exception, asyncio.CancelledError) as error:  # the caller learns it as a judge_error, never as a number
            seconds = time.perf_counter() - started
            return Judgement(status="judge_error", reason=reason_of(error), judge=self._model or "", seconds=seconds)

    def _question(self, prompt: JudgePrompt, reference: bytes, generated: bytes, mode: Mode) -> list[dict]:
        if self._rubric and mode == "score":
            return self._rubric.question(reference, generated)
        return question(prompt, reference, generated)

    def _forget(self, key: str, task: asyncio.Task[Judgement]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # looked at, in case every caller ran out of time

    async def _answer(self, messages: list[dict], model: str, domain: str, mode: Mode, key: str) -> Judgement:
        started = time.perf_counter()
        card = self._card(model, domain).id
        used = [Usage()]

        def judged(**fields: Any) -> Judgement:
            usage = used[0] if used[0].input_tokens else None  # the embedded judge counts none
            return Judgement(seconds=time.perf_counter() - started, usage=usage, **fields)

        try:
            async with self._slots:
                fields = await self._patiently(lambda: self._fields(messages, model, mode, used))
        except Exception as error:  # what its calls cost stays known
            return judged(status="judge_error", reason=reason_of(error), judge=model)
        judgement = judged(status="ok", judge=card, **fields)
        self._keep(key, judgement)
        return judgement

    async def _fields(self, messages: list[dict], model: str, mode: Mode, used: list[Usage]) -> dict:
        """What the reply says; `used[0]` grows by what each call cost."""
        try:
            return self._read(await self._text(messages, model, mode, used), mode)
        except BadReply:
            return self._read(await self._text(messages, model, mode, used), mode)

    def _read(self, text: str, mode: Mode) -> dict:
        return {"score": self._rubric.read(text)} if self._rubric and mode == "score" else fields_of(text, mode)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """`ask()` within the deadline; where nobody listens, again when the server is back."""
        for outages_left in reversed(range(_OUTAGES)):
            try:
                async with asyncio.timeout(self._deadline_s):
                    return await ask()
            except openai.APIError as error:
                if not (_away(error) and outages_left and await self._outage.over()):
                    raise
        raise AssertionError("the last round returns or raises")

    async def _alive(self) -> bool:
        return await self._servers.any(_alive)

    async def _text(self, messages: list[dict], model: str, mode: Mode, used: list[Usage]) -> str:
        """One reply's text.

        An endpoint that answers only without `response_format` is asked without it from then on.
        """
        if mode != "score" or self._rubric or not self._structured:
            return await self._reply(messages, model, used)
        try:
            return await self._reply(messages, model, used, response_format=FORMAT)
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            text = await self._reply(messages, model, used)  # refused again, it was for another reason
            self._structured = False
            return text

    async def _reply(self, messages: list[dict], model: str, used: list[Usage], **extra: Any) -> str:
        sampling = self._sampling.model_dump(exclude_none=True)
        try:
            reply = await self._servers.call(
                lambda api: api.chat.completions.create(model=model, messages=messages, **sampling, **extra)
            )
        except ValueError as error:
            raise BadReply("the reply's body is not JSON") from error
        used[0] += usage_of(reply)
        return content_of(reply)

    async def _named_in_time(self) -> str:
        async with asyncio.timeout(self._deadline_s):
            return await self._model_name()

    async def _model_name(self) -> str:
        if self._model is None:
            listed = getattr(await self._servers.call(_models), "data", None)
            name = getattr(listed[0], "id", None) if isinstance(listed, list) and listed else None
            if not isinstance(name, str) or not name:
                raise BadReply("the endpoint lists no model")
            self._model = storable(name)
        return self._model

    def _card(self, model: str, domain: str) -> JudgeCard:
        rubric = self._rubric
        of_rubric = {"rubric": rubric.id, "score_hash": rubric.prompt.sha256} if rubric else {}
        return JudgeCard.of(model, domain, self._sampling, self._revision, **of_rubric)

    def _kept(self, key: str) -> Judgement | None:
        try:
            return Judgement.model_validate(self._cache[key]) if self._cache is not None else None
        except Exception:  # absent, damaged, locked: asked again
            return None

    def _keep(self, key: str, judgement: Judgement) -> None:
        try:
            if self._cache is not None:
                self._cache[key] = json.loads(judgement.model_dump_json())
        except Exception as error:  # an answer that cannot be kept is an answer all the same
            _not_kept(error)


def _not_kept(error: Exception) -> None:
    warnings.warn(f"the judge's answers cannot be kept ({error}): a rerun will ask again", stacklevel=3)


async def _models(api: openai.AsyncOpenAI) -> object:
    return await api.models.list()


async def _alive(api: openai.AsyncOpenAI) -> bool:
    try:
        async with asyncio.timeout(_SIGN_S):
            await api.with_options(max_retries=0).models.list()
    except (openai.OpenAIError, ValueError, TimeoutError) as error:  # whoever refuses is there
        return not isinstance(error, openai.APITimeoutError | TimeoutError) and not _away(error)
    return True


def _away(error: Exception) -> bool:
    """Whether nobody listens, by the connection or by a gateway's word. Silence is not absence."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (502, 503, 504)
    return isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError)


def _open_cache(folder: str | Path | None) -> Cache | None:
    if folder is None:
        return None
    from diskcache import Cache, JSONDisk  # JSON: a cache that others can write must not hold pickles

    try:
        return Cache(str(folder), disk=JSONDisk, eviction_policy="none", size_limit=2**40)
    except (OSError, sqlite3.Error) as error:
        _not_kept(error)
        return None


def _key(reference: bytes, generated: bytes, *words: str) -> str:
    pictures = (hashlib.sha256(png).hexdigest() for png in (reference, generated))
    return hashlib.sha256("\n".join((*pictures, *words)).encode()).hexdigest()
