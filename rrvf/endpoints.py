"""Requests to judges and policies behind a URL: whose keys go out, and how much may come in.

A key and OpenAI's organisation headers go to the host that they belong to. RRVF_JUDGE_API_KEY is sent to the judges
that a user names, RRVF_POLICY_API_KEY to the policies; OPENAI_API_KEY, OPENAI_ORG_ID and OPENAI_PROJECT_ID only to the
host of OPENAI_BASE_URL, which is api.openai.com where it is not set. Redirects are not followed: pictures go where the
user said and nowhere else. A reply of more than `MAX_REPLY` bytes is not read on.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import openai

from rrvf.errors import UserError
from rrvf.records import Usage, storable

#: Bytes of one reply. A page of code and a thinking model's thoughts are a hundredth of it.
MAX_REPLY = 16 * 2**20
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class RefusedReply(openai.OpenAIError):
    """A reply that is not read; the message says why. The library passes it on without a retry."""


def base_url(url: str, whose: str) -> str:
    """The address of an endpoint, with `/v1` where it has no path. UserError for what is no address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"the {whose}'s address {url!r} is no URL: write it like http://127.0.0.1:8000")
    return url.rstrip("/") + ("" if parts.path.strip("/") else "/v1")


def addresses(urls: str, whose: str) -> list[str]:
    """The addresses of one or several servers, which stand with commas between them."""
    return [base_url(url.strip(), whose) for url in urls.split(",")]


def key_for(url: str, variable: str) -> str:
    """The key that is sent to `url`: from `variable`, or OpenAI's own to OpenAI; "none" where there is none."""
    theirs = os.environ.get("OPENAI_API_KEY") if _is_openai(url) else None
    return os.environ.get(variable) or theirs or "none"


def _is_openai(url: str) -> bool:
    home = os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    return urlsplit(url)[:2] == urlsplit(home)[:2]  # scheme and host with its port


class Bounded(openai.DefaultAsyncHttpxClient):
    """The HTTP client of one endpoint. A proxy of the environment is used, but not to this machine."""

    def __init__(self, url: str) -> None:
        super().__init__(trust_env=urlsplit(url).hostname not in _LOOPBACK, follow_redirects=False)
        self._openai = _is_openai(url)

    async def send(self, request, **options):
        """One request, its reply read whole.

        RefusedReply for one that is too large, or packed, whose size nobody knows.
        """
        request.headers["Accept-Encoding"] = "identity"
        if not self._openai:
            for name in ("OpenAI-Organization", "OpenAI-Project"):
                request.headers.pop(name, None)
        response = await super().send(request, **options | {"stream": True, "follow_redirects": False})
        try:
            body = await _read(response)
        finally:
            await response.aclose()
        return type(response)(response.status_code, headers=response.headers, content=body, request=request)


def usage_of(answer: object) -> Usage:
    """One call and the tokens that its reply reports; of what reports none, the call alone.

    Some endpoints count thoughts in the total alone, so the reply's tokens are the total less the question's.
    """
    used, model = getattr(answer, "usage", None), getattr(answer, "model", None)
    asked, written, total = (
        value if isinstance(value := getattr(used, name, None), int) and value >= 0 else 0
        for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    named = (storable(model),) if isinstance(model, str) and model else ()
    return Usage(calls=1, input_tokens=asked, output_tokens=max(written, total - asked), models=named)


def words_of(error: Exception) -> str:
    """What an endpoint says of a call that failed. Google's errors stand in a list, which the library passes over."""
    if isinstance(error, openai.APIStatusError) and not isinstance(error.body, dict):
        return f"{error.message} {error.response.text}".strip()
    return str(error)


async def _read(response) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RefusedReply("the reply is packed, which was not asked for")
    parts, size = [], 0
    async for part in response.aiter_raw():
        parts.append(part)
        size += len(part)
        if size > MAX_REPLY:
            raise RefusedReply(f"the reply is larger than {MAX_REPLY >> 20} MiB")
    return b"".join(parts)
