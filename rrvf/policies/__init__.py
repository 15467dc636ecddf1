"""Policies: a model behind one call.

`local` runs transformers, `endpoint` any OpenAI-compatible server, `oracle` the calibration rows of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from rrvf.records import Usage


@dataclass(frozen=True)
class NoReply:
    """In the place of a reply: why there is none."""

    reason: str


@dataclass(frozen=True)
class Answer:
    """What one call of a policy came to: its text, or None and why there is none.

    Beside it what it cost, where that is counted.
    """

    text: str | None
    problem: str = ""
    usage: Usage | None = None
