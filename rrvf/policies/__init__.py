"""Policies: a model behind one call.

`local` runs transformers, `endpoint` any OpenAI-compatible server, `oracle` the calibration rows of the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rrvf.records import Usage


@dataclass(frozen=True)
class NoReply:
    """In the place of a reply: why there is none, and whether it was the call that failed (`Answer`)."""

    reason: str
    failed: bool = False


@dataclass(frozen=True)
class Answer:
    """What one call of a policy came to: its text, or None and why there is none.

    Beside it what it cost, where that is counted. failed: the server did, and the policy said nothing: no score, and it
    is asked again.
    """

    text: str | None
    problem: str = ""
    usage: Usage | None = None
    failed: bool = False


#: Is told the place of a question, and its answer, the moment that it is there.
Keep = Callable[[int, Answer], None]
