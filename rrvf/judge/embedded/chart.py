"""Takes a chart apart, from its pixels: panels, marks, legend, grid, and the text around the panels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from rrvf.judge.embedded import colour
from rrvf.judge.embedded.axes import Box, find_axes, ground_of, inside, tick_length
from rrvf.judge.embedded.picture import INK, Picture, distance, pixels
from rrvf.judge.embedded.shape import mark_statistics, tight

_FRAME = (144, 112)  # every panel is compared at this width and height
_RIM = 3  # the frame of a legend, in pixels


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
    """The parts of a chart.

    axes: their boxes, from top to bottom. loose: the box of the marks outside the axes; None where there are none.
    marks: HxW bool. legend: its box. grid: whether there are grid lines. texts: for each region a tight float crop of
    its ink.
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
        """The marks without their antialiased rims, for colours: HxW bool."""
        far = self.picture.contrast
        return self.marks & (far > 0.85 * cv2.dilate(far * self.marks, np.ones((5, 5), np.uint8)))

    @cached_property
    def edges(self) -> np.ndarray:
        """Where the colour changes inside or at the rim of a mark: HxW float, 0..1."""
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
        """The boxes that contain marks: the axes, then `loose`."""
        return self.axes + ((self.loose,) if self.loose else ())

    @cached_property
    def inside(self) -> list[Panel]:
        """The content of each panel."""
        return [self.framed(box) for box in self.panels]

    def framed(self, box: Box) -> Panel:
        """The content of a box."""
        return Panel(
            *(_framed(layer, box) for layer in (self.marks, self.edges, self.picture.gray, self.picture.warmth))
        )


def _framed(layer: np.ndarray, box: Box) -> np.ndarray:
    top, left = (min(start + 2, side - 1) for start, side in zip(box, layer.shape, strict=False))  # never empty
    part = layer[top : max(box[0] + 4, box[2] - 2), left : max(box[1] + 4, box[3] - 2)]
    return cv2.resize(part.astype(np.float32), _FRAME, interpolation=cv2.INTER_AREA)


def read_chart(picture: Picture) -> Chart:
    """Take a chart apart. Never fails: where no axes are found, the inked area is the only panel."""
    axes, loose = find_axes(picture)
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


def _pale(picture: Picture) -> np.ndarray:
    """The light gray pixels: HxW bool."""
    return (picture.gray > 190) & (picture.gray < 244) & (picture.chroma < 8)


def _legend(picture: Picture, panels: tuple[Box, ...]) -> Box | None:
    """The box of the biggest hollow light gray frame inside a panel, which is Matplotlib's legend; None: no legend."""
    _count, labels, stats, _ = cv2.connectedComponentsWithStats(_pale(picture).astype(np.uint8), connectivity=8)
    best, height, width = None, *picture.shape
    for index in np.flatnonzero((stats[:, 2] > 0.07 * width) & (stats[:, 3] > 0.04 * height)):
        x, y, w, h, area = stats[index].tolist()
        box = (y, x, y + h, x + w)
        if index == 0 or area > 6 * (w + h) or not any(inside(box, p) and w < 0.9 * (p[3] - p[1]) for p in panels):
            continue
        if _hollow(labels[y : y + h, x : x + w] == index) and (best is None or w * h > _area(best)):
            best = box
    return best


def with_legend_of(chart: Chart, other: Chart) -> Chart:
    """`chart` with the legend of `other`, where the same frame is found in it.

    Marks behind a legend can hide its frame from `_legend`.
    """
    if chart.legend or not other.legend:
        return chart
    top, left, bottom, right = other.legend
    if min(bottom - top, right - left) <= 2 * _RIM:
        return chart
    frame = slice(top, bottom), slice(left, right)
    rim = _pale(other.picture)[frame]
    rim[2:-2, 2:-2] = False
    gap = np.linalg.norm(pixels(chart.picture.lab[frame], rim) - pixels(other.picture.lab[frame], rim), axis=1)
    if (gap < 8).mean() < 0.5:
        return chart
    marks = chart.marks.copy()
    marks[frame] = False
    within = slice(top + _RIM, bottom - _RIM), slice(left + _RIM, right - _RIM)
    crop = tight(cv2.min(chart.picture.contrast[within] / 60, 1.0))
    texts = chart.texts if crop is None else chart.texts | {"legend": crop}
    return replace(chart, legend=other.legend, marks=marks, texts=texts)


def _hollow(mask: np.ndarray) -> bool:
    sides = mask[:2].any(0), mask[-2:].any(0), mask[:, :2].any(1), mask[:, -2:].any(1)
    return min(side.mean() for side in sides) > 0.6


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _grid_lines(picture: Picture, panels: tuple[Box, ...]) -> np.ndarray:
    """The pixels of grid lines: HxW bool. They are pale gray lines across much of a panel, at least two of them."""
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
        ground = ground_of(picture.rgb[inner], picture.background)
        far = (
            picture.contrast[inner]
            if ground is picture.background
            else distance([plane[inner] for plane in picture.planes], ground)
        )
        out[inner] = far > INK
    if legend is not None:
        out[legend[0] : legend[2], legend[1] : legend[3]] = False
    return out & ~lines


def _texts(picture: Picture, panels: tuple[Box, ...], legend: Box | None) -> dict[str, np.ndarray]:
    """The ink of each text region. Tick labels are nearest to the axes; the axis label follows after a gap."""
    ink = cv2.min(picture.contrast / 60, 1.0)
    top, left = min(p[0] for p in panels), min(p[1] for p in panels)
    bottom, right = max(p[2] for p in panels), max(p[3] for p in panels)
    gap = max(2, picture.shape[1] // 110)
    ticks = tick_length(ink)
    below, x_label = _split(ink[bottom + ticks :], 2)
    left_side = ink[top:bottom, : max(0, left - ticks)]
    y_ticks, y_label = (part.T[:, ::-1] for part in _split(left_side[:, ::-1].T, gap))
    label = tight(y_label)
    if label is not None and label.shape[1] > 0.08 * picture.shape[1]:  # too wide for one rotated line of text
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
    """Split rows of ink, which run from the axes outwards, at the first `gap` empty rows after ink."""
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
