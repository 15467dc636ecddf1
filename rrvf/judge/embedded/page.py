"""Takes a page apart, from its pixels: background, filled areas, lines of text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from rrvf.judge.embedded import colour
from rrvf.judge.embedded.picture import Picture, distance, lab_of, mode_colour, pixels

#: The parts of a page from top to bottom: start and end as shares of its height.
BANDS = {"the header": (0.0, 0.2), "the body": (0.2, 0.8), "the footer": (0.8, 1.0)}
_MAX_LINES = 60
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Page:
    """The parts of a page. Maps have the size of the picture.

    content: HxW uint8, 1 where a pixel differs from the background. text: HxW float, thin contrast, lighter or darker.
    fill: HxW float, filled areas that differ from the background. lines: boxes of the text lines.
    """

    picture: Picture
    background: np.ndarray
    content: np.ndarray
    text: np.ndarray
    fill: np.ndarray
    lines: tuple[Box, ...]

    @cached_property
    def blocks(self) -> np.ndarray:
        """Where there is text or a filled area, at a quarter of the size: float."""
        text = cv2.dilate((self.text > 0.25).astype(np.float32), np.ones((5, 9), np.uint8))
        return small(np.maximum(self.fill, text), 4)

    @cached_property
    def edges(self) -> np.ndarray:
        """Where the brightness changes, at half of the size: float, 0..1."""
        step = small(cv2.morphologyEx(self.picture.gray, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), 2)
        return np.minimum(step.astype(np.float32) / 90, 1.0)

    @cached_property
    def palette(self) -> np.ndarray:
        """`colour.palette` of the content, from every second pixel."""
        where = self.content[::2, ::2] > 0
        return colour.palette(*(pixels(layer[::2, ::2], where) for layer in (self.picture.rgb, self.picture.lab)))

    @cached_property
    def coarse(self) -> np.ndarray:
        """The page shrunk to 32 x 32 pixels: Lab."""
        return cv2.resize(self.picture.lab, (32, 32), interpolation=cv2.INTER_AREA)

    @cached_property
    def filled(self) -> np.ndarray:
        """The share of content in each pixel of `coarse`: float."""
        return cv2.resize(self.content.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)

    @cached_property
    def bands(self) -> list[np.ndarray]:
        """The most frequent colour of each of `BANDS`: Lab."""
        height, found = self.picture.shape[0], []
        for start, stop in BANDS.values():
            first = int(start * height)
            rows = self.picture.rgb[first : max(first + 1, int(stop * height)) : 2, ::2]
            found.append(lab_of(mode_colour(rows.reshape(-1, 3))))
        return found


def small(layer: np.ndarray, step: int) -> np.ndarray:
    """`layer` with its width and height divided by `step`."""
    height, width = layer.shape
    return cv2.resize(layer, (max(8, width // step), max(8, height // step)), interpolation=cv2.INTER_AREA)


def read_page(picture: Picture) -> Page:
    """Take a page apart into background, filled areas and lines of text."""
    background = lab_of(mode_colour(picture.rgb[::2, ::2].reshape(-1, 3)))
    kernel = np.ones((9, 9), np.uint8)
    thin = cv2.max(
        cv2.morphologyEx(picture.gray, cv2.MORPH_BLACKHAT, kernel),
        cv2.morphologyEx(picture.gray, cv2.MORPH_TOPHAT, kernel),
    )
    text = np.minimum(thin.astype(np.float32) / 120, 1.0) * (thin > 24)
    solid = (distance(picture.planes, background) > 6).astype(np.uint8)
    fill = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8)).astype(np.float32)
    return Page(picture, background, solid, text, fill, _lines(text))


def _lines(text: np.ndarray) -> tuple[Box, ...]:
    """Boxes of text lines: thin ink joined along the row."""
    joined = cv2.dilate((text > 0.25).astype(np.uint8), np.ones((1, 9), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    boxes = [(y, x, y + h, x + w) for x, y, w, h, _ in stats[1:].tolist() if 3 <= h <= 60 and w > h and w > 8]
    boxes.sort(key=lambda b: (b[0] - b[2]) * (b[3] - b[1]))
    return tuple(sorted(boxes[:_MAX_LINES]))
