"""Text blocks of a page, found without OCR: each text element is drawn twice, each time in a unique colour.

As Design2Code defines them (metrics_spec part 3): all backgrounds are made transparent. The pixels of an element's text
have its colour in one screenshot and that colour plus 50 in the other. Text in another element (`<strong>`) belongs to
the text element around it. If its `style` names a colour, the original searches for that colour instead. It finds
nothing except by chance, so such text usually has no block.

Differences from the original: the live page is recoloured, not a copy that was parsed and written again; script and
style text is ignored; a page without `<body>` has blocks; elements beyond the 4096th have no block, where the original
raises.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import ImageColor

#: Text elements, which get a colour. Text in other elements belongs to the nearest text element around it.
TAGS = ["p", "h1", "h2", "h3", "h4", "h5", "h6", "div", "span", "a", "b", "li", "table", "td", "th"]
TAGS += ["button", "footer", "header", "figcaption"]
#: The shift of each of the two drawings along the colour scale.
OFFSETS = (0, 50)
_FIRST, _STEP, _LEVELS = 10, 16, 16
#: Tolerance for an element's colour, and for the shift between both drawings. Antialiased edges exceed it and do not
#: count.
_NEAR, _SHIFT_NEAR = 4, 8
COLOURS = _LEVELS**3

#: (number of the enclosing text element or None, colours that the `style` of elements between it and the text names,
#: nearest first, text).
Text = tuple[int | None, list[str], str]
#: (tags, offset) -> the texts in page order. Colours are numbered from the lightest down.
RECOLOUR = """([tags, offset]) => {
    const elements = [...document.querySelectorAll(tags.join(','))].slice(0, 16 ** 3);
    const number = new Map(elements.map((element, i) => [element, i]));
    const named = element => (element.getAttribute('style') ?? '').split(';')
        .filter(part => part.includes('color') && !part.includes('background-color'))
        .map(part => part.split(':')[1]).pop();
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.data.trim();
        if (!text || walker.currentNode.parentElement.closest('script, style')) continue;
        const colours = [];
        let element = walker.currentNode.parentElement;
        for (; element && element !== document.documentElement && !number.has(element); element = element.parentElement)
            colours.push(named(element));
        texts.push([number.get(element) ?? null, colours.filter(colour => colour), text]);
    }
    for (const element of document.querySelectorAll('*'))
        element.style?.setProperty('background-color', 'rgba(255, 255, 255, 0)', 'important');
    elements.forEach((element, i) => {
        const n = 16 ** 3 - 1 - i, level = k => (10 + 16 * (n >> 4 * k & 15) + offset) % 256;
        element.style.setProperty('color', `rgb(${level(2)}, ${level(1)}, ${level(0)})`, 'important');
        element.style.setProperty('opacity', '1', 'important');
    });
    return texts;
}"""


def text_blocks(texts: list[Text], shown: bytes, first: bytes, second: bytes) -> list[dict]:
    """`[{"text", "box": [x, y, width, height], "color": [r, g, b]}]` in page order, boxes as fractions of the picture.

    `shown` is the screenshot, `first` and `second` are its recoloured drawings, all PNG. A text without visible pixels
    has no block.
    """
    picture, one, two = (_decode(png) for png in (shown, first, second))
    if not picture.shape == one.shape == two.shape:
        return []
    shifted = (np.abs((one.astype(np.int16) + OFFSETS[1]) % 256 - two) <= _SHIFT_NEAR).all(axis=-1)
    pixels = _pixels_by_number(one, shifted)
    merged: dict[int | tuple[int, ...], list[str]] = {}
    for number, colours, text in texts:
        key = next((c for word in colours if (c := _colour(word))), number)
        merged.setdefault(key, []).append(text)
    blocks = []
    for key, parts in merged.items():
        found = _pixels_of(key, one, shifted) if isinstance(key, tuple) else pixels.get(key)
        if found is not None:
            blocks.append(_block(" ".join(parts), *found, picture))
    return blocks


def _block(text: str, y: np.ndarray, x: np.ndarray, picture: np.ndarray) -> dict:
    height, width = picture.shape[:2]
    left, top = int(x.min()), int(y.min())
    box = [left / width, top / height, (int(x.max()) - left + 1) / width, (int(y.max()) - top + 1) / height]
    return {"text": text, "box": box, "color": picture[y, x].mean(axis=0).astype(int).tolist()}


def _pixels_by_number(one: np.ndarray, shifted: np.ndarray) -> dict[int | None, tuple[np.ndarray, np.ndarray]]:
    """The pixels (ys, xs) of every element that has visible ones, by element number."""
    level, rest = np.divmod(one.astype(np.int16) - (_FIRST - _STEP // 2), _STEP)
    near = (np.abs(rest - _STEP // 2) <= _NEAR) & (level >= 0) & (level < _LEVELS)
    ys, xs = np.nonzero(near.all(axis=-1) & shifted)
    level = level[ys, xs]
    numbers = COLOURS - 1 - ((level[:, 0] * _LEVELS + level[:, 1]) * _LEVELS + level[:, 2])
    order = np.argsort(numbers, kind="stable")
    found, starts = np.unique(numbers[order], return_index=True)
    groups = np.split(order, starts[1:]) if len(order) else []
    return {number: (ys[group], xs[group]) for number, group in zip(found.tolist(), groups, strict=True)}


def _pixels_of(colour: tuple[int, ...], one: np.ndarray, shifted: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The pixels (ys, xs) near a colour that a style names.

    None without any, and for a colour near 0 or 255: the original's uint8 arithmetic overflows and finds nothing.
    """
    if len(colour) != 3 or min(colour) < _NEAR or max(colour) + _NEAR > 255:
        return None
    ys, xs = np.nonzero((np.abs(one.astype(np.int16) - colour) <= _NEAR).all(axis=-1) & shifted)
    return (ys, xs) if len(ys) else None


def _colour(word: str) -> tuple[int, ...] | None:
    """A colour as the original parses it. `(-1,)`: valid, but the original cannot search for it. None: no colour."""
    word = word.strip().replace(" !important", "")
    try:
        if word.startswith("#"):
            return ImageColor.getrgb(word) if len(word) == 7 else (-1,)
        if word.startswith("rgb"):
            return tuple(int(part) for part in word[4:-1].split(","))
        return ImageColor.getrgb(word)
    except ValueError:
        return None


def _decode(png: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
