"""A policy behind any OpenAI-compatible endpoint: vLLM, or a hosted model."""

from __future__ import annotations

import base64
import io
import os
from concurrent.futures import ThreadPoolExecutor

from openai import APIConnectionError, OpenAI, OpenAIError
from PIL import Image

from rrvf.errors import UserError


class EndpointPolicy:
    """Greedy single turns. `url` ends in `/v1`.

    A call that the server answers with a failure of its own gives None, not text. UserError where the call never came
    to the policy: nobody listens, the caller is refused or asks too much, after the client's retries.
    """

    def __init__(self, url: str, model: str, max_new_tokens: int = 4_096, in_flight: int = 8) -> None:
        self.name = model
        self._client = OpenAI(
            base_url=url, api_key=os.environ.get("OPENAI_API_KEY") or "none", max_retries=4, timeout=600.0
        )
        self._settings = {"model": model, "temperature": 0.0, "max_tokens": max_new_tokens}
        self._in_flight = in_flight

    def reply(self, pictures: list[Image.Image], prompt: str) -> list[str | None]:
        """One turn per picture, in order."""
        with ThreadPoolExecutor(self._in_flight) as pool:
            return list(pool.map(lambda picture: self._one(picture, prompt), pictures))

    def _one(self, picture: Image.Image, prompt: str) -> str | None:
        content = [{"type": "image_url", "image_url": {"url": data_uri(picture)}}, {"type": "text", "text": prompt}]
        try:
            answer = self._client.chat.completions.create(
                messages=[{"role": "user", "content": content}], **self._settings
            )
        except OpenAIError as error:
            if getattr(error, "status_code", None) in (401, 403, 404):
                raise UserError(f"the policy's endpoint refused the call: {error}") from None
            if isinstance(error, APIConnectionError) or getattr(error, "status_code", None) in (429, 502, 503, 504):
                raise UserError(
                    f"the policy's endpoint does not answer ({error}): run the same command again when it does; "
                    "what was written is kept"
                ) from None
            return None
        return answer.choices[0].message.content


def data_uri(picture: Image.Image) -> str:
    """A picture as a PNG data URI."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
