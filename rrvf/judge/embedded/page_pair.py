"""Compares two web pages: the five parts of the score, and the phrases of feedback on each."""

from __future__ import annotations

import cv2
import numpy as np

from rrvf.judge.embedded import colour
from rrvf.judge.embedded.feedback import presence, recolour
from rrvf.judge.embedded.page import BANDS, Box, Page, small
from rrvf.judge.embedded.shape import ink_similarity, overlap, rescaled, tight

_THIRDS = ("top", "middle", "bottom")


def compare_pages(ref: Page, gen: Page, aspect: float) -> tuple[dict[str, float], dict[str, list[str]]]:
    """The parts in [0, 1] and the phrases of feedback, by aspect.

    aspect: how well the pictures' proportions agree, 1 if they are equal.
    """
    results = {
        "layout": _layout(ref, gen, aspect),
        "type": _type(ref, gen),
        "text": _text(ref, gen),
        "colour": _colour(ref, gen),
        "data": _details(ref, gen),
    }
    return {a: r[0] for a, r in results.items()}, {a: r[1] for a, r in results.items()}


def _layout(ref: Page, gen: Page, aspect: float) -> tuple[float, list[str]]:
    a, b = ref.blocks, gen.blocks
    value = aspect * rescaled(overlap(a, b, (1.0, 3.0, 6.0)), 0.15, 0.97)
    phrases = []
    for place, x, y in zip(_THIRDS, np.array_split(a, 3), np.array_split(b, 3), strict=True):
        lost, extra = (float((m > 0.5).mean()) for m in (cv2.subtract(x, y), cv2.subtract(y, x)))
        if max(lost, extra) > 0.04:
            word = "is missing" if lost > 2 * extra else "should not be there" if extra > 2 * lost else "differs"
            phrases.append((-max(lost, extra), f"a block at {place} {word}"))
    return value, [phrase for _, phrase in sorted(phrases)]


def _type(ref: Page, gen: Page) -> tuple[float, list[str]]:
    """The overlap of text and of filled areas, each compared separately, so that an image in place of text costs."""
    values, weights = [], []
    for a, b in ((ref.text, gen.text), (ref.fill, gen.fill)):
        x, y = small(a, 8), small(b, 8)
        values.append(overlap(x, y, (1.0, 2.0)))
        weights.append(0.05 + float(max(x.sum(), y.sum())) / x.size)
    value = rescaled(float(np.average(values, weights=np.sqrt(weights))), 0.1, 0.95)
    return value, ["the block types differ"] if value < 0.4 else []


def _text(ref: Page, gen: Page) -> tuple[float, list[str]]:
    """Text lines paired by position and compared as shapes of ink, without reading them."""
    free = list(gen.lines)
    total = got = 0.0
    lost = dict.fromkeys(_THIRDS, 0.0)
    for line in ref.lines:
        weight = float(line[3] - line[1]) ** 0.5
        near = min(free, key=lambda g: _far(line, g), default=None)
        alike = 0.0
        if near is not None and _far(line, near) < 0.12 * ref.picture.shape[1]:
            free.remove(near)
            alike = _same_line(ref, line, gen, near)
        total, got = total + weight, got + weight * alike
        lost[_third(line, ref)] += weight * (1 - alike)
    for line in free:
        total += 0.5 * float(line[3] - line[1]) ** 0.5
        lost[_third(line, gen)] += 0.5 * float(line[3] - line[1]) ** 0.5
    value = got / total if total else 1.0
    worst = sorted(_THIRDS, key=lambda p: -lost[p])
    return value, [_spoken(p, ref, gen) for p in worst if lost[p] > 0.03 * total]


def _far(a: Box, b: Box) -> float:
    return abs(a[0] - b[0]) + 0.5 * abs(a[1] - b[1]) + 0.25 * abs((a[3] - a[1]) - (b[3] - b[1]))


def _same_line(ref: Page, a: Box, gen: Page, b: Box) -> float:
    x, y = (tight(page.text[box[0] : box[2], box[1] : box[3]]) for page, box in ((ref, a), (gen, b)))
    return ink_similarity(x, y) if x is not None and y is not None else 0.0


def _third(line: Box, page: Page) -> str:
    return _THIRDS[min(2, 3 * (line[0] + line[2]) // (2 * page.picture.shape[0]))]


def _spoken(place: str, ref: Page, gen: Page) -> str:
    has = [any(_third(line, page) == place for line in page.lines) for page in (ref, gen)]
    return presence(f"text at {place}", has[0], has[1], False) or f"text at {place} differs"


def _colour(ref: Page, gen: Page) -> tuple[float, list[str]]:
    """The colours of the content, as palettes and by place, multiplied by the agreement of the backgrounds.

    An equal background adds nothing by itself: otherwise any two white pages would be half alike.
    """
    near = colour.nearness(np.linalg.norm(ref.coarse - gen.coarse, axis=2))
    placed = float(np.average(near, weights=np.maximum(ref.filled, gen.filled) + 1e-6))
    ground = float(colour.nearness(np.linalg.norm(ref.background - gen.background)))
    phrases: list[str] = []
    places = [("the background", ref.background, gen.background)]
    places += list(zip(BANDS, ref.bands, gen.bands, strict=True))
    seen: list[tuple[str, ...]] = []  # a swap of colours is reported once
    for name, own, other in places:
        swap = colour.name_of(own), colour.name_of(other)
        if np.linalg.norm(own - other) > colour.SAME and swap not in seen and (phrase := _rename(name, own, other)):
            seen.append(swap)
            phrases.append(phrase)
    lost, extra = colour.unmatched(ref.palette, gen.palette), colour.unmatched(gen.palette, ref.palette)
    whole = recolour("the page", lost, extra, "is")
    value = ground * (0.5 * colour.palette_similarity(ref.palette, gen.palette) + 0.5 * placed)
    return value, phrases or ([whole] if whole else [])


def _rename(subject: str, wanted: np.ndarray, found: np.ndarray) -> str | None:
    names = colour.name_of(wanted), colour.name_of(found)
    return recolour(subject, [names[0]], [names[1]], "is") if names[0] != names[1] else None


def _details(ref: Page, gen: Page) -> tuple[float, list[str]]:
    """The overlap of the edges. It has no phrases."""
    return rescaled(overlap(ref.edges, gen.edges, (0.8, 2.0, 4.0)), 0.15, 0.97), []
