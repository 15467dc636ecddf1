"""What is looked at before a browser sees a page, and after: size, pasted pictures, an empty screenshot."""

from __future__ import annotations

import html
import re

import cv2
import numpy as np
import tinycss2
from bs4 import BeautifulSoup

from rrvf.records import RenderReason
from rrvf.render.limits import Limits

_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})\s?")
#: A picture drawn as a list of shadows or gradients: one such declaration is rarely longer than 300 characters.
_MOSAIC = re.compile(r"(?:shadow|background|background-image|mask|mask-image|clip-path|filter)\s*:([^;{}<>]{2000,})")
_SVG = re.compile(r"<svg\b.*?(?:</svg\s*>|\Z)", re.DOTALL | re.IGNORECASE)


class Failure(Exception):
    """A page that gave no picture: the reason and the words for the policy."""

    def __init__(self, reason: RenderReason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def check_code(code: str, limits: Limits) -> None:
    """Refuse a page that is too large, or that pastes pictures in, before a browser sees it."""
    if len(code.encode()) > limits.code_bytes:
        raise Failure("limit", f"the page is longer than {limits.code_bytes} bytes")
    pasted = embedded_bytes(code)
    if pasted > limits.literal_bytes:
        raise Failure("limit", f"the page embeds {pasted} bytes of pictures, more than {limits.literal_bytes}")
    drawn = sum(map(len, _SVG.findall(code))) + sum(map(len, _MOSAIC.findall(code)))
    if drawn > limits.drawing_bytes:
        raise Failure(
            "limit", f"the page draws with {drawn} bytes of SVG and shadows, more than {limits.drawing_bytes}"
        )


def embedded_bytes(code: str) -> int:
    """The length of all `data:` addresses, however they are escaped."""
    plain = re.sub(r"[\t\n\r]", "", _CSS_ESCAPE.sub(lambda m: _character(m[1]), html.unescape(code)))
    if "data:" not in plain.lower():
        return 0
    soup = BeautifulSoup(code, "html.parser")
    total = sum(_css_bytes(style.get_text()) for style in soup("style"))
    for element in soup.find_all(True):
        for name in element.attrs:
            value = " ".join(element.get_attribute_list(name))
            total += _css_bytes(value) if name == "style" else _address_bytes(value)
    return total


def _css_bytes(css: str) -> int:
    tokens = tinycss2.parse_component_value_list(css)
    total = 0
    while tokens:
        token = tokens.pop()
        tokens += getattr(token, "content", None) or getattr(token, "arguments", None) or []
        if token.type in ("url", "string"):
            total += _address_bytes(token.value)
    return total


def _address_bytes(value: str) -> int:
    at = re.sub(r"[\t\n\r]", "", value).lower().find("data:")
    return len(value) - at if at >= 0 else 0


def _character(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number < 0x110000 else ""


def check_picture(png: bytes, limits: Limits) -> tuple[int, int]:
    """Height and width of a screenshot that shows something."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise Failure("crash", "the browser gave no picture")
    height, width = picture.shape[:2]
    if height * width > limits.max_pixels:
        raise Failure("limit", f"the picture is {width}x{height} pixels, more than {limits.max_pixels} in all")
    if (picture == picture[0, 0]).all():
        raise Failure("blank", "the page is one flat colour")
    return height, width
