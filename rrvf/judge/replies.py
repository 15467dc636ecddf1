"""The words on the wire: the question with two pictures, and what counts as an answer.

Nothing is guessed from a reply. A score stands in one JSON object with every part in its range, or there is none.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re

import openai

from rrvf.judge.prompts import POINTS, JudgePrompt, Mode

MAX_FEEDBACK = 4000
_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*)\n```\Z", re.DOTALL)
_LINE = re.compile(r"^-\*\*\w+\*\*- \S", re.MULTILINE)


class BadReply(Exception):
    """The judge answered, but not with an answer. The message is short and fit for a record."""


def question(prompt: JudgePrompt, reference_png: bytes, generated_png: bytes) -> list[dict]:
    """One user message: the prompt, then the two pictures, each after its role; the reference first."""
    content = [{"type": "text", "text": prompt.text}]
    for role, png in (("Reference picture:", reference_png), ("Generated picture:", generated_png)):
        uri = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        content += [{"type": "text", "text": role}, {"type": "image_url", "image_url": {"url": uri}}]
    return [{"role": "user", "content": content}]


def score_of(text: str) -> tuple[float, dict[str, float]]:
    """(score, parts), all in [0, 1], of a reply that is one JSON object, fenced or bare. Raises BadReply."""
    fenced = _FENCE.match(text.strip())
    try:
        reply = json.loads(fenced.group(1) if fenced else text, object_pairs_hook=_said_once)
    except (ValueError, RecursionError):
        raise BadReply("the reply is not one JSON object") from None
    if not isinstance(reply, dict) or set(reply) != {*POINTS, "score"}:
        raise BadReply(f"the reply's keys are not {', '.join(POINTS)}, score")
    parts = {name: _share(reply[name], top, name) for name, top in POINTS.items()}
    return _share(reply["score"], 100, "score"), parts


def _said_once(pairs: list[tuple[str, object]]) -> dict:
    if len(keys := dict(pairs)) < len(pairs):
        raise BadReply("the reply says a key twice")  # the last would win, and two scores are none
    return keys


def _share(value: object, top: float, name: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= top:  # NaN is in no range
        raise BadReply(f"{name} is not a number from 0 to {top}")
    return round(value / top, 6)


def feedback_of(text: str) -> str:
    """The feedback of a reply in the form `---Comments:` and lines by aspect. Raises BadReply."""
    text = text.strip()
    if not text.startswith("---Comments:") or not _LINE.search(text):
        raise BadReply("the reply is not in the form ---Comments: and lines by aspect")
    if len(text) > MAX_FEEDBACK:
        raise BadReply(f"the feedback is longer than {MAX_FEEDBACK} characters")
    return text


def content_of(reply: object) -> str:
    """The text of a chat completion, wholly written. Raises BadReply."""
    choices = getattr(reply, "choices", None)  # the library does not check what it received
    choice = choices[0] if isinstance(choices, list) and choices else None
    if (message := getattr(choice, "message", None)) is None:
        raise BadReply("the reply is no chat completion")
    if getattr(message, "refusal", None):
        raise BadReply("the judge refused")
    if getattr(choice, "finish_reason", None) in ("length", "content_filter"):
        raise BadReply("the reply was cut off")
    content = getattr(message, "content", None)
    if not isinstance(content, str) or not content.strip():
        raise BadReply("the reply is empty")
    try:
        content.encode()
    except UnicodeEncodeError:
        raise BadReply("the reply holds half a character") from None  # which no file could keep
    return content


def fields_of(text: str, mode: Mode) -> dict:
    """What a reply's text says, as fields of a Judgement. Raises BadReply."""
    if mode == "feedback":
        return {"feedback": feedback_of(text)}
    score, parts = score_of(text)
    return {"score": score, "parts": parts}


def reason_of(error: BaseException) -> str:
    """A reason of one line: a word of a short list, then what was seen."""
    if isinstance(error, asyncio.CancelledError):
        return "closed: the client was closed before the answer"
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return "timeout: no answer in time"
    if isinstance(error, openai.APIConnectionError):
        return "unreachable: no connection to the judge"
    if isinstance(error, openai.RateLimitError):
        return "rate_limited: the judge kept answering 429"
    if isinstance(error, openai.APIStatusError):
        return f"http_{error.status_code}: {_said(error)}"
    if isinstance(error, BadReply):
        return f"bad_reply: {error}"
    return f"bad_reply: {type(error).__name__}"


def _said(error: openai.APIStatusError) -> str:
    """What the endpoint gave as its reason, in one short line."""
    body = error.body if isinstance(error.body, dict) else {}
    words = " ".join(str(body.get("message") or "the judge answered with an error").split())
    return words[:200]
