"""Blocks of text on a page, found without reading: each text element is drawn in a colour of its own, twice.

As Design2Code defines them (metrics_spec part 3): pixels that have an element's colour in one screenshot and the colour
50 further on in the other are its text. Two differences: the page that is there is recoloured, not a copy that was
parsed and written again; and script and style text is none.
"""

from __future__ import annotations

import cv2
import numpy as np

#: Elements that get a colour; text in others belongs to the nearest of these around it.
TAGS = ["p", "h1", "h2", "h3", "h4", "h5", "h6", "div", "span", "a", "b", "li", "table", "td", "th"]
TAGS += ["button", "footer", "header"]
#: How far both drawings are shifted along the colour scale.
OFFSETS = (0, 50)
_FIRST, _STEP, _LEVELS = 10, 16, 16
#: A block is looked for within 4 of its colour; the shift may be off by 8 (antialiased edges are not counted).
_NEAR, _SHIFT_NEAR = 4, 8
COLOURS = _LEVELS**3

#: An element's number and the text that is its own.
Text = tuple[int, str]
#: (tags, offset) -> the texts in the order of the page. Colours go from the lightest down, a number each.
RECOLOUR = """([tags, offset]) => {
    const elements = [...document.querySelectorAll(tags.join(','))].slice(0, 16 ** 3);
    const number = new Map(elements.map((element, i) => [element, i]));
    elements.forEach((element, i) => {
        const n = 16 ** 3 - 1 - i, level = k => (10 + 16 * (n >> 4 * k & 15) + offset) % 256;
        element.style.setProperty('color', `rgb(${level(2)}, ${level(1)}, ${level(0)})`, 'important');
        element.style.setProperty('opacity', '1', 'important');
    });
    const texts = new Map();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.data.trim(), parent = walker.currentNode.parentElement;
        const owner = number.get(parent.closest(tags.join(',')));
        if (text && owner !== undefined && !parent.closest('script, style'))
            texts.set(owner, [...(texts.get(owner) ?? []), text]);
    }
    return [...texts].map(([owner, parts]) => [owner, parts.join(' ')]);
}"""


def text_blocks(texts: list[Text], shown: bytes, first: bytes, second: bytes) -> list[dict]:
    """`[{"text", "box": [x, y, width, height], "color": [r, g, b]}]`, boxes as shares of the picture, in page order.

    `shown` is the screenshot (PNG), the other two its recoloured drawings. Text that shows no pixel has no block.
    """
    picture, one, two = (_decode(png) for png in (shown, first, second))
    if not picture.shape == one.shape == two.shape:
        return []
    owners = _owners(one, two)
    ys, xs = np.nonzero(owners >= 0)
    if not len(ys):
        return []
    order = np.argsort(owners[ys, xs], kind="stable")
    ys, xs = ys[order], xs[order]
    found, starts = np.unique(owners[ys, xs], return_index=True)
    pixels = dict(
        zip(found.tolist(), zip(np.split(ys, starts[1:]), np.split(xs, starts[1:]), strict=True), strict=True)
    )
    return [_block(text, *pixels[number], picture) for number, text in texts if number in pixels]


def _block(text: str, y: np.ndarray, x: np.ndarray, picture: np.ndarray) -> dict:
    height, width = picture.shape[:2]
    left, top = int(x.min()), int(y.min())
    box = [left / width, top / height, (int(x.max()) - left + 1) / width, (int(y.max()) - top + 1) / height]
    return {"text": text, "box": box, "color": picture[y, x].mean(axis=0).astype(int).tolist()}


def _owners(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """(H, W) int: which element's colour a pixel has in both drawings; -1 for none."""
    level, rest = np.divmod(one.astype(np.int16) - (_FIRST - _STEP // 2), _STEP)
    near = (
        (np.abs(rest - _STEP // 2) <= _NEAR).all(axis=-1) & (level >= 0).all(axis=-1) & (level < _LEVELS).all(axis=-1)
    )
    shifted = (one.astype(np.int16) + OFFSETS[1]) % 256
    near &= (np.abs(shifted - two.astype(np.int16)) <= _SHIFT_NEAR).all(axis=-1)
    number = (level[..., 0] * _LEVELS + level[..., 1]) * _LEVELS + level[..., 2]
    return np.where(near, COLOURS - 1 - number, -1)


def _decode(png: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
