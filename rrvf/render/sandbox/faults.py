"""Why a script failed: a reason from the closed list, and a message that a policy can learn from."""

from __future__ import annotations

import ast
import errno
import io
import re
import tokenize
import types
from collections.abc import Iterator
from contextlib import contextmanager

#: A byte order mark. It is left in the text if the encoding declaration contradicts it; Python refuses such a file.
_BOM = "\ufeff"
_DENIED = (errno.EPERM, errno.EACCES, errno.EROFS, errno.EXDEV)
#: Agg's message for a figure that it cannot draw.
_TOO_LARGE = re.compile(r"Image size of \S+ pixels is too large")
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EMFILE)


class Fault(Exception):
    """A failure with its reason. The reasons are those of `rrvf.records.RenderReason`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def parse(source: str, name: str) -> ast.Module:
    """The parsed script. Raises Fault(syntax_error) for code that Python would not start to run."""
    with _syntax(source):
        _check_encoding(source)
        return ast.parse(source.removeprefix(_BOM), name)


def compiled(tree: ast.Module, source: str, name: str) -> types.CodeType:
    """The compiled form of a parsed script. Python finds some syntax errors only in this step."""
    with _syntax(source):
        return compile(tree, name, "exec", dont_inherit=True)


@contextmanager
def _syntax(source: str) -> Iterator[None]:
    try:
        yield
    except SyntaxError as error:
        raise Fault("syntax_error", f"{_quoted(source, error.lineno)}{type(error).__name__}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Fault("syntax_error", f"SyntaxError: {error or 'too deeply nested'}") from None


def _check_encoding(source: str) -> None:
    """Raise the error that Python raises for a file's encoding: an unknown encoding, or bytes that are invalid in it.

    The host reads such bytes as lone surrogates (PEP 383).
    """
    if "\0" in source:
        line = source.count("\n", 0, source.index("\0")) + 1
        raise SyntaxError("source code cannot contain null bytes", ("", line, 0, ""))
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source.encode(errors="replace")).readline)
    if not encoding.startswith("utf-8") and not _extends_ascii(encoding):
        raise SyntaxError(f"encoding problem: {encoding}")
    try:
        source.encode()
    except UnicodeEncodeError as error:
        line, byte = source.count("\n", 0, error.start) + 1, ord(source[error.start]) & 0xFF
        known = f"Non-UTF-8 code starting with '\\x{byte:02x}' on line {line}, but no encoding declared"
        why = known if encoding.startswith("utf-8") else f"encoding problem: {encoding}"
        raise SyntaxError(why, ("", line, 0, "")) from None


def _extends_ascii(encoding: str) -> bool:
    """Whether a program may be written in this encoding. UTF-16 and codecs that are no text encoding are refused."""
    try:
        return "a".encode(encoding) == b"a"
    except (LookupError, UnicodeError):
        return False


def oversized_literals(tree: ast.Module, allowed: int) -> None:
    """Raise Fault(limit) if the string and number literals of the script exceed `allowed` characters in total."""
    total = sum(_size(n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant))
    if total > allowed:
        raise Fault("limit", f"{total} characters of literal data in the program, {allowed} are allowed")


def _size(value: object) -> int:
    return len(value) if isinstance(value, (str, bytes)) else len(repr(value))


def describe(error: BaseException, name: str, source: str) -> dict:
    """The reply for an error that ended the script: its reason, the script's line and the error's text."""
    if isinstance(error, Fault):
        reason, message = error.reason, error.message
    else:
        where = _quoted(source, _line_of(error, name))
        reason, message = _reason(error), f"{where}{type(error).__name__}: {_text(error)}"[:2000]
    return {"outcome": reason, "message": message.encode(errors="replace").decode()}  # the host refuses lone surrogates


def _reason(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, SystemExit):
        return "exit"
    if (isinstance(error, OSError) and number in _DENIED) or _text(error) == "can't start new thread":
        return "forbidden"
    if (isinstance(error, OSError) and number in _FULL) or _TOO_LARGE.match(_text(error)):
        return "limit"
    return "exception"


def _line_of(error: BaseException, name: str) -> int:
    line, trace = 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _text(error: BaseException) -> str:
    try:
        return str(error).strip()
    except BaseException:
        return "(no text)"


def _quoted(source: str, number: int | None) -> str:
    """Line `number` of the script in the form that starts a message. Empty if there is no such line."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not number or not 0 < number <= len(lines):
        return ""
    line = lines[number - 1].strip()
    return f"line {number}: {line if len(line) <= 80 else line[:77] + '...'}\n"
