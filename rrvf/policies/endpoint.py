"""A policy behind any OpenAI-compatible endpoint: vLLM or a hosted model."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager

from openai import APIConnectionError, AsyncOpenAI, BadRequestError, UnprocessableEntityError
from PIL import Image

from rrvf.endpoints import Bounded, base_url, key_for, usage_of, words_of
from rrvf.errors import UserError
from rrvf.policies import Answer, Keep, NoReply
from rrvf.protocol import first_message, tool_response_text
from rrvf.records import Usage, storable

#: Seconds without data before a request times out, and seconds for one picture with all retries.
_SILENT_S, _DEADLINE_S = 600.0, 3600.0
#: Questions prepared ahead, as a multiple of those in flight.
_AHEAD = 4
#: After this many refusals in a row, the cause is not the questions.
_REFUSED_IN_A_ROW = 8
_NOT_THIS_CALLER = (401, 402, 403, 404, 405, 407, 410)
_LATER = (408, 409, 429, 502, 503, 504, 529)


class EndpointPolicy:
    """A policy that an endpoint serves. One call per turn.

    url: the endpoint or its `/v1`. key: the environment variable that holds the API key (see `rrvf.endpoints`).
    temperature: 0 is greedy; None is not sent. repetition_penalty: vLLM's; None lets vLLM take it from the model's
    files.

    If the model refuses `temperature`, or wants `max_completion_tokens` instead of `max_tokens`, the call is repeated
    accordingly, and so are all later calls. The reasoning that a model returns beside its reply is ignored.

    An empty reply gives no text and a problem. So does a refused question (a content filter, for example). UserError if
    every question is refused, or 8 in a row: a wrong setting, a model without vision, or an account without credit. A
    server that fails gives a `failed` answer, after the client's retries. UserError if the call never reached the
    policy: nothing answers at the url (no connection, a timeout, a gateway's 502 to 504), or the caller is refused or
    exceeds its rate limit.

    answered: whether any question was answered so far, here or in an earlier run.
    """

    def __init__(
        self, url: str, model: str, max_new_tokens: int = 4_096, in_flight: int = 8, *,
        key: str = "RRVF_POLICY_API_KEY", temperature: float | None = 0.0, repetition_penalty: float | None = None,
    ) -> None:  # fmt: skip
        self.name, self._url, self._key = model, base_url(url, "policy"), key
        self._client = AsyncOpenAI(
            base_url=self._url, api_key=key_for(self._url, key), max_retries=4, timeout=_SILENT_S
        )
        self._settings = {"model": model, "temperature": temperature, "max_tokens": max_new_tokens}
        if temperature is None:
            del self._settings["temperature"]
        if repetition_penalty is not None:
            self._settings |= {"extra_body": {"repetition_penalty": repetition_penalty}}
        self._in_flight = in_flight
        self.answered = False

    def reply(self, pictures: list[Image.Image], prompt: str | list[str]) -> list[str | NoReply]:
        """One turn per picture, in order. `prompt` is one for all pictures, or a list with one per picture."""
        prompts = [prompt] * len(pictures) if isinstance(prompt, str) else prompt
        asked = (question(*pair) for pair in zip(pictures, prompts, strict=True))
        return self._texts(asked)

    def chat(self, conversations: list[list[dict]]) -> list[str | NoReply]:
        """The next turn of each conversation. Messages are those of `rrvf.rollout.run_episode`."""
        return self._texts(conversations)

    def _texts(self, asked: Iterable[list[dict]]) -> list[str | NoReply]:
        return [NoReply(a.problem, a.failed) if a.text is None else a.text for a in self.answers(asked)]

    def answers(self, conversations: Iterable[list[dict] | None], keep: Keep | None = None) -> Iterator[Answer]:
        """The next turn of each conversation, in order: `in_flight` at a time, reading the input only a little ahead.

        A conversation that is None gets a `failed` answer. keep: called with each answer of the policy, as it
        arrives (not in order), in the client's thread.
        """
        refused, held = 0, []
        with closing(self._in_order(conversations, keep)) as coming:
            for answer in coming:
                held.append(answer)
                if isinstance(answer, _Refused):
                    if (refused := refused + 1) == _REFUSED_IN_A_ROW:
                        raise _refusing(refused, answer)
                elif answer.usage is not None:
                    refused = 0
                if not refused:
                    yield from held
                    held.clear()
        if refused and not self.answered:
            raise _refusing(refused, next(a for a in held if isinstance(a, _Refused)))
        yield from held

    def _in_order(self, conversations: Iterable[list[dict] | None], keep: Keep | None) -> Generator[Answer, None, None]:
        with self._running() as (loop, api, places):
            ahead: deque = deque()
            for place, messages in enumerate(conversations):
                told = self._told(api, places, messages, place, keep)
                ahead.append(asyncio.run_coroutine_threadsafe(told, loop))
                while ahead and (ahead[0].done() or len(ahead) >= _AHEAD * self._in_flight):
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    @contextmanager
    def _running(self) -> Iterator[tuple[asyncio.AbstractEventLoop, AsyncOpenAI, asyncio.Semaphore]]:
        """Run an event loop in a new thread, so that it works inside Jupyter too.

        Tasks that still run at the end are cancelled.
        """
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="rrvf-policy-client", daemon=True)
        thread.start()
        api = self._client.copy(http_client=Bounded(self._url))
        try:
            yield loop, api, asyncio.Semaphore(self._in_flight)
        finally:
            asyncio.run_coroutine_threadsafe(_stopped(api), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    async def _told(self, api, places, messages: list[dict] | None, place: int, keep: Keep | None) -> Answer:
        answer = await self._one(api, places, messages)
        if answer.usage is not None and not isinstance(answer, _Refused):
            self.answered = True
            if keep:
                keep(place, answer)
        return answer

    async def _one(self, api: AsyncOpenAI, places: asyncio.Semaphore, messages: list[dict] | None) -> Answer:
        if messages is None:
            return Answer(None, "there is no question", failed=True)
        async with places:
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    answer = await self._asked(api, [_sent(message) for message in messages])
                    return _said(answer, self._settings, usage_of(answer))
            except Exception as error:  # the client does not validate the response it gets
                return self._unanswered(error)

    def _unanswered(self, error: Exception) -> Answer:
        """The answer for a call that failed. Raises UserError if the call never reached the policy."""
        status, words = getattr(error, "status_code", None), _short(words_of(error))
        if status in _NOT_THIS_CALLER:
            raise UserError(
                f"the policy's endpoint refused the call: {words}; check {self._key}, the key that is sent to it"
            ) from None
        if isinstance(error, APIConnectionError | TimeoutError) or status in _LATER:
            raise UserError(
                f"the policy's endpoint does not answer ({words}): run the same command again when it does; "
                "what was written is kept"
            ) from None
        if getattr(error, "code", None) in ("unsupported_parameter", "unsupported_value", "unknown_parameter"):
            raise UserError(f"the policy's endpoint refuses a setting of the request: {words}") from None
        problem = f"the endpoint failed: {words}"
        return _Refused(None, problem) if status and 400 <= status < 500 else Answer(None, problem, failed=True)

    async def _asked(self, api: AsyncOpenAI, messages: list[dict]):
        """The completion. Settings that the model refuses are changed; the changed ones are kept after an answer."""
        settings = self._settings
        while True:
            try:
                answer = await api.chat.completions.create(messages=messages, **settings)
            except (BadRequestError, UnprocessableEntityError) as error:
                if (settings := _settled(settings, error)) is None:
                    raise
                continue
            self._settings = settings
            return answer


class _Refused(Answer):
    """A question that the endpoint refuses. It is the sample's fault, unless every question is refused."""


def _refusing(times: int, answer: Answer) -> UserError:
    how = f"{times} questions in a row" if times > 1 else "the question"
    return UserError(
        f"the policy's endpoint refused {how} ({answer.problem.removeprefix('the endpoint failed: ')}): check that "
        "its model accepts pictures, questions of this length and these settings, and that the account is in order; "
        "none is scored, and what was written is kept"
    )


async def _stopped(api: AsyncOpenAI) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await api.close()


def _settled(settings: dict, refusal: BadRequestError | UnprocessableEntityError) -> dict | None:
    """The settings without the one that a refusal names. None if it names none that can be left out.

    Only vLLM knows `repetition_penalty`. It can be left out where it is 1, which is what others decode with.
    """
    known = ("max_tokens", "temperature", "repetition_penalty")
    named = refusal.param or next((name for name in known if name in words_of(refusal)), None)
    if named == "repetition_penalty" and settings.get("extra_body", {}).get(named) == 1:
        named = "extra_body"
    if named not in ("max_tokens", "temperature", "extra_body") or named not in settings:
        return None
    rest = {name: value for name, value in settings.items() if name != named}
    return rest | ({"max_completion_tokens": settings[named]} if named == "max_tokens" else {})


def _said(answer, settings: dict, usage: Usage) -> Answer:
    """The answer in a completion's first choice: its text, or the problem."""
    choices = getattr(answer, "choices", None)
    message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
    if message is None:
        told = getattr(answer, "error", None)  # some servers send errors with status 200
        words = f" ({_short(told)})" if told else ""
        return _Refused(None, f"the endpoint answered with something that is no chat completion{words}", usage)
    text = getattr(message, "content", None)
    if isinstance(text, str) and text.strip():
        return Answer(storable(text), usage=usage)
    ended = getattr(choices[0], "finish_reason", None)
    if ended == "length":
        most = settings.get("max_tokens") or settings.get("max_completion_tokens")
        why = f"cut at {most} tokens before a word of the reply was written: allow more (max_new_tokens)"
        return Answer(None, why, usage)
    return Answer(None, f"the reply is empty ({_short(getattr(message, 'refusal', None) or ended)})", usage)


def _short(words: object) -> str:
    return storable(" ".join(str(words).split()))[:200]


def question(picture: Image.Image, prompt: str) -> list[dict]:
    """One user message: the picture, then the prompt."""
    return [_sent(first_message(picture, prompt))]


def _sent(message: dict) -> dict:
    """A message in the form that every server accepts: pictures as data URIs, tool responses as user messages.

    Servers accept a `tool` message only after a call that they parsed themselves; our calls are part of the text.
    """
    content = message["content"]
    if message["role"] == "tool":
        return {"role": "user", "content": tool_response_text(content)}
    if isinstance(content, str):
        return message
    parts = [
        {"type": "image_url", "image_url": {"url": data_uri(part["image"])}} if part["type"] == "image" else part
        for part in content
    ]
    return message | {"content": parts}


def data_uri(picture: Image.Image) -> str:
    """A picture as a PNG data URI."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
