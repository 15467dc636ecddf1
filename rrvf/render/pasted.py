"""The share of a picture's information that data pasted into its code can supply: one number per render.

A program that carries a compressed copy of its target scores as if it had read the picture. The data that a program
carries bounds what it can show that way. So the measure divides one by the other, both compressed:

    pasted_share = (bytes of data in the code - ALLOWED) / bytes of the picture,  within [0, 1]

The size of the picture is its size as WebP, which is near what a good copy needs. Data are the numbers of the code, and
strings and comments without their words. The numbers of a chart are weighted by `coverage` (from the sandbox): the
share of the figure under artists that such numbers could tile. Words beyond `WORDS` are data too. Noise, formulas and
meshes from `linspace` carry little data, so honest images and heat maps have a share near 0. No script of matplotlib's
gallery reaches 0.2.

Not detected: a small picture encoded in up to `WORDS` bytes of lowercase words, one in names shorter than 30 letters,
or one drawn at length by honest means.
"""

from __future__ import annotations

import re
import zlib

import cv2
import numpy as np

#: Bytes of data that any program may carry: titles, colours, a short table.
ALLOWED = 256
#: Bytes of words, compressed, in the strings and comments of a chart's program that are no data: the gallery's
#: longest docstrings have 3,000, and with 1,000 a script of theirs was flagged.
WORDS = 2_000
_QUALITY, _MAX_PIXELS = 50, 1_000_000
#: Strings, comments, and names too long for a person to write. An unclosed string runs to the end of its line or of the
#: code, so that the search is linear.
_TEXT = re.compile(
    r'"""(?:\\.|(?!""")[^\\])*+(?:""")?|'
    r"'''(?:\\.|(?!''')[^\\])*+(?:''')?|"
    r'"(?:\\.|[^"\\\n])*+"?|'
    r"'(?:\\.|[^'\\\n])*+'?|#[^\n]*|\w{30,}",
    re.DOTALL,
)
_NUMBER = re.compile(r"(?<![\w.])[\d.][\w.+-]*")
_WORD = re.compile(r"\b[A-Z]?[a-z]{1,20}\b|\s+")
#: In a page: a value of 200 or more characters, such as a `data:` address, a path, or a list of shadows or gradients.
_LONG_VALUE = re.compile(r"""[=:(>,;]\s*["']?[^"'<>;{}]{200,}""")
#: In a page: an opening tag that another tag follows directly. More than `_TILES` of them can tile a picture.
_TILE = re.compile(r"<[a-zA-Z][^<>]*>(?=\s*<)")
_TILES = 500


def chart_share(code: str, png: bytes, coverage: float) -> float:
    """The pasted share of a chart, 0 to 1. coverage: share of the figure that artists able to carry a picture cover."""
    texts: list[str] = []
    rest = _TEXT.sub(lambda found: texts.append(found.group()) or " ", code)
    numbers = ",".join(_NUMBER.findall(rest))
    text = "".join(texts)
    spelt = max(0, _compressed(" ".join(_WORD.findall(text))) - WORDS)
    return _share(_packed(text) + spelt + coverage * _packed(numbers), png)


def page_share(code: str, png: bytes) -> float:
    """The pasted share of a page, 0 to 1."""
    tiles = _TILE.findall(code)
    return _share(_packed("".join(_LONG_VALUE.findall(code) + (tiles if len(tiles) > _TILES else []))), png)


def _packed(text: str) -> int:
    return _compressed(_WORD.sub("", text))


def _compressed(text: str) -> int:
    return len(zlib.compress(text.encode(errors="replace")))


def _share(carried: float, png: bytes) -> float:
    if carried <= ALLOWED:
        return 0.0
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    if (scale := (_MAX_PIXELS / (height * width)) ** 0.5) < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    shown = len(cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1])
    return round(min(1.0, (carried - ALLOWED) / shown), 4)
