"""What share of a picture's information can come from data pasted into its code: one number for every render.

A program that carries a compressed copy of its target scores as if it had read the picture. What a program can show
that way is bounded by the data it carries, so the measure sets the one against the other, both compressed:

    pasted_share = (bytes of data in the code - ALLOWED) / bytes of the picture,  within [0, 1]

The picture counts as long as WebP makes it, near what a good copy of it needs. Data are what is left of strings and
comments once words are taken out, and the numbers of the code; numbers of a chart weigh by how much of the figure lies
under what they could tile (`coverage`, from the sandbox). Noise, formulas and meshes from `linspace` carry little data,
so honest images and heat maps have a share near 0: of matplotlib's gallery no script comes near `PASTED_ABOVE`.

Not seen: a picture written as plain English words, or drawn at length by honest means.
"""

from __future__ import annotations

import re
import zlib

import cv2
import numpy as np

#: Bytes of data that any program may carry: titles, colours, a short table.
ALLOWED = 256
_QUALITY, _MAX_PIXELS = 50, 1_000_000
#: Strings, comments and names too long for a person. What does not end goes to the end, so that the search is linear.
_TEXT = re.compile(
    r'"""(?:\\.|(?!""")[^\\])*+(?:""")?|'
    r"'''(?:\\.|(?!''')[^\\])*+(?:''')?|"
    r'"(?:\\.|[^"\\\n])*+"?|'
    r"'(?:\\.|[^'\\\n])*+'?|#[^\n]*|\w{40,}",
    re.DOTALL,
)
_NUMBER = re.compile(r"(?<![\w.])[\d.][\w.+-]*")
_WORD = re.compile(r"\b[A-Z]?[a-z]{1,20}\b|\s+")
#: In a page: an address with its data, a path, a list of shadows or gradients, or any other value of such a length.
_LONG_VALUE = re.compile(r"""[=:(>,;]\s*["']?[^"'<>;{}]{200,}""")
#: In a page: an element that opens with no text of its own. So many can be the tiles of a picture.
_TILE = re.compile(r"<[a-zA-Z][^<>]*>(?=\s*<)")
_TILES = 500


def chart_share(code: str, png: bytes, coverage: float) -> float:
    """The pasted share of a chart. coverage: of the figure, by what can carry a picture, 0 to 1."""
    texts: list[str] = []
    rest = _TEXT.sub(lambda found: texts.append(found.group()) or " ", code)
    numbers = ",".join(_NUMBER.findall(rest))
    return _share(_packed("".join(texts)) + coverage * _packed(numbers), png)


def page_share(code: str, png: bytes) -> float:
    """The pasted share of a page."""
    tiles = _TILE.findall(code)
    return _share(_packed("".join(_LONG_VALUE.findall(code) + (tiles if len(tiles) > _TILES else []))), png)


def _packed(text: str) -> int:
    return len(zlib.compress(_WORD.sub("", text).encode(errors="replace")))


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
