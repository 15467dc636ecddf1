"""A judge's answers on disk, so that a rerun does not ask and pay again.

A failed cache never fails a question: an unreadable answer is asked for again, and an answer that cannot be written is
used with a warning.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import warnings
from pathlib import Path

from rrvf.records import Judgement


class AnswerCache:
    """Judgements by key in `folder`. folder None: nothing is kept."""

    def __init__(self, folder: str | Path | None) -> None:
        self._cache = None
        if folder is None:
            return
        from diskcache import Cache, JSONDisk  # JSON, since a pickle that someone else wrote could run code

        try:
            self._cache = Cache(str(folder), disk=JSONDisk, eviction_policy="none", size_limit=2**40)
        except (OSError, sqlite3.Error) as error:
            _warn(error)

    def get(self, key: str) -> Judgement | None:
        """The judgement of a key; None where it is missing or cannot be read."""
        try:
            return Judgement.model_validate(self._cache[key]) if self._cache is not None else None
        except Exception:  # missing, damaged or locked
            return None

    def put(self, key: str, judgement: Judgement) -> None:
        """Write a judgement. A failure is a warning."""
        try:
            if self._cache is not None:
                self._cache[key] = json.loads(judgement.model_dump_json())
        except Exception as error:
            _warn(error)

    def close(self) -> None:
        """Close the files."""
        if self._cache is not None:
            self._cache.close()


def key_of(reference_png: bytes, generated_png: bytes, *words: str) -> str:
    """The key of a question: a hash of both pictures and of `words`, which say how it is asked."""
    pictures = (hashlib.sha256(png).hexdigest() for png in (reference_png, generated_png))
    return hashlib.sha256("\n".join((*pictures, *words)).encode()).hexdigest()


def _warn(error: Exception) -> None:
    warnings.warn(f"the judge's answers cannot be cached ({error}): a rerun will ask again", stacklevel=3)
