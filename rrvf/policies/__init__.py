"""Policies: every model is used through the same calls.

`local` runs transformers, `endpoint` calls any OpenAI-compatible server, `oracle` gives the calibration rows of the
tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rrvf.records import Usage


@dataclass(frozen=True)
class NoReply:
    """Returned instead of a reply: the reason, and whether the call itself failed (see `Answer`)."""

    reason: str
    failed: bool = False


@dataclass(frozen=True)
class Answer:
    """The result of one call of a policy: its text, or None with the `problem`.

    usage: the tokens it cost, if the endpoint counts them. failed: the server failed and the policy said nothing; such
    a sample is not scored and is asked again.
    """

    text: str | None
    problem: str = ""
    usage: Usage | None = None
    failed: bool = False


#: Callback with a question's index and its answer, called as soon as the answer arrives.
Keep = Callable[[int, Answer], None]
