"""Wraps functions so that a trace records only the outermost wrapped call."""

from __future__ import annotations

import functools
from collections.abc import Callable

#: Arguments: the call's result, its positional and its keyword arguments.
Seen = Callable[[object, tuple, dict], None]


def is_kind(thing: object, kind: type, exact: bool) -> bool:
    """Whether `thing` is of class `kind`. exact: subclasses do not count, as in the official evaluator."""
    return type(thing) is kind if exact else isinstance(thing, kind)


class Wrapping:
    """A set of wrapped functions that share one "inside" flag, and their originals.

    named: wrappers keep the functions' names; otherwise they are called `wrapper`, as in the original evaluators.

    keep_flag: a wrapped call that raises leaves the flag set, so that later calls are not recorded (metrics_spec T8).

    stops: an error in `seen` reaches the script and stops it, as in the original; otherwise it sets `broken`.
    """

    def __init__(self, named: bool, keep_flag: bool, stops: bool = False) -> None:
        self._named, self._keep_flag, self._stops = named, keep_flag, stops
        self._inside = False
        self._originals: list[tuple[object, str, Callable | None]] = []
        self.broken = False

    def wrap(self, owner: object, name: str, seen: Seen, before: Seen | None = None) -> None:
        """Replace `owner.name`. `seen` runs after each outermost call, `before` ahead of it with result None."""
        original = getattr(owner, name)

        def wrapper(*args, **kwargs):
            if self._inside:
                return original(*args, **kwargs)
            self._inside = True
            try:
                if before:
                    self._note(before, None, args, kwargs)
                result = original(*args, **kwargs)
                self._note(seen, result, args, kwargs)
            except BaseException:
                self._inside = self._keep_flag
                raise
            self._inside = False
            return result

        self._originals.append((owner, name, vars(owner).get(name)))
        setattr(owner, name, functools.wraps(original)(wrapper) if self._named else wrapper)

    def _note(self, seen: Seen, result: object, args: tuple, kwargs: dict) -> None:
        try:
            seen(result, args, kwargs)
        except Exception:
            self.broken = not self._stops
            if self._stops:
                raise

    def remove(self) -> None:
        """Restore the originals. An attribute that a class inherited is inherited again."""
        while self._originals:
            owner, name, original = self._originals.pop()
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
