"""Compares two screenshots as pixels: structural similarity on one canvas."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from rrvf.pictures import UNREADABLE, as_seen


def decode(png: bytes) -> np.ndarray:
    """PNG bytes as (H, W, 3) uint8 RGB, with transparency on white. ValueError for bytes that are no picture."""
    try:
        with Image.open(io.BytesIO(png)) as picture:
            return np.asarray(as_seen(picture)[0])
    except UNREADABLE:
        raise ValueError("no picture") from None


def one_canvas(reference: np.ndarray, generated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both pictures at one size: the wider is scaled down to the narrower's width, the shorter is padded with white.

    WebSight ships screenshots at twice the size. Content below the end of the other page is compared with white, so it
    lowers the similarity.
    """
    width = min(reference.shape[1], generated.shape[1])
    pair = [_scaled(picture, width) for picture in (reference, generated)]
    height = max(picture.shape[0] for picture in pair)
    one, two = (np.pad(p, ((0, height - p.shape[0]), (0, 0), (0, 0)), constant_values=255) for p in pair)
    return one, two


def _scaled(picture: np.ndarray, width: int) -> np.ndarray:
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    if picture.shape[1] == width:
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def ssim(reference: np.ndarray, generated: np.ndarray) -> float:
    """Structural similarity (-1 to 1) in gray on one canvas: Gaussian window 11, sigma 1.5 (Wang et al. 2004).

    >>> white, gray = (np.full((20, 20, 3), shade, np.uint8) for shade in (255, 128))
    >>> round(ssim(white, white), 3), round(ssim(white, gray), 3)  # 2 * 255 * 128 / (255**2 + 128**2)
    (1.0, 0.802)
    """
    one, two = one_canvas(reference, generated)
    a, b = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float32) for p in (one, two))
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    quality = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((quality / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _blur(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (11, 11), 1.5)
