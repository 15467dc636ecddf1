"""Decodes page files as a browser does from disk (HTML standard, "determining the character encoding").

A byte order mark has priority, then the declaration of a `<meta>` near the start. A page without either is UTF-8 if it
is valid UTF-8, else windows-1252. Chromium's guesses of further encodings are not implemented.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from webencodings import lookup

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
#: A declaration counts within these first bytes, and beyond them until the head of the page ends.
_LOOKED_AT = 1024
_BODY = re.compile(rb"<(?:body|/head)[\s/>]", re.IGNORECASE)
#: Comments and elements whose text may look like tags.
_NO_TAGS = re.compile(rb"<!--.*?(?:-->|\Z)|<(script|style|title)[\s>].*?(?:</\1|\Z)", re.DOTALL | re.IGNORECASE)
_XML = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']([^\"'>]+)")
_META = re.compile(rb"<meta[\s/]((?:[^>\"']|\"[^\"]*\"|'[^']*')*+)", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"([^\s/>=\"']++)\s*+(?:=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+)))?")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
#: The encoding standard gives these names a wider meaning than Python does.
_WIDER = {"gbk": "gb18030", "shift_jis": "cp932", "euc-kr": "cp949", "big5": "big5hkscs"}


def read_page(path: Path) -> str:
    """The text of a page file."""
    return decode_page(path.read_bytes())


def decode_page(data: bytes) -> str:
    """The text of a page without its byte order mark. Bytes invalid in its encoding become U+FFFD."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    if encoding := declared(data):
        return data.decode(encoding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("windows-1252", errors="replace")


def declared(data: bytes) -> str | None:
    """Python's name of the encoding that a `<meta>` or an XML declaration names.

    None if neither names a known encoding.
    """
    body = _BODY.search(data)
    head = _NO_TAGS.sub(b"", data[: max(_LOOKED_AT, body.start() if body else 0)])
    labels = [_label(meta) for meta in _META.findall(head)]
    if line := _XML.match(head):
        labels.append(line[1].decode("latin-1"))
    found = next((encoding for label in labels if label and (encoding := lookup(label.rstrip("/")))), None)
    return _python_name(found.name, found.codec_info.name) if found else None


def _label(meta: bytes) -> str | None:
    """The charset of `<meta charset=X>` or `<meta http-equiv=content-type content="...; charset=X">`."""
    pairs = [
        (m[1].decode("latin-1").lower(), (m[2] or m[3] or m[4] or b"").decode("latin-1"))
        for m in _ATTRIBUTE.finditer(meta)
    ]
    found = dict(reversed(pairs))  # of attributes with the same name, the first counts
    if "charset" in found:
        return found["charset"].strip()
    named = _CHARSET.search(found.get("content", ""))
    return named[1] if named and found.get("http-equiv", "").lower() == "content-type" else None


def _python_name(name: str, codec: str) -> str:
    if name.startswith("utf-16"):
        return "utf-8"  # the declaration itself was read as ASCII
    return "windows-1252" if name == "x-user-defined" else _WIDER.get(name, codec)
