"""Compares masks and crops: overlap at several blurs, the shape of ink, the statistics of marks."""

from __future__ import annotations

import cv2
import numpy as np

_LINE = 20  # height in pixels at which two lines of text are compared


def overlap(a: np.ndarray, b: np.ndarray, blurs: tuple[float, ...]) -> float:
    """Sum of minima over sum of maxima of two float32 maps of one shape, mean over Gaussian blurs. Both empty: 1.

    blurs: sigmas in pixels.
    """
    if not a.any() and not b.any():
        return 1.0
    ratios = []
    for sigma in blurs:
        x, y = (cv2.GaussianBlur(m, (0, 0), sigma) for m in (a, b))
        ratios.append(float(cv2.min(x, y).sum() / max(cv2.max(x, y).sum(), 1e-6)))
    return sum(ratios) / len(ratios)


def rescaled(value: float, low: float, high: float) -> float:
    """`value` scaled so that `low` is 0 and `high` is 1. Unrelated pictures reach `low`; small shifts leave `high`."""
    return float(min(1.0, max(0.0, (value - low) / (high - low))))


def tight(ink: np.ndarray, least: float = 0.25) -> np.ndarray | None:
    """The crop of a float ink map to the pixels above `least`; None with fewer than six such pixels."""
    strong = ink > least
    if np.count_nonzero(strong) < 6:
        return None
    rows, cols = np.flatnonzero(strong.any(1)), np.flatnonzero(strong.any(0))
    return ink[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


def ink_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """How alike two tight crops of text look, without reading them: 1 for the same ink, about 0 for other words.

    They are compared twice, and the better result counts: at one scale, since crops of the same words often differ by a
    row; and scaled to one height, since fonts differ in size.
    """
    upright = a.shape[0] > 1.5 * a.shape[1]
    x, y = (m.T if upright else m for m in (a, b))
    tall = max(x.shape[0], y.shape[0])
    scales = {(_LINE / tall, _LINE / tall), (_LINE / x.shape[0], _LINE / y.shape[0])}
    return max(_correlation(_scaled(x, s), _scaled(y, t)) for s, t in scales)


def _scaled(ink: np.ndarray, scale: float) -> np.ndarray:
    size = int(np.clip(round(ink.shape[1] * scale), 8, 600)), max(4, round(ink.shape[0] * scale))
    return cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """The best correlation over small shifts, rescaled and multiplied by the ratio of the lengths."""
    if x.shape[1] < y.shape[1]:
        x, y = y, x
    tall, ratio = max(x.shape[0], y.shape[0]), y.shape[1] / x.shape[1]
    rows = tall - x.shape[0] + 2, 2 + tall - y.shape[0]
    field = cv2.copyMakeBorder(x, *rows, 4, 4, cv2.BORDER_CONSTANT, value=0.0)
    wide = np.zeros((tall, x.shape[1]), np.float32)
    wide[: y.shape[0], : y.shape[1]] = y
    return rescaled(float(cv2.matchTemplate(field, wide, cv2.TM_CCORR_NORMED).max()), 0.6, 0.93) * ratio


def mark_statistics(mask: np.ndarray) -> np.ndarray:
    """Eleven numbers, each about 0..1, that tell bars, lines and dots apart. mask: HxW bool, the marks of one panel."""
    area = mask.mean()
    if area == 0:
        return np.zeros(11)
    byte = mask.astype(np.uint8)
    thick = cv2.distanceTransform(cv2.copyMakeBorder(byte, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0), cv2.DIST_L2, 3)
    count, _, stats, _ = cv2.connectedComponentsWithStats(byte, connectivity=8)
    boxes = stats[1:].astype(float)
    share = boxes[:, 4] / boxes[:, 4].sum()
    extent = (share * boxes[:, 4] / (boxes[:, 2] * boxes[:, 3])).sum()
    aspect = (share * np.arctan2(boxes[:, 3], boxes[:, 2])).sum() / (np.pi / 2)
    reach = (share * np.maximum(boxes[:, 2] / mask.shape[1], boxes[:, 3] / mask.shape[0])).sum()
    return np.array([
        area**0.5,
        min(1.0, thick.max() / 30),
        min(1.0, np.log1p(count - 1) / np.log(40)),
        extent,
        aspect,
        reach,
        mask[-3:].any(0).sum() / max(1, mask.any(0).sum()),
        mask[:, :3].any(1).sum() / max(1, mask.any(1).sum()),
        *_slopes(byte),
    ])  # fmt: skip


def _slopes(byte: np.ndarray) -> tuple[float, float, float]:
    """The shares of the outline that are horizontal, vertical and oblique."""
    soft = cv2.GaussianBlur(byte.astype(np.float32), (0, 0), 1.0)
    gx, gy = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    size, angle = cv2.cartToPolar(gx, gy)
    fold = np.abs(((angle / (np.pi / 2)) + 0.5) % 1 - 0.5) * 2  # 0 along an axis, 1 on a diagonal
    total = max(float(size.sum()), 1e-6)
    straight = fold < 0.25
    level = float(size[straight & (np.abs(gy) > np.abs(gx))].sum()) / total
    upright = float(size[straight & (np.abs(gx) >= np.abs(gy))].sum()) / total
    return level, upright, 1 - level - upright
