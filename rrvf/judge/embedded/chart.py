"""What a chart is made of, found from its pixels: panels, marks, legend, grid, and the text around the panels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from rrvf.judge.embedded import colour
from rrvf.judge.embedded.picture import INK, Picture, distance, lab_of, mode_colour, pixels
from rrvf.judge.embedded.shape import mark_statistics, tight

#: Lab distance from the background above which a flat area counts as an axes' own ground.
TINT = 4.0
#: Lab distance from the background above which a straight line counts as one of a grid.
FAINT = 8.0
#: Lab chroma above which ink is a colour and not text.
VIVID = 15.0
Box = tuple[int, int, int, int]  # top, left, bottom, right; the last two are exclusive
_FRAME = (144, 112)  # every panel is compared at this width and height


@dataclass(frozen=True)
class Panel:
    """The inside of one axes, at the size of `_FRAME`, as float maps."""

    marks: np.ndarray
    edges: np.ndarray
    gray: np.ndarray
    warmth: np.ndarray

    @cached_property
    def statistics(self) -> np.ndarray:
        """`shape.mark_statistics`."""
        return mark_statistics(self.marks > 0.3)


@dataclass(frozen=True)
class Chart:
    """axes: their boxes, top to bottom. loose: the box of what stands in none: of the marks, where there are no axes.

    marks: HxW bool. texts: region to a tight float crop of its ink.
    """

    picture: Picture
    axes: tuple[Box, ...]
    loose: Box | None
    marks: np.ndarray
    legend: Box | None
    grid: bool
    texts: dict[str, np.ndarray]

    @cached_property
    def core(self) -> np.ndarray:
        """The marks less their antialiased rims: HxW bool, for colours."""
        far = self.picture.contrast
        return self.marks & (far > 0.85 * cv2.dilate(far * self.marks, np.ones((5, 5), np.uint8)))

    @cached_property
    def edges(self) -> np.ndarray:
        """Where the colour changes in or at a mark: HxW float, 0..1."""
        red, green, blue = cv2.split(cv2.morphologyEx(self.picture.rgb, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
        change = cv2.max(cv2.max(red, green), blue).astype(np.float32)
        near = cv2.dilate(self.marks.astype(np.uint8), np.ones((3, 3), np.uint8))
        return cv2.min(change / 60, 1.0) * near

    @cached_property
    def palette(self) -> np.ndarray:
        """`colour.palette` of the marks."""
        return colour.palette(pixels(self.picture.rgb, self.core), pixels(self.picture.lab, self.core))

    @property
    def panels(self) -> tuple[Box, ...]:
        """The boxes that marks stand in."""
        return self.axes + ((self.loose,) if self.loose else ())

    @cached_property
    def inside(self) -> list[Panel]:
        """The panels, each on its own."""
        return [self.framed(box) for box in self.panels]

    def framed(self, box: Box) -> Panel:
        """What stands in a box."""
        return Panel(
            *(_framed(layer, box) for layer in (self.marks, self.edges, self.picture.gray, self.picture.warmth))
        )


def _framed(layer: np.ndarray, box: Box) -> np.ndarray:
    part = layer[box[0] + 2 : max(box[0] + 4, box[2] - 2), box[1] + 2 : max(box[1] + 4, box[3] - 2)]
    return cv2.resize(part.astype(np.float32), _FRAME, interpolation=cv2.INTER_AREA)


def read_chart(picture: Picture) -> Chart:
    """Take a chart apart. Never fails: where no axes are found, the inked area is the one panel."""
    axes, loose = _panels(picture)
    panels = axes + ((loose,) if loose else ())
    legend = _legend(picture, panels)
    lines = _grid_lines(picture, panels)
    return Chart(
        picture,
        axes,
        loose,
        _marks(picture, axes, loose, legend, lines),
        legend,
        bool(lines.any()),
        _texts(picture, panels, legend),
    )


def _panels(picture: Picture) -> tuple[tuple[Box, ...], Box | None]:
    """Boxes of the axes, top to bottom, and the box of what stands in none of them.

    Straight ink and tinted ground show where things stand. A box with spines or a ground of its own is an axes; inner
    boxes (legend, bars) are dropped. What stands in no axes is marks (bars or wedges without a spine) and shares one box.
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
    axes: dict[Box, Box] = {}  # as found, and without its tick marks
    for box in big:
        trimmed = _trimmed(box, level, upright)
        if len(axes) < 16 and not any(_inside(box, k) for k in axes) and _is_axes(picture, trimmed):
            axes[box] = trimmed
    vivid = picture.ink & (picture.chroma > VIVID)
    if axes and 2 * sum(np.count_nonzero(vivid[t:b, le:r]) for t, le, b, r in axes) < np.count_nonzero(vivid):
        axes = {}  # a legend's frame, and the marks stand elsewhere
    loose = [b for b in (big if axes else boxes) if not any(_inside(b, k) for k in axes)]
    if not axes and (vivid.any() or not loose):
        loose.append(_bounds(vivid if vivid.any() else picture.ink))
    return tuple(sorted(axes.values())), hull(loose) if loose else None


