"""A policy behind any OpenAI-compatible endpoint: vLLM, or a hosted model."""

from __future__ import annotations

import asyncio
import base64
import io
from concurrent.futures import ThreadPoolExecutor

from openai import APIConnectionError, AsyncOpenAI, BadRequestError, UnprocessableEntityError
from PIL import Image

from rrvf.endpoints import Bounded, base_url, key_for
from rrvf.errors import UserError
from rrvf.policies import NoReply
from rrvf.protocol import tool_response_text
from rrvf.records import storable

#: Seconds that one request may be silent, and that one picture may take with all its retries.
_SILENT_S, _DEADLINE_S = 600.0, 3600.0


class EndpointPolicy:
    """Greedy turns. url: of the endpoint or its `/v1`. The key is taken from RRVF_POLICY_API_KEY (`rrvf.endpoints`).

    A model that takes no `temperature`, or `max_completion_tokens` in the place of `max_tokens`, says so at the first
    call and is asked as it wants to be. What a reasoning model thinks apart from its reply is no part of it.

    A call that the server answers with a failure of its own, or with nothing, gives a NoReply that says why. UserError
    where the call never came to the policy: nobody listens, the caller is refused or asks too much, after the client's
    retries.
    """

    def __init__(self, url: str, model: str, max_new_tokens: int = 4_096, in_flight: int = 8) -> None:
        self.name, self._url = model, base_url(url, "policy")
        self._client = AsyncOpenAI(
            base_url=self._url, api_key=key_for(self._url, "RRVF_POLICY_API_KEY"), max_retries=4, timeout=_SILENT_S
        )
        self._settings = {"model": model, "temperature": 0.0, "max_tokens": max_new_tokens}
        self._in_flight = in_flight

    def reply(self, pictures: list[Image.Image], prompt: str) -> list[str | NoReply]:
        """One turn per picture, in order."""
        return self._replies([question(picture, prompt) for picture in pictures])

    def chat(self, conversations: list[list[dict]]) -> list[str | NoReply]:
        """The next turn of each conversation, messages as `rrvf.rollout.run_episode` makes them."""
        return self._replies([[_sent(message) for message in messages] for messages in conversations])

    def _replies(self, asked: list[list[dict]]) -> list[str | NoReply]:
        with ThreadPoolExecutor(1) as pool:  # an own loop, so that it works inside Jupyter too
            return pool.submit(asyncio.run, self._all(asked)).result()

    async def _all(self, asked: list[list[dict]]) -> list[str | NoReply]:
        places = asyncio.Semaphore(self._in_flight)

        async def one(messages: list[dict]) -> str | NoReply:
            async with places:
                return await self._one(api, messages)

        async with self._client.copy(http_client=Bounded(self._url)) as api:
            return list(await asyncio.gather(*map(one, asked)))

    async def _one(self, api: AsyncOpenAI, messages: list[dict]) -> str | NoReply:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                return _said(await self._asked(api, messages), self._settings)
        except Exception as error:  # the library takes what it received for what it asked for
            status = getattr(error, "status_code", None)
            if status in (401, 403, 404):
                raise UserError(
                    f"the policy's endpoint refused the call: {error}; RRVF_POLICY_API_KEY is the key that is sent to it"
                ) from None
            if isinstance(error, APIConnectionError | TimeoutError) or status in (429, 502, 503, 504):
                raise UserError(
                    f"the policy's endpoint does not answer ({error}): run the same command again when it does; "
                    "what was written is kept"
                ) from None
            if getattr(error, "code", None) in ("unsupported_parameter", "unsupported_value", "unknown_parameter"):
                raise UserError(f"the policy's endpoint cannot be asked as it is here: {error}") from None
            return NoReply(f"the endpoint failed: {_short(error)}")

    async def _asked(self, api: AsyncOpenAI, messages: list[dict]):
        """The completion, with the settings that the model takes; they are kept once it has answered."""
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


def _settled(settings: dict, refusal: BadRequestError | UnprocessableEntityError) -> dict | None:
    """The settings without what a refusal names; None where it names nothing that can be left out."""
    named = refusal.param or next((name for name in ("max_tokens", "temperature") if name in str(refusal)), None)
    if named not in ("max_tokens", "temperature") or named not in settings:
        return None
    rest = {name: value for name, value in settings.items() if name != named}
    return rest | ({"max_completion_tokens": settings[named]} if named == "max_tokens" else {})


def _said(answer, settings: dict) -> str | NoReply:
    """The text of a completion; where there is none, why."""
    choices = getattr(answer, "choices", None)
    message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
    if message is None:
        return NoReply("the endpoint answered with something that is no chat completion")
    text = getattr(message, "content", None)
    if isinstance(text, str) and text.strip():
        return storable(text)
    ended = getattr(choices[0], "finish_reason", None)
    if ended == "length":
        most = settings.get("max_tokens") or settings.get("max_completion_tokens")
        return NoReply(f"cut at {most} tokens before a word of the reply was written: allow more (max_new_tokens)")
    return NoReply(f"the reply is empty ({_short(getattr(message, 'refusal', None) or ended)})")


def _short(words: object) -> str:
    return storable(" ".join(str(words).split()))[:200]


def question(picture: Image.Image, prompt: str) -> list[dict]:
    """One user message: the picture, then the prompt."""
    image = {"type": "image_url", "image_url": {"url": data_uri(picture)}}
    return [{"role": "user", "content": [image, {"type": "text", "text": prompt}]}]


def _sent(message: dict) -> dict:
    """A message as every server takes it: pictures as data URIs, and the tool's word as the user's.

    Servers take a `tool` message only after a call that they parsed themselves; our calls are part of the text.
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
