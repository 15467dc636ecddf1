"""Wrapping functions so that only the outermost wrapped call of a trace is seen."""

from __future__ import annotations

import functools
from collections.abc import Callable


class Wrapping:
    """A set of wrapped functions that share one "inside" flag, and their originals.

    named: wrappers keep the functions' names; without, they are called `wrapper` as in the original evaluators.
    keep_flag: a wrapped call that raises leaves the flag set, so that nothing after it is seen (metrics_spec T8).
    """

    def __init__(self, named: bool, keep_flag: bool) -> None:
        self._named, self._keep_flag = named, keep_flag
        self._inside = False
        self._originals: list[tuple[object, str, Callable]] = []

    def wrap(self, owner: object, name: str, seen: Callable, before: bool = False) -> None:
        """Replace `owner.name`; `seen(result, args, kwargs)` is called for outermost calls.

        before: `seen` is called ahead of the function, with the result None.
        """
        original = getattr(owner, name)

        def wrapper(*args, **kwargs):
            if self._inside:
                return original(*args, **kwargs)
            self._inside = True
            try:
                if before:
                    seen(None, args, kwargs)
                result = original(*args, **kwargs)
                if not before:
                    seen(result, args, kwargs)
            except BaseException:
                self._inside = self._keep_flag
                raise
            self._inside = False
            return result

        self._originals.append((owner, name, original))
        setattr(owner, name, functools.wraps(original)(wrapper) if self._named else wrapper)

    def remove(self) -> None:
        """Put the originals back."""
        while self._originals:
            owner, name, original = self._originals.pop()
            setattr(owner, name, original)