def _is_axes(picture: Picture, box: Box) -> bool:
    """Whether two sides of a box at least are thin lines of one colour, or it has a ground of its own."""
    part = picture.rgb[box[0] : box[2], box[1] : box[3]].astype(np.int16)
    if min(part.shape[:2]) < 12:
        return False
    found = [_line(side) for side in (part, part[::-1], part.transpose(1, 0, 2), part[:, ::-1].transpose(1, 0, 2))]
    lines = [line for line in found if line is not None]
    alike = any(np.abs(a - b).max() < 40 for i, a in enumerate(lines) for b in lines[:i])
    return alike or _is_ground(picture, box)


def _is_ground(picture: Picture, box: Box) -> bool:
    """Whether an area has a background of its own with something on it: a bar has none."""
    height, width = picture.shape
    if box[2] - box[0] < 0.15 * height or box[3] - box[1] < 0.15 * width:
        return False
    inner = slice(box[0] + 3, box[2] - 3), slice(box[1] + 3, box[3] - 3)
    ground = _ground(picture.rgb[inner], picture.background, 0.75)
    return (
        ground is not picture.background
        and (distance([plane[inner] for plane in picture.planes], ground) > TINT).mean() > 0.02
    )


def _line(rows: np.ndarray) -> np.ndarray | None:
    """The colour of the thin line along the first rows; None where there is none, or where it is as thick as a bar."""
    for row in rows[:2]:
        own = np.median(row, axis=0)
        along, beyond = ((np.abs(r - own).max(axis=1) < 40).mean() for r in (row, rows[5]))
        if along > 0.8 and beyond < 0.6:
            return own
    return None


