"""Checks before and after a browser draws a page: size, pasted pictures, an empty screenshot."""

from __future__ import annotations

import html
import re
import struct
import zlib
from dataclasses import replace

import cv2
import numpy as np

from rrvf.render.blank import flat
from rrvf.render.limits import Failure, Limits, check_length, check_size
from rrvf.render.web_markup import is_html, read_markup, unescaped

_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
#: A CSS value of this length counts as a picture drawn by shadows or gradients. Real values rarely exceed 300
#: characters.
_MOSAIC_BYTES = 2_000
#: Chromium compresses a flat picture to less than 1/100 of its raw size plus 1000 bytes. A larger PNG is not flat.
_FLATTEST, _FLAT_BYTES = 100, 1000


def check_code(code: str, limits: Limits) -> None:
    """Raise Failure for a page that is no HTML, is too large, or pastes pictures in. Linear in the page's length."""
    check_length(code, limits, "page")
    if not is_html(code):
        raise Failure("syntax_error", "this is no HTML: write a page, or a part of one, that begins with an element")
    pasted, drawn = embedded(code)
    if pasted > limits.literal_bytes:
        raise Failure("limit", f"the page embeds {pasted} bytes of pictures, more than {limits.literal_bytes}")
    if drawn > limits.drawing_bytes:
        raise Failure(
            "limit", f"the page draws with {drawn} bytes of SVG and shadows, more than {limits.drawing_bytes}"
        )


def room_for(code: str, limits: Limits) -> Limits:
    """`limits` raised by what the page `code` itself carries: a copy of a reference may carry as much as it does."""
    pasted, drawn = embedded(code)
    data = code.encode(errors="replace")
    return replace(
        limits,
        code_bytes=limits.code_bytes + len(data),
        packed_bytes=limits.packed_bytes + len(zlib.compress(data)),
        literal_bytes=limits.literal_bytes + pasted,
        drawing_bytes=limits.drawing_bytes + drawn,
    )


def embedded(code: str) -> tuple[int, int]:
    """Characters in all `data:` addresses, and in inline SVG with long shadow or gradient lists, after unescaping."""
    plain = _CSS_COMMENT.sub("", unescaped(html.unescape(code)))
    values = (part.partition(":")[2] for part in re.split(r"[;{}<>]", plain))
    drawn = sum(len(value) for value in values if len(value) >= _MOSAIC_BYTES)
    found = read_markup(code)
    return found.address_bytes, drawn + found.svg_bytes


def check_picture(png: bytes, limits: Limits) -> tuple[int, int]:
    """Height and width of a screenshot. Raises Failure for a broken, misfitting or blank one."""
    if len(png) < 33 or not png.startswith(b"\x89PNG"):
        raise Failure("crash", "the browser gave no picture")
    width, height = struct.unpack(">II", png[16:24])
    check_size(width, height, limits)
    packs_small = len(png) < _FLAT_BYTES + 3 * width * height / _FLATTEST
    if packs_small and flat(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)):
        raise Failure("blank", "the page is one flat colour")
    return height, width
