"""Requests to judges and policies behind a URL: which API keys are sent, and how large a reply may be.

A key is sent only to the host that it belongs to. RRVF_JUDGE_API_KEY goes to the judges that a user names,
RRVF_POLICY_API_KEY to the policies. OPENAI_API_KEY, OPENAI_ORG_ID and OPENAI_PROJECT_ID go only to the host of
OPENAI_BASE_URL, by default api.openai.com. Redirects are not followed, so pictures go only to the address that the user
gave. Reading stops after `MAX_REPLY` bytes.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import openai

from rrvf.errors import UserError
from rrvf.records import Usage, storable

#: The most bytes of one reply. A page of code with a model's thoughts takes about a hundredth of it.
MAX_REPLY = 16 * 2**20
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class RefusedReply(openai.OpenAIError):
    """A reply that was refused or cut off; the message gives the reason. The library raises it without a retry."""


def base_url(url: str, whose: str) -> str:
    """The address of an endpoint, with `/v1` added where it has no path. UserError for anything but an HTTP URL."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:  # of "http://["
        known = False
    if not known:
        raise UserError(f"the {whose}'s address {url!r} is no URL: write it like http://127.0.0.1:8000")
    return url.rstrip("/") + ("" if parts.path.strip("/") else "/v1")


def addresses(urls: str, whose: str) -> list[str]:
    """The addresses of one or several servers, separated by commas."""
    return [base_url(url.strip(), whose) for url in urls.split(",")]


def key_for(url: str, variable: str) -> str:
    """The API key for `url`: from the environment variable `variable`, else OpenAI's for OpenAI's host, else "none"."""
    theirs = os.environ.get("OPENAI_API_KEY") if _is_openai(url) else None
    return os.environ.get(variable) or theirs or "none"


def _is_openai(url: str) -> bool:
    home = os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    return urlsplit(url)[:2] == urlsplit(home)[:2]  # scheme and host with its port


class Bounded(openai.DefaultAsyncHttpxClient):
    """The HTTP client of one endpoint. It uses the proxy of the environment, except for addresses of this machine."""

    def __init__(self, url: str) -> None:
        super().__init__(trust_env=urlsplit(url).hostname not in _LOOPBACK, follow_redirects=False)
        self._openai = _is_openai(url)

    async def send(self, request, **options):
        """Send one request and read its whole reply.

        RefusedReply for a reply that is too large, or compressed, so that its size is unknown.
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
    """The usage of one call: one call and the tokens that its reply reports, else 0 tokens.

    Some endpoints count thoughts only in the total, so the output tokens are at least the total minus the input tokens.
    """
    used, model = getattr(answer, "usage", None), getattr(answer, "model", None)
    asked, written, total = (
        value if isinstance(value := getattr(used, name, None), int) and value >= 0 else 0
        for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    named = (storable(model),) if isinstance(model, str) and model else ()
    return Usage(calls=1, input_tokens=asked, output_tokens=max(written, total - asked), models=named)


def words_of(error: Exception) -> str:
    """An endpoint's message on a failed call. Google's messages are in a list, which the library ignores."""
    if isinstance(error, openai.APIStatusError) and not isinstance(error.body, dict):
        return f"{error.message} {error.response.text}".strip()
    return str(error)


async def _read(response) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RefusedReply("the reply is compressed, which was not asked for")
    parts, size = [], 0
    async for part in response.aiter_raw():
        parts.append(part)
        size += len(part)
        if size > MAX_REPLY:
            raise RefusedReply(f"the reply is larger than {MAX_REPLY >> 20} MiB")
    return b"".join(parts)