def hull(boxes: list[Box]) -> Box:
    """The box around boxes."""
    tops, lefts, bottoms, rights = zip(*boxes, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


def _trimmed(box: Box, level: np.ndarray, upright: np.ndarray) -> Box:
    """Cut off tick marks: each side moves inwards to its spine, by no more than a tick's length."""
    top, left, bottom, right = box
    rows = np.flatnonzero(level[top:bottom, left:right].mean(1) > 0.6)
    cols = np.flatnonzero(upright[top:bottom, left:right].mean(0) > 0.6)
    above, below = _ends(rows, bottom - top, tick_length(level))
    before, after = _ends(cols, right - left, tick_length(level))
    return top + above, left + before, bottom - below, right - after


def _ends(lines: np.ndarray, length: int, most: int) -> tuple[int, int]:
    """How far the first and the last line stand from both ends; 0 where that is more than `most`."""
    if not len(lines):
        return 0, 0
    ends = int(lines[0]), length - 1 - int(lines[-1])
    return tuple(e if e <= most else 0 for e in ends)


def tick_length(picture: np.ndarray) -> int:
    """What tick marks may reach out of the axes, in pixels."""
    return max(6, round(0.016 * picture.shape[0]))


def _inside(a: Box, b: Box) -> bool:
    return a[0] >= b[0] - 3 and a[1] >= b[1] - 3 and a[2] <= b[2] + 3 and a[3] <= b[3] + 3


def _bounds(mask: np.ndarray) -> Box:
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0, mask.shape[0], mask.shape[1]
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1


def _pale(picture: Picture) -> np.ndarray:
    """HxW bool: light gray."""
    return (picture.gray > 190) & (picture.gray < 244) & (picture.chroma < 8)


def _legend(picture: Picture, panels: tuple[Box, ...]) -> Box | None:
    """The biggest hollow light-gray frame inside a panel: matplotlib's legend box."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(_pale(picture).astype(np.uint8), connectivity=8)
    best, height, width = None, *picture.shape
    for index in np.flatnonzero((stats[:, 2] > 0.07 * width) & (stats[:, 3] > 0.04 * height)):
        x, y, w, h, area = stats[index].tolist()
        box = (y, x, y + h, x + w)
        if index == 0 or area > 6 * (w + h) or not any(_inside(box, p) and w < 0.9 * (p[3] - p[1]) for p in panels):
            continue
        if _hollow(labels[y : y + h, x : x + w] == index) and (best is None or w * h > _area(best)):
            best = box
    return best


def with_legend_of(chart: Chart, other: Chart) -> Chart:
    """`chart` with the legend that `other` has, where the same frame stands in it: marks behind it may have hidden it."""
    if chart.legend or not other.legend:
        return chart
    top, left, bottom, right = other.legend
    frame = slice(top, bottom), slice(left, right)
    rim = _pale(other.picture)[frame]
    rim[2:-2, 2:-2] = False
    gap = np.linalg.norm(pixels(chart.picture.lab[frame], rim) - pixels(other.picture.lab[frame], rim), axis=1)
    if (gap < 8).mean() < 0.5:
        return chart
    marks = chart.marks.copy()
    marks[frame] = False
    crop = tight(cv2.min(chart.picture.contrast[top + 3 : bottom - 3, left + 3 : right - 3] / 60, 1.0))
    texts = chart.texts if crop is None else chart.texts | {"legend": crop}
    return replace(chart, legend=other.legend, marks=marks, texts=texts)


def _hollow(mask: np.ndarray) -> bool:
    sides = mask[:2].any(0), mask[-2:].any(0), mask[:, :2].any(1), mask[:, -2:].any(1)
    return min(side.mean() for side in sides) > 0.6


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _grid_lines(picture: Picture, panels: tuple[Box, ...]) -> np.ndarray:
    """HxW bool: pale gray lines across much of a panel, two or more of them; empty otherwise."""
    pale = (picture.gray > 120) & (picture.gray < 236) & (picture.chroma < 6)
    pale &= ~cv2.morphologyEx(pale.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)).astype(
        bool
    )  # gray marks
    out = np.zeros(picture.shape, bool)
    for top, left, bottom, right in panels:
        part = pale[top + 3 : bottom - 3, left + 3 : right - 3]
        if min(part.shape, default=0) < 12:
            continue
        clear = ~picture.ink[top + 3 : bottom - 3, left + 3 : right - 3] | part
        rows, cols = (part.mean(a) > np.maximum(0.1, 0.6 * clear.mean(a)) for a in (1, 0))
        if 2 <= rows.sum() + cols.sum() < 0.3 * sum(part.shape):
            inner = out[top + 3 : bottom - 3, left + 3 : right - 3]
            inner[:] = ((rows[:, None] | cols[None, :]) & part) | inner
    return out


def _marks(
    picture: Picture, axes: tuple[Box, ...], loose: Box | None, legend: Box | None, lines: np.ndarray
) -> np.ndarray:
    out = np.zeros(picture.shape, bool)
    if loose is not None:
        inner = slice(loose[0], loose[2]), slice(loose[1], loose[3])
        out[inner] = picture.ink[inner]
    for top, left, bottom, right in axes:
        inner = slice(top + 2, bottom - 2), slice(left + 2, right - 2)
        if min(bottom - top, right - left) < 12:
            continue
        ground = _ground(picture.rgb[inner], picture.background)
        far = (
            picture.contrast[inner]
            if ground is picture.background
            else distance([plane[inner] for plane in picture.planes], ground)
        )
        out[inner] = far > INK
    if legend is not None:
        out[legend[0] : legend[2], legend[1] : legend[3]] = False
    return out & ~lines


def _ground(rgb: np.ndarray, background: np.ndarray, least: float = 0.5) -> np.ndarray:
    """A panel's own background: the picture's, unless one other colour fills most of the panel's rim and goes on inside.

    Marks seldom reach three sides, and where they do (a heat map) they are of many colours.
    """
    rim = np.concatenate([p.reshape(-1, 3) for p in (rgb[2:4], rgb[:, 2:4], rgb[:, -4:-2])])  # within thick spines
    colour = mode_colour(rim)
    if np.linalg.norm(lab_of(colour) - background) < 3:
        return background
    near = [(np.abs(p.astype(np.int16) - colour).max(axis=1) < 12).mean() for p in (rim, rgb[::2, ::2].reshape(-1, 3))]
    return lab_of(colour) if near[0] > least and near[1] > 0.1 else background


def _texts(picture: Picture, panels: tuple[Box, ...], legend: Box | None) -> dict[str, np.ndarray]:
    """Ink by region. Nearest the axes stand tick labels; beyond a gap, the axis label."""
    ink = cv2.min(picture.contrast / 60, 1.0)
    top, left = min(p[0] for p in panels), min(p[1] for p in panels)
    bottom, right = max(p[2] for p in panels), max(p[3] for p in panels)
    gap = max(2, picture.shape[1] // 110)
    ticks = tick_length(ink)
    below, x_label = _split(ink[bottom + ticks :], 2)
    left_side = ink[top:bottom, : max(0, left - ticks)]
    y_ticks, y_label = (part.T[:, ::-1] for part in _split(left_side[:, ::-1].T, gap))
    label = tight(y_label)
    if label is not None and label.shape[1] > 0.08 * picture.shape[1]:  # too wide to be a line of text on its side
        y_ticks, y_label = left_side, y_label[:, :0]
    above, title = (part[::-1] for part in _split(ink[: max(0, top - 1)][::-1], 2))
    if tight(title) is None:
        above, title = title, above
    crops = {
        "title": title,
        "top text": above,
        "x label": x_label,
        "y label": y_label,
        "x ticks": below,
        "y ticks": y_ticks,
    }
    crops["side text"] = ink[top:bottom, right + 1 :]
    if legend is not None:
        crops["legend"] = ink[legend[0] + 3 : legend[2] - 3, legend[1] + 3 : legend[3] - 3]
    if len(panels) > 1:
        crops["panel text"] = _between(ink[top:bottom, left:right], panels, top, left)
    found = {name: tight(crop) for name, crop in crops.items() if crop.size}
    return {name: crop for name, crop in found.items() if crop is not None}


def _split(ink: np.ndarray, gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ink from the axes outwards: up to the first gap of `gap` empty rows after ink, and the rest."""
    full = (ink > 0.25).any(1)
    seen = empty = 0
    for row, inked in enumerate(full):
        seen, empty = seen or inked, 0 if inked else empty + 1
        if seen and empty >= gap:
            return ink[:row], ink[row:]
    return ink, ink[:0]


def _between(ink: np.ndarray, panels: tuple[Box, ...], top: int, left: int) -> np.ndarray:
    out = ink.copy()
    for box in panels:
        out[max(0, box[0] - top - 1) : box[2] - top + 1, max(0, box[1] - left - 1) : box[3] - left + 1] = 0
    return out
