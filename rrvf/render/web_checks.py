"""What is looked at before a browser sees a page, and after: size, pasted pictures, an empty screenshot."""

from __future__ import annotations

import html
import re
import struct
from html.parser import HTMLParser

import cv2
import numpy as np

from rrvf.render.blank import flat
from rrvf.render.limits import Failure, Limits, check_length, check_size

_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})\s?")
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
#: Where an address can stand in a stylesheet: in a string, or bare in brackets. Comments are found to be passed over.
_CSS_ADDRESS = re.compile(
    r"""/\*.*?(?:\*/|\Z)|"((?:\\.|[^"\\\n])*)|'((?:\\.|[^'\\\n])*)|"""
    r"""\(\s*((?:\\[0-9a-fA-F]{1,6}\s?|\\.|[^"'()\\\s])+)""",
    re.DOTALL,
)
#: A picture drawn as a list of shadows or gradients: one such declaration is rarely longer than 300 characters.
_MOSAIC = re.compile(r":([^;{}<>]{2000,})")
#: What browsers take for a whole comment, and Python's parser for the start of one.
_ODD_COMMENT = re.compile(r"<!--?-?>|<!\[CDATA\[")
#: Chromium packs one flat colour to less than a hundredth and a kilobyte; what takes more shows something.
_FLATTEST, _FLAT_BYTES = 100, 1000


def check_code(code: str, limits: Limits) -> None:
    """Refuse a page that is too large, or that pastes pictures in, before a browser sees it."""
    check_length(code, limits, "page")
    if len(code) <= min(limits.literal_bytes, limits.drawing_bytes):
        return  # it can hold no more than it is long
    pasted, drawn = embedded(code)
    if pasted > limits.literal_bytes:
        raise Failure("limit", f"the page embeds {pasted} bytes of pictures, more than {limits.literal_bytes}")
    if drawn > limits.drawing_bytes:
        raise Failure(
            "limit", f"the page draws with {drawn} bytes of SVG and shadows, more than {limits.drawing_bytes}"
        )


def embedded(code: str) -> tuple[int, int]:
    """The length of all `data:` addresses, and of inline SVG with long lists of shadows, however they are escaped."""
    plain = _unescaped(html.unescape(code))
    drawn = sum(map(len, _MOSAIC.findall(_CSS_COMMENT.sub("", plain))))
    lower = re.sub(r"[\t\n\r]", "", plain).lower()  # browsers leave these out of addresses
    if "data:" not in lower and "<svg" not in lower:
        return 0, drawn
    pasted = _Pasted()
    pasted.feed(_ODD_COMMENT.sub("<!>", code).replace("--!>", "-->"))
    pasted.close()
    return pasted.address_bytes, drawn + pasted.svg_bytes


class _Pasted(HTMLParser):
    """Adds up the addresses with data in attributes and stylesheets, and the tags and texts inside `<svg>`."""

    def __init__(self) -> None:
        super().__init__()
        self.address_bytes = self.svg_bytes = 0
        self._depth = 0
        self._sheet: list[str] | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._depth += tag == "svg"
        self.svg_bytes += len(self.get_starttag_text()) if self._depth else 0
        self._sheet = [] if tag == "style" else self._sheet
        for name, value in attributes:
            self.address_bytes += (_css_bytes if name == "style" else _address_bytes)(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == "svg" and self._depth > 0
        if tag == "style":
            self._end_sheet()

    def handle_data(self, data: str) -> None:
        self.svg_bytes += len(data) if self._depth else 0
        if self._sheet is not None:
            self._sheet.append(data)

    def _end_sheet(self) -> None:
        self.address_bytes += _css_bytes("".join(self._sheet or []))
        self._sheet = None

    def close(self) -> None:
        super().close()
        self._end_sheet()


def _css_bytes(css: str) -> int:
    return sum(_address_bytes(_unescaped("".join(groups))) for groups in _CSS_ADDRESS.findall(css))


def _unescaped(css: str) -> str:
    return _CSS_ESCAPE.sub(lambda m: _character(m[1]), css)


def _address_bytes(value: str) -> int:
    at = re.sub(r"[\t\n\r]", "", value).lower().find("data:")
    return len(value) - at if at >= 0 else 0


def _character(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number < 0x110000 else ""


def check_picture(png: bytes, limits: Limits) -> tuple[int, int]:
    """Height and width of a screenshot that shows something."""
    if len(png) < 33 or not png.startswith(b"\x89PNG"):
        raise Failure("crash", "the browser gave no picture")
    width, height = struct.unpack(">II", png[16:24])
    check_size(width, height, limits)
    packs_small = len(png) < _FLAT_BYTES + 3 * width * height / _FLATTEST
    if packs_small and flat(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)):
        raise Failure("blank", "the page is one flat colour")
    return height, width
