"""A picture for the embedded judge: both pictures at one size, Lab colours, background, ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from rrvf.errors import UserError

#: Bigger pictures are shrunk to this many pixels first.
MAX_PIXELS = 640 * 480
#: Lab distance from the background above which a pixel is ink.
INK = 18.0


@dataclass(frozen=True)
class Picture:
    """A picture and what is computed from it. rgb: HxWx3 uint8."""

    rgb: np.ndarray

    @cached_property
    def lab(self) -> np.ndarray:
        """HxWx3 float32, L in 0..100."""
        return cv2.cvtColor(np.divide(self.rgb, 255, dtype=np.float32), cv2.COLOR_RGB2LAB)

    @cached_property
    def planes(self) -> tuple[np.ndarray, ...]:
        """L, a and b as separate planes: HxW float32 each."""
        return cv2.split(self.lab)

    @cached_property
    def gray(self) -> np.ndarray:
        """HxW uint8."""
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY)

    @cached_property
    def warmth(self) -> np.ndarray:
        """Red minus blue: HxW int16."""
        return cv2.subtract(self.rgb[..., 0], self.rgb[..., 2], dtype=cv2.CV_16S)

    @cached_property
    def chroma(self) -> np.ndarray:
        """HxW float32."""
        return cv2.magnitude(*self.planes[1:])

    @cached_property
    def background(self) -> np.ndarray:
        """The most frequent colour along the upper, lower and left edge, as Lab."""
        frame = np.concatenate(
            [self.rgb[:3].reshape(-1, 3), self.rgb[-3:].reshape(-1, 3), self.rgb[:, :3].reshape(-1, 3)]
        )
        return lab_of(mode_colour(frame))

    @cached_property
    def contrast(self) -> np.ndarray:
        """Lab distance from the background: HxW float32."""
        return distance(self.planes, self.background)

    @cached_property
    def ink(self) -> np.ndarray:
        """The pixels that differ from the background: HxW bool."""
        return self.contrast > INK

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.rgb.shape[:2]


def check(array: np.ndarray, name: str) -> None:
    """Raise UserError unless `array` is HxWx3 uint8 of at least 16 x 16."""
    good = isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
    if not good or min(array.shape[:2]) < 16:
        raise UserError(f"the {name} picture must be an array of shape (H, W, 3), uint8, 16 pixels or more a side")


def shrunk(reference: np.ndarray) -> Picture:
    """A reference, shrunk to at most `MAX_PIXELS`."""
    height, width = reference.shape[:2]
    scale = min(1.0, (MAX_PIXELS / (height * width)) ** 0.5)
    return Picture(resize(reference, (max(16, round(width * scale)), max(16, round(height * scale)))))


def fit(generated: np.ndarray, reference: Picture, cut: bool) -> Picture:
    """A generated picture at the size of its reference.

    Without `cut` it is stretched. With `cut` it is scaled to the reference's width, and then cut at the bottom or
    extended with its own background, because pages of one width differ in length.
    """
    size = reference.shape[::-1]
    return Picture(_page(generated, size) if cut else resize(generated, size))


def _page(generated: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    width, height = size
    own = max(1, round(generated.shape[0] * width / generated.shape[1]))
    keep = min(own, height)
    rows = generated[: max(1, round(generated.shape[0] * keep / own))]
    out = np.empty((height, width, 3), np.uint8)
    out[:] = mode_colour(generated[-3:].reshape(-1, 3))
    out[:keep] = resize(rows, (width, keep))
    return out


def resize(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`array` resized to (width, height); unchanged if it has that size."""
    if array.shape[1::-1] == tuple(size):
        return array
    smaller = array.shape[0] * array.shape[1] > size[0] * size[1]
    return cv2.resize(array, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def pixels(array: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`array[mask]` of an (H, W, 3) array, but several times faster."""
    return array.reshape(-1, 3).take(np.flatnonzero(mask), axis=0)


def mode_colour(pixels: np.ndarray) -> np.ndarray:
    """The most frequent colour of N x 3 uint8 pixels: the median in the fullest bin of 16 levels a channel."""
    high = (pixels >> 4).astype(np.int32)
    bins = high[:, 0] * 256 + high[:, 1] * 16 + high[:, 2]
    return np.median(pixels[bins == np.bincount(bins).argmax()], axis=0).astype(np.uint8)


def lab_of(colour: np.ndarray) -> np.ndarray:
    """One RGB colour (uint8) as Lab."""
    return cv2.cvtColor(colour.reshape(1, 1, 3).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]


def distance(planes: Sequence[np.ndarray], colour: np.ndarray) -> np.ndarray:
    """The Euclidean Lab distance (CIE76) of every pixel to one colour. planes: L, a and b of the pixels."""
    level, red, yellow = (cv2.subtract(plane, float(value)) for plane, value in zip(planes, colour, strict=True))
    return cv2.magnitude(cv2.magnitude(level, red), yellow)
