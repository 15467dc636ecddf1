"""Writes the question with two pictures, and reads the judge's reply.

Scores are read strictly: the reply is one JSON object, and every part is in its range. Any other reply is a `BadReply`.
The score is the sum of the parts, added here: models add wrongly, and asked again they do so again.
Feedback is prose and read leniently (`rrvf.judge.words`). Thoughts before the answer are removed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re

import openai

from rrvf.endpoints import RefusedReply
from rrvf.judge.prompts import POINTS, JudgePrompt, Mode
from rrvf.judge.words import plain_feedback
from rrvf.protocol import after_thoughts

MAX_FEEDBACK = 4000
#: The key by which a reply says that its own score counts, not the sum of its points. The embedded judge sets it.
OWN_RULE = "own_rule"
_FENCE = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL | re.IGNORECASE)


class BadReply(Exception):
    """The judge's reply cannot be read. The message is short and goes into the record."""


def question(prompt: JudgePrompt, reference_png: bytes, generated_png: bytes) -> list[dict]:
    """One user message: the prompt, then the reference and the generated picture, each after a line with its role."""
    content = [{"type": "text", "text": prompt.text}]
    for role, png in (("Reference picture:", reference_png), ("Generated picture:", generated_png)):
        content += [{"type": "text", "text": role}, picture_part(png)]
    return [{"role": "user", "content": content}]


def picture_part(png: bytes) -> dict:
    """A picture, PNG or JPEG, as a part of a message."""
    kind = "jpeg" if png.startswith(b"\xff\xd8") else "png"
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{base64.b64encode(png).decode()}"}}


def score_of(text: str) -> tuple[float, dict[str, float]]:
    """(score, parts), all in [0, 1], of a reply that is one JSON object, fenced or bare.

    The score is the sum of the points, unless `OWN_RULE` is set. BadReply for any other reply, and for shares of 1
    instead of points of 100.
    """
    text = text.strip()
    fenced = _FENCE.match(text)
    try:
        reply = json.loads(fenced.group(1) if fenced else text, object_pairs_hook=_said_once)
    except (ValueError, RecursionError):
        raise BadReply("the reply is not one JSON object") from None
    own_rule = isinstance(reply, dict) and reply.pop(OWN_RULE, False) is True
    if not isinstance(reply, dict) or set(reply) != {*POINTS, "score"}:
        raise BadReply(f"the reply's keys are not {', '.join(POINTS)}, score")
    parts = {name: _share(reply[name], top, name) for name, top in POINTS.items()}
    said = _share(reply["score"], 100, "score")
    if own_rule:
        return said, parts
    total = sum(reply[name] for name in POINTS)
    if total <= len(POINTS) and any(reply[name] % 1 for name in POINTS):
        raise BadReply("the points are shares of 1 instead of points of 100")
    return _share(total, 100, "score"), parts


def _said_once(pairs: list[tuple[str, object]]) -> dict:
    pairs = [("colour" if name == "color" else name, value) for name, value in pairs]
    if len(keys := dict(pairs)) < len(pairs):
        raise BadReply("the reply says a key twice")  # json would take the last of the two
    return keys


def _share(value: object, top: float, name: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= top:  # the comparison is false for NaN
        raise BadReply(f"{name} is not a number from 0 to {top}")
    return round(value / top, 6)


def feedback_of(text: str) -> str:
    """The feedback of a reply in the form of the prompts: `---Comments:`, then one line per aspect. Raises BadReply."""
    if len(text) > MAX_FEEDBACK:
        raise BadReply(f"the feedback is longer than {MAX_FEEDBACK} characters")
    if (feedback := plain_feedback(text)) is None:
        raise BadReply("the reply has no lines by aspect under ---Comments:")
    return feedback


def content_of(reply: object) -> str:
    """The text of a chat completion after its thoughts. BadReply for one that is refused, empty or cut off."""
    choices = getattr(reply, "choices", None)  # the library does not check the reply
    choice = choices[0] if isinstance(choices, list) and choices else None
    if (message := getattr(choice, "message", None)) is None:
        raise BadReply("the reply is no chat completion")
    if getattr(message, "refusal", None):
        raise BadReply("the judge refused")
    if getattr(choice, "finish_reason", None) in ("length", "content_filter"):
        raise BadReply("the reply was cut off")
    content = getattr(message, "content", None)
    content = after_thoughts(content) if isinstance(content, str) else ""
    if not content.strip():
        raise BadReply("the reply is empty")
    if content.lstrip().startswith("<think>"):
        raise BadReply("the reply's thoughts have no end")
    try:
        content.encode()
    except UnicodeEncodeError:
        raise BadReply("the reply holds half a character") from None  # no UTF-8 file can hold it
    return content


def fields_of(text: str, mode: Mode) -> dict:
    """The fields of a Judgement that a reply's text gives. Raises BadReply."""
    if mode == "feedback":
        return {"feedback": feedback_of(text)}
    score, parts = score_of(text)
    return {"score": score, "parts": parts}


def reason_of(error: BaseException) -> str:
    """The reason of a `judge_error` in one line: a word of a fixed list, then the detail."""
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
    if isinstance(error, BadReply | RefusedReply):
        return f"bad_reply: {error}"
    return f"bad_reply: {type(error).__name__}"


def _said(error: openai.APIStatusError) -> str:
    """The endpoint's own message, in one short line."""
    if error.status_code in range(300, 400):
        return "it sends to another address, which is not followed: give that one"
    body = error.body if isinstance(error.body, dict) else {}
    words = body.get("message") or (error.response.text if not body else "") or "the judge answered with an error"
    return " ".join(str(words).split())[:200]
