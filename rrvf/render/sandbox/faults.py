"""Why a script failed: one reason of the closed list, and a line that a policy can learn from."""

from __future__ import annotations

import ast
import errno
import io
import re
import tokenize
import types
from collections.abc import Iterator
from contextlib import contextmanager

#: Left in a text where a cookie contradicts it, which Python refuses.
_BOM = "\ufeff"
_DENIED = (errno.EPERM, errno.EACCES, errno.EROFS, errno.EXDEV)
#: Agg's word for a figure that it cannot draw.
_TOO_LARGE = re.compile(r"Image size of \S+ pixels is too large")
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EMFILE)


class Fault(Exception):
    """A failure with its reason; the reasons are those of `rrvf.records.RenderReason`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def parse(source: str, name: str) -> ast.Module:
    """The parsed script; raises Fault(syntax_error) for whatever Python would not begin to run."""
    with _syntax(source):
        _check_encoding(source)
        return ast.parse(source.removeprefix(_BOM), name)


def compiled(tree: ast.Module, source: str, name: str) -> types.CodeType:
    """The program of a parsed script; some syntax errors are found only here."""
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
    """Raise what Python raises for the encoding of a file: one that it does not know, or bytes that are not in it.

    Such bytes reach us as lone surrogates (PEP 383), put there by whoever read the file.
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
    """Whether a program may be written in it: not UTF-16, nor what is no encoding of texts."""
    try:
        return "a".encode(encoding) == b"a"
    except (LookupError, UnicodeError):
        return False


def oversized_literals(tree: ast.Module, allowed: int) -> None:
    """Raise Fault(limit) where strings and numbers written into the script exceed `allowed` characters together."""
    total = sum(_size(n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant))
    if total > allowed:
        raise Fault("limit", f"{total} characters of literal data in the program, {allowed} are allowed")


def _size(value: object) -> int:
    return len(value) if isinstance(value, (str, bytes)) else len(repr(value))


def describe(error: BaseException, name: str, source: str) -> dict:
    """The reply for an error that ended the script: its reason, the script's line, the error's last line."""
    if isinstance(error, Fault):
        reason, message = error.reason, error.message
    else:
        where = _quoted(source, _line_of(error, name))
        reason, message = _reason(error), f"{where}{type(error).__name__}: {_text(error)}"[:2000]
    return {"outcome": reason, "message": message.encode(errors="replace").decode()}  # lone surrogates are no JSON


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
    """Line `number` of the script, as a message begins with it; nothing for a line that there is not."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not number or not 0 < number <= len(lines):
        return ""
    line = lines[number - 1].strip()
    return f"line {number}: {line if len(line) <= 80 else line[:77] + '...'}\n"
