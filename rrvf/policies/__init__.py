"""Policies: a model behind one call. `local` runs transformers, `endpoint` any OpenAI-compatible server, `oracle` the
calibration rows of the tables."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoReply:
    """In the place of a reply: why there is none."""

    reason: str
