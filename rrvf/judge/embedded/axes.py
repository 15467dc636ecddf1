"""Finds the axes of a chart from its pixels: by their spines, or by a background that differs from the picture's."""

from __future__ import annotations

import cv2
import numpy as np

from rrvf.judge.embedded.picture import Picture, distance, lab_of, mode_colour

#: Lab distance from the background above which a flat area counts as the ground of an axes.
TINT = 4.0
#: Lab distance from the background above which a straight line counts as a grid line.
FAINT = 8.0
#: Lab chroma above which ink is a coloured mark and not text.
VIVID = 15.0
Box = tuple[int, int, int, int]  # top, left, bottom, right; the last two are exclusive


def find_axes(picture: Picture) -> tuple[tuple[Box, ...], Box | None]:
    """The boxes of the axes, from top to bottom, and one box around all marks outside of them (None: no such marks).

    Candidates are boxes of straight lines and of tinted ground. A box is an axes if it has spines or its ground differs
    from the picture's. Boxes inside an axes (legend, bars) are dropped. The remaining candidates are marks without
    spines (bars, wedges), and one box is put around them.
    """
    height, width = picture.shape
    tinted = cv2.morphologyEx((picture.contrast > TINT).astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    ink = tinted | (picture.contrast > FAINT)
    level = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, max(8, width // 8)), np.uint8))
    upright = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((max(8, height // 8), 1), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(level | upright, np.ones((3, 3), np.uint8)))
    boxes = [(y + 1, x + 1, y + h - 1, x + w - 1) for x, y, w, h, _ in stats[1:].tolist()]
    big = [b for b in boxes if b[2] - b[0] > 0.1 * height and b[3] - b[1] > 0.03 * width]
    big.sort(key=lambda b: (b[0] - b[2]) * (b[3] - b[1]))
    axes: dict[Box, Box] = {}  # a box as found -> the box without its tick marks
    for box in big:
        trimmed = _trimmed(box, level, upright)
        if len(axes) < 16 and not any(inside(box, k) for k in axes) and _is_axes(picture, trimmed):
            axes[box] = trimmed
    vivid = picture.ink & (picture.chroma > VIVID)
    if axes and 2 * sum(np.count_nonzero(vivid[t:b, le:r]) for t, le, b, r in axes) < np.count_nonzero(vivid):
        axes = {}  # only a legend's frame was found: most coloured ink is outside of it
    loose = [b for b in (big if axes else boxes) if not any(inside(b, k) for k in axes)]
    if not axes and (vivid.any() or not loose):
        loose.append(_bounds(vivid if vivid.any() else picture.ink))
    return tuple(sorted(axes.values())), hull(loose) if loose else None


def _is_axes(picture: Picture, box: Box) -> bool:
    """Whether at least two sides of a box are thin lines of one colour, or the box has its own ground."""
    part = picture.rgb[box[0] : box[2], box[1] : box[3]].astype(np.int16)
    if min(part.shape[:2]) < 12:
        return False
    found = [_line(side) for side in (part, part[::-1], part.transpose(1, 0, 2), part[:, ::-1].transpose(1, 0, 2))]
    lines = [line for line in found if line is not None]
    alike = any(np.abs(a - b).max() < 40 for i, a in enumerate(lines) for b in lines[:i])
    return alike or _is_ground(picture, box)


def _is_ground(picture: Picture, box: Box) -> bool:
    """Whether an area has its own background with something drawn on it. Nothing is drawn on a bar."""
    height, width = picture.shape
    if box[2] - box[0] < 0.15 * height or box[3] - box[1] < 0.15 * width:
        return False
    inner = slice(box[0] + 3, box[2] - 3), slice(box[1] + 3, box[3] - 3)
    ground = ground_of(picture.rgb[inner], picture.background, 0.75)
    return (
        ground is not picture.background
        and (distance([plane[inner] for plane in picture.planes], ground) > TINT).mean() > 0.02
    )


def _line(rows: np.ndarray) -> np.ndarray | None:
    """The colour of the thin line along the first rows; None where there is no line or it is as thick as a bar."""
    for row in rows[:2]:
        own = np.median(row, axis=0)
        along, beyond = ((np.abs(r - own).max(axis=1) < 40).mean() for r in (row, rows[5]))
        if along > 0.8 and beyond < 0.6:
            return own
    return None


def hull(boxes: list[Box]) -> Box:
    """The smallest box around all boxes."""
    tops, lefts, bottoms, rights = zip(*boxes, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


def _trimmed(box: Box, level: np.ndarray, upright: np.ndarray) -> Box:
    """The box without tick marks: each side is moved inwards to its spine, by at most a tick's length."""
    top, left, bottom, right = box
    rows = np.flatnonzero(level[top:bottom, left:right].mean(1) > 0.6)
    cols = np.flatnonzero(upright[top:bottom, left:right].mean(0) > 0.6)
    above, below = _ends(rows, bottom - top, tick_length(level))
    before, after = _ends(cols, right - left, tick_length(level))
    return top + above, left + before, bottom - below, right - after


def _ends(lines: np.ndarray, length: int, most: int) -> tuple[int, int]:
    """The distances of the first line from the start and of the last line from the end; 0 for one above `most`."""
    if not len(lines):
        return 0, 0
    ends = int(lines[0]), length - 1 - int(lines[-1])
    return tuple(e if e <= most else 0 for e in ends)


def tick_length(picture: np.ndarray) -> int:
    """The largest length of tick marks outside the axes, in pixels."""
    return max(6, round(0.016 * picture.shape[0]))


def inside(a: Box, b: Box) -> bool:
    """Whether box `a` lies in box `b`, with a tolerance of three pixels."""
    return a[0] >= b[0] - 3 and a[1] >= b[1] - 3 and a[2] <= b[2] + 3 and a[3] <= b[3] + 3


def _bounds(mask: np.ndarray) -> Box:
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0, mask.shape[0], mask.shape[1]
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1


def ground_of(rgb: np.ndarray, background: np.ndarray, least: float = 0.5) -> np.ndarray:
    """The background of a panel, as Lab: the picture's, unless another colour fills most of the rim and occurs inside.

    Marks rarely reach three sides. Where they do (a heat map), they have many colours.
    """
    rim = np.concatenate([p.reshape(-1, 3) for p in (rgb[2:4], rgb[:, 2:4], rgb[:, -4:-2])])  # inside of thick spines
    colour = mode_colour(rim)
    if np.linalg.norm(lab_of(colour) - background) < 3:
        return background
    near = [(np.abs(p.astype(np.int16) - colour).max(axis=1) < 12).mean() for p in (rim, rgb[::2, ::2].reshape(-1, 3))]
    return lab_of(colour) if near[0] > least and near[1] > 0.1 else background
