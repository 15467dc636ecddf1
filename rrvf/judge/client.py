"""Any OpenAI-compatible endpoint as a judge: the embedded server, vLLM, a hosted model.

    with JudgeClient("http://127.0.0.1:8000", cache_dir=".cache/judge") as judge:
        judge.score(target_png, rendered_png, "chart").score

Every call ends in a Judgement: a complete answer, or `judge_error` with a reason. There is no default score. For both
orders of the pictures, repeats and further judges see `rrvf.judge.panel`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import httpx
import openai

from rrvf.domains import domain as find_domain
from rrvf.endpoints import Bounded, addresses, key_for, usage_of
from rrvf.errors import UserError
from rrvf.judge.cache import AnswerCache, key_of
from rrvf.judge.card import JudgeCard, Sampling
from rrvf.judge.outage import Outage
from rrvf.judge.prompts import SCORE_SCHEMA, JudgePrompt, Mode, load_judge_prompt
from rrvf.judge.replies import BadReply, content_of, fields_of, question, reason_of
from rrvf.judge.rubrics import Rubric
from rrvf.judge.servers import SIGN_S, Servers, alive, away
from rrvf.records import Judgement, Usage, storable

FORMAT = {"type": "json_schema", "json_schema": {"name": "score", "strict": True, "schema": SCORE_SCHEMA}}
T = TypeVar("T")
#: Times that one question is asked, with a wait for an outage between two. A question that crashes its server each time
#: must not be asked for ever.
_ROUNDS = 3


class JudgeClient:
    """A judge at a URL. Thread-safe. Calls run on an event loop in a second thread, so they work inside Jupyter too.

    url: root or `/v1` of the endpoint. Several servers of one model, separated by commas, share the questions evenly.
    model: None takes the first model that the endpoint lists.
    revision: of the model's weights. Give it where two servers have different weights under one name.
    sampling: how replies are drawn.
    rubric: a benchmark's own rubric, which brings its own sampling. None: ours.
    api_key, key: the API key; None reads it from the environment variable `key` (`rrvf.endpoints`).
    cache_dir: folder of the cache; None: no cache. Its keys are the pictures and the card (prompt, model, revision,
    sampling) without the URL, so a server that moves to another address is not asked again.
    max_in_flight: requests at once.
    timeout_s: seconds without a byte until one request fails.
    deadline_s: seconds for one question with its retries, not counting the wait for one of the `max_in_flight` slots.
    max_retries: of one request after 429 (Retry-After is respected), 5xx or a lost connection, with growing, jittered
    pauses. Besides, a reply that cannot be read is asked for once more.
    outage_s: seconds to wait, after the retries, for a server that cannot be reached or whose gateway answers 502, 503
    or 504. All questions share one wait. 0: no wait.
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
        self._outage = Outage(self._base, self._any_alive, outage_s)
        self._structured = True
        self._running: dict[str, asyncio.Task[Judgement]] = {}
        self._cache = AnswerCache(cache_dir)
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
        """What differs between two PNG pictures, as text (Fig. 2c, step 2): a Judgement with feedback and no score."""
        return self._submit(reference_png, generated_png, domain, "feedback").result()

    def score(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """How alike two PNG pictures are (Fig. 2d): a Judgement with a score and parts in [0, 1], without feedback."""
        return self._submit(reference_png, generated_png, domain, "score").result()

    async def ascore(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """`score` for async code, on any event loop."""
        return await asyncio.wrap_future(self._submit(reference_png, generated_png, domain, "score"))

    def card(self, domain: str) -> JudgeCard:
        """The judge's card. UserError when neither the caller nor the endpoint names the model."""
        try:
            model = asyncio.run_coroutine_threadsafe(self._named_in_time(), self._loop).result()
        except Exception as error:  # any kind: the library does not check the replies that it parses
            raise UserError(f"the judge at {self._base} does not name its model: is it running?") from error
        return self._card(model, domain)

    def check(self) -> None:
        """UserError where no judge answers, or a server of one other model. Call it before anything is paid for.

        A busy judge may be silent for a while, so it is asked up to three times.
        """
        if not any(asyncio.run_coroutine_threadsafe(self._any_alive(), self._loop).result() for _ in range(3)):
            port = httpx.URL(self._base.partition(",")[0]).port or 8000
            raise UserError(
                f"no judge answers at {self._base}: start it there (on GPUs `make judge JUDGE=72b PORT={port}`, or "
                f"JUDGE=7b for the smaller one; the embedded one `rrvf judge serve --port {port}`), or name its "
                "address as the profile's judge.url"
            )
        if self._model and asyncio.run_coroutine_threadsafe(self._is_another(), self._loop).result():
            raise UserError(
                f"the server at {self._base} is not {self._model}: stop it, or name another judge.url or judge.model"
            )

    def close(self) -> None:
        """Stop the event loop and close connections and cache. Open calls end as `judge_error`."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()
        self._cache.close()

    async def _stop(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # open calls end before the connections
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
        """The cached answer, or the answer of an equal question under way, or a new one. Only a new one has a usage."""
        started = time.perf_counter()
        try:
            model = await self._patiently(self._model_name)
            key = key_of(reference, generated, prompt.sha256, self._card(model, domain).id)
            if (kept := self._cache.get(key)) is not None:
                return kept.model_copy(update={"usage": None})
            if new := key not in self._running:
                asked = self._question(prompt, reference, generated, mode)
                task = asyncio.create_task(self._answer(asked, model, domain, mode, key))
                self._running[key] = task
                task.add_done_callback(lambda done: self._forget(key, done))
            answer = await asyncio.shield(self._running[key])
            return answer if new else answer.model_copy(update={"usage": None})
        except (Exception, asyncio.CancelledError) as error:  # the caller gets a judge_error, never a number
            seconds = time.perf_counter() - started
            return Judgement(status="judge_error", reason=reason_of(error), judge=self._model or "", seconds=seconds)

    def _question(self, prompt: JudgePrompt, reference: bytes, generated: bytes, mode: Mode) -> list[dict]:
        if self._rubric and mode == "score":
            return self._rubric.question(reference, generated)
        return question(prompt, reference, generated)

    def _forget(self, key: str, task: asyncio.Task[Judgement]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # read it: asyncio warns of an exception that nobody reads

    async def _answer(self, messages: list[dict], model: str, domain: str, mode: Mode, key: str) -> Judgement:
        started = time.perf_counter()
        card = self._card(model, domain).id
        used = [Usage()]

        def judged(**fields: Any) -> Judgement:
            usage = used[0] if used[0].input_tokens else None  # the embedded judge reports 0 tokens
            return Judgement(seconds=time.perf_counter() - started, usage=usage, **fields)

        try:
            async with self._slots:
                fields = await self._patiently(lambda: self._fields(messages, model, mode, used))
        except Exception as error:  # here and not in `_judged`, so that the record keeps the usage of the failed calls
            return judged(status="judge_error", reason=reason_of(error), judge=model)
        judgement = judged(status="ok", judge=card, **fields)
        self._cache.put(key, judgement)
        return judgement

    async def _fields(self, messages: list[dict], model: str, mode: Mode, used: list[Usage]) -> dict:
        """The fields of a Judgement that the reply gives. The usage of each call is added to `used[0]`."""
        try:
            return self._read(await self._text(messages, model, mode, used), mode)
        except BadReply:
            return self._read(await self._text(messages, model, mode, used), mode)

    def _read(self, text: str, mode: Mode) -> dict:
        return {"score": self._rubric.read(text)} if self._rubric and mode == "score" else fields_of(text, mode)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """`ask()` within the deadline. Where no server listens, it is asked again after the outage."""
        for rounds_left in reversed(range(_ROUNDS)):
            try:
                async with asyncio.timeout(self._deadline_s):
                    return await ask()
            except openai.APIError as error:
                if not (away(error) and rounds_left and await self._outage.over()):
                    raise
        raise AssertionError("the last round returns or raises")

    async def _any_alive(self) -> bool:
        return await self._servers.any(alive)

    async def _is_another(self) -> bool:
        """Whether a server lists one model only, another one. A host of many may list ours by another name."""
        return await self._servers.any(lambda api: _serves_only_another(api, self._model or ""))

    async def _text(self, messages: list[dict], model: str, mode: Mode, used: list[Usage]) -> str:
        """The text of one reply. An endpoint that refuses `response_format` is asked without it from then on."""
        if mode != "score" or self._rubric or not self._structured:
            return await self._reply(messages, model, used)
        try:
            return await self._reply(messages, model, used, response_format=FORMAT)
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            text = await self._reply(messages, model, used)  # raises if the refusal has another reason
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
            name = next(iter(await self._servers.call(_listed)), None)
            if not isinstance(name, str) or not name:
                raise BadReply("the endpoint lists no model")
            self._model = storable(name)
        return self._model

    def _card(self, model: str, domain: str) -> JudgeCard:
        rubric = self._rubric
        of_rubric = {"rubric": rubric.id, "score_hash": rubric.prompt.sha256} if rubric else {}
        return JudgeCard.of(model, domain, self._sampling, self._revision, **of_rubric)


async def _listed(api: openai.AsyncOpenAI) -> list[object]:
    """The ids of the models that an endpoint lists, unchecked."""
    listed = getattr(await api.models.list(), "data", None)
    return [getattr(entry, "id", None) for entry in listed] if isinstance(listed, list) else []


async def _serves_only_another(api: openai.AsyncOpenAI, model: str) -> bool:
    try:
        async with asyncio.timeout(SIGN_S):
            names = await _listed(api)
    except (openai.OpenAIError, ValueError, TimeoutError):
        return False
    return len(names) == 1 and isinstance(names[0], str) and names[0] != model
