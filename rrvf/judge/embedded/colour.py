"""Palettes, their distance, and the names of colours."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from rrvf.judge.embedded.picture import lab_of

#: The Matplotlib cycle and the basic CSS names: all colour names that feedback can contain.
NAMES = {
    "tab:blue": "1f77b4", "tab:orange": "ff7f0e", "tab:green": "2ca02c", "tab:red": "d62728", "tab:purple": "9467bd",
    "tab:brown": "8c564b", "tab:pink": "e377c2", "tab:gray": "7f7f7f", "tab:olive": "bcbd22", "tab:cyan": "17becf",
    "black": "000000", "white": "ffffff", "silver": "c0c0c0", "red": "ff0000", "maroon": "800000", "gold": "ffd700",
    "yellow": "ffff00", "lime": "00ff00", "green": "008000", "teal": "008080", "cyan": "00ffff", "navy": "000080",
    "blue": "0000ff", "purple": "800080", "magenta": "ff00ff", "salmon": "fa8072", "orange": "ffa500",
    "skyblue": "87ceeb", "steelblue": "4682b4", "pink": "ffc0cb", "crimson": "dc143c", "indigo": "4b0082",
    "lightgray": "d3d3d3", "lightblue": "add8e6", "lightgreen": "90ee90", "beige": "f5f5dc",
}  # fmt: skip
#: Two colours closer than this in Lab count as the same.
SAME = 16.0
_COLOURS = 10


@cache
def _named() -> tuple[tuple[str, ...], np.ndarray]:
    rgb = [np.array([int(h[i : i + 2], 16) for i in (0, 2, 4)], np.uint8) for h in NAMES.values()]
    return tuple(NAMES), np.stack([lab_of(c) for c in rgb])


def name_of(lab: np.ndarray) -> str:
    """The nearest colour name of a Lab colour."""
    names, table = _named()
    return names[int(np.linalg.norm(table - lab, axis=1).argmin())]


def palette(rgb: np.ndarray, lab: np.ndarray) -> np.ndarray:
    """The main colours of N pixels, as rows (weight, L, a, b). No pixels give no rows.

    rgb: Nx3 uint8, lab: Nx3. Weights are square roots of shares, scaled to a sum of 1, so that a thin line counts.
    """
    if not len(rgb):
        return np.zeros((0, 4), np.float32)
    high = (rgb >> 5).astype(np.int32)
    bins = high[:, 0] * 64 + high[:, 1] * 8 + high[:, 2]
    counts = np.bincount(bins, minlength=512)
    sums = np.stack([np.bincount(bins, lab[:, c], 512) for c in range(3)], axis=1)
    order = [b for b in counts.argsort(kind="stable")[::-1][:24] if counts[b] > 0.015 * len(rgb)] or [
        int(counts.argmax())
    ]
    rows = _merged([(float(counts[b]), sums[b] / counts[b]) for b in order])
    weights = np.sqrt([r[0] for r in rows])
    return np.column_stack([weights / weights.sum(), np.stack([r[1] for r in rows])]).astype(np.float32)


def _merged(rows: list[tuple[float, np.ndarray]]) -> list[tuple[float, np.ndarray]]:
    """Join bins of like colours, biggest first: a colour may spread over two bins, or have an antialiased rim."""
    kept: list[tuple[float, np.ndarray]] = []
    for count, colour in rows:
        near = [i for i, (_, c) in enumerate(kept) if np.linalg.norm(c - colour) < SAME]
        if near:
            old, centre = kept[near[0]]
            kept[near[0]] = (old + count, (centre * old + colour * count) / (old + count))
        else:
            kept.append((count, colour))
    return kept[:_COLOURS]


def nearness(gap: np.ndarray | float) -> np.ndarray | float:
    """The similarity of two colours at distance `gap` in Lab: 0.92 at 12, a half at 32, 0.09 at 80.

    It falls slowly at first: a hue turned by 18 degrees is 10 to 30 away and nearly right, a wrong hue 60 to 150.
    """
    return 1 / (1 + (gap / 32.0) ** 2.5)


def palette_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """The similarity of two palettes in [0, 1]: 1 minus the earth mover's distance. Two empty palettes agree."""
    if not len(a) or not len(b):
        return float(len(a) == len(b))
    cost = 1 - nearness(np.linalg.norm(a[:, None, 1:] - b[None, :, 1:], axis=2)).astype(np.float32)
    weights = (np.ascontiguousarray(p[:, :1]) for p in (a, b))
    return float(np.clip(1 - cv2.EMD(*weights, cv2.DIST_USER, cost=cost)[0], 0, 1))


def unmatched(a: np.ndarray, b: np.ndarray, least: float = 0.12) -> list[str]:
    """The names of the colours of palette `a` that palette `b` lacks, heaviest first. least: smallest weight."""
    names = []
    for weight, *colour in a:
        far = not len(b) or np.linalg.norm(b[:, 1:] - np.array(colour), axis=1).min() > 1.5 * SAME
        if weight > least and far and (name := name_of(np.array(colour))) not in names:
            names.append(name)
    return names
