"""The errors that end a command with one line and an exit code."""

from __future__ import annotations


class UserError(Exception):
    """Bad input or a missing part. The message is one line and says how to mend it; the command exits with 2."""


class HarnessError(UserError):
    """Our own part failed: no memory, no descriptors, no browser.

    It says nothing of the code that was to be rendered.
    """


def first_line(error: BaseException) -> str:
    """The first line of an exception's message; its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
