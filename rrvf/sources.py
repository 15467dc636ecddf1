"""Programs on disk that are to be run, read as Python reads them; labels: `rrvf.data.hub.script`."""

from __future__ import annotations

import tokenize
from pathlib import Path


def read_script(path: Path) -> str:
    """The text of a Python file in the encoding that it declares: by a byte order mark or a cookie, else UTF-8.

    After PEP 263. Never fails for what the file holds: bytes that are not in the encoding become lone surrogates
    (PEP 383), which the chart sandbox reports as the syntax error that they are. Line ends become newlines.
    """
    try:
        with open(path, "rb") as file:
            encoding, _ = tokenize.detect_encoding(file.readline)
        return path.read_text(encoding, errors="surrogateescape")
    except (SyntaxError, LookupError, UnicodeError):  # no encoding that Python reads programs in: the sandbox says so
        return path.read_text("utf-8", errors="surrogateescape")
