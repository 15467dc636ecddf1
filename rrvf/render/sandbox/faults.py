"""Why a script failed: one reason of the closed list, and a line that a policy can learn from."""

from __future__ import annotations

import ast
import errno

_DENIED = (errno.EPERM, errno.EACCES, errno.EROFS, errno.EXDEV)
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EMFILE)


class Fault(Exception):
    """A failure with its reason; the reasons are those of `rrvf.records.RenderReason`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def parse(source: str, name: str) -> ast.Module:
    """The parsed script; raises Fault(syntax_error) for whatever does not parse."""
    try:
        return ast.parse(source, name)
    except SyntaxError as error:
        line = f"line {error.lineno}: {_short(error.text)}\n" if error.lineno else ""
        raise Fault("syntax_error", f"{line}{type(error).__name__}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Fault("syntax_error", f"SyntaxError: {error or 'too deeply nested'}") from None


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
        return {"outcome": error.reason, "message": error.message}
    line = _line_of(error, name)
    lines = source.splitlines()
    where = f"line {line}: {_short(lines[line - 1])}\n" if 0 < line <= len(lines) else ""
    return {"outcome": _reason(error), "message": f"{where}{type(error).__name__}: {_text(error)}"[:2000]}


def _reason(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, SystemExit):
        return "exit"
    if (isinstance(error, OSError) and number in _DENIED) or _text(error) == "can't start new thread":
        return "forbidden"
    if isinstance(error, OSError) and number in _FULL:
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


def _short(line: str | None) -> str:
    line = (line or "").strip()
    return line if len(line) <= 80 else line[:77] + "..."
