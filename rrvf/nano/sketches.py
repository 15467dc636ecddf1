"""Sketches of charts: drawn with Pillow, close to matplotlib's pictures and a hundred times as fast.

To learn to read values, the vision tower needs far more charts than a corpus holds. With 8,000 charts it overfits: it
read 0.58 of the values on them and 0.40 on others (docs/log.md). Every sketch is new. There are only kinds whose marks
stand on axes, no legends, and no caps of error bars.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont

from rrvf.data.generated import charts
from rrvf.data.seeded import PRETRAINED
from rrvf.domains import CHART, NANO_CANVAS
from rrvf.nano.marks import Mark, marks
from rrvf.nano.phrases import glued

KINDS = ("bar", "grouped", "stacked", "barh", "line", "multiline", "scatter", "area", "step", "stem", "errorbar")
WIDTH, HEIGHT = NANO_CANVAS.width, NANO_CANVAS.height
#: Marks are drawn this many times larger and then shrunk, for smooth edges.
FINE = 2
PAD, TICK, LINE = 9, 5, 14
#: The share of sketches whose titles are made of glued words (`phrases.glued`).
SPELLED = 0.3
#: Data coordinates to pixels.
ToPixel = Callable[[float, float], tuple[float, float]]


def spec(rng: random.Random) -> charts.Spec:
    """A random chart of one of `KINDS`, with a seed that no corpus uses. Some titles are made of glued words."""
    while (drawn := PRETRAINED[CHART.name].spec(rng.randrange(10**8, 10**12))).kind not in KINDS:
        pass
    if drawn.title and rng.random() < SPELLED:
        return replace(drawn, title=" ".join(glued(rng) for _ in drawn.title.split()))
    return drawn


def sketch(s: charts.Spec) -> tuple[np.ndarray, np.ndarray]:
    """The picture, uint8 [H, W, 3], and the positions of its marks, [marks, 2], in pixels as `marks.positions`."""
    points = list(marks(s))
    lows, highs = _limits(s, points)
    names = list(s.categories) if s.kind in ("bar", "grouped", "stacked", "barh") or not s.numbers else None
    names = None if s.kind == "scatter" else names
    ticks = [_ticks(lows[k], highs[k], names if k == (s.kind == "barh") else None, (5, 6)[k]) for k in (0, 1)]
    box = _box(s, [text for _, text in ticks[1]])

    def to_pixel(x: float, y: float) -> tuple[float, float]:
        left, top, right, bottom = box
        return (
            left + (x - lows[0]) / (highs[0] - lows[0]) * (right - left),
            bottom - (y - lows[1]) / (highs[1] - lows[1]) * (bottom - top),
        )

    picture = _marks(s, points, to_pixel)
    _frame(ImageDraw.Draw(picture), s, ticks, to_pixel, box)
    if s.ylabel:
        _upright(picture, s.ylabel, box)
    return np.asarray(picture), np.array([to_pixel(p.x, p.y) for p in points])


def _limits(s: charts.Spec, points: list[Mark]) -> tuple[list[float], list[float]]:
    """The lower and upper limits of the axes, as (x, y) pairs: the extent of the marks plus matplotlib's margins."""
    ends = []
    for axis, lying in (("x", s.kind == "barh"), ("y", s.kind != "barh")):
        values = [getattr(p, axis) for p in points]
        low, high = min(values), max(values)
        bars = s.kind in ("bar", "grouped", "stacked", "barh")
        if lying and (bars or s.kind in ("area", "stem")):
            low = 0.0
        elif bars:
            low, high = round(low) - 0.4, round(high) + 0.4
        margin = 0.05 * ((high - low) or 1)
        ends.append((low if lying and bars else low - margin, high + margin))
    return [low for low, _ in ends], [high for _, high in ends]


def _ticks(low: float, high: float, names: list[str] | None, most: int) -> list[tuple[float, str]]:
    if names:
        return list(enumerate(names))
    places = [t for t in MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high) if low <= t <= high]
    whole = all(float(t).is_integer() for t in places)
    return [(t, f"{t:.0f}" if whole else f"{t:.1f}") for t in places]


def _box(s: charts.Spec, texts: list[str]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the axes in pixels. texts: the tick labels of the y axis."""
    left = PAD + (LINE if s.ylabel else 0) + max(map(_font().getlength, texts)) + TICK + 3
    top = PAD + (LINE + 3 if s.title else 0)
    return left, top, WIDTH - PAD, HEIGHT - PAD - LINE - TICK - (LINE if s.xlabel else 0)


@cache
def _font(size: float = 11.11) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")), size)


def _marks(s: charts.Spec, points: list[Mark], to_pixel: ToPixel) -> Image.Image:
    large = Image.new("RGB", (FINE * WIDTH, FINE * HEIGHT), "white")
    draw = ImageDraw.Draw(large)
    for series, colour in enumerate((s.colour, s.second_colour)):
        some = [p for p in points if p.series == series]
        ink = tuple(round(255 * c) for c in to_rgb(colour))
        if some:
            _series(draw, s, some, ink, lambda x, y: tuple(FINE * v for v in to_pixel(x, y)))
    return large.reduce(FINE)


def _series(draw: ImageDraw.ImageDraw, s: charts.Spec, points: list[Mark], ink, to_pixel: ToPixel) -> None:
    def bar(x0: float, y0: float, x1: float, y1: float) -> None:
        (left, low), (right, high) = to_pixel(x0, y0), to_pixel(x1, y1)
        draw.rectangle((left, min(low, high), right, max(low, high)), fill=ink)

    line = [to_pixel(p.x, p.y) for p in points]
    half = 0.2 if s.kind == "grouped" else 0.4
    for i, (p, (x, y)) in enumerate(zip(points, line, strict=True)):
        if s.kind in ("bar", "grouped", "stacked"):
            bar(p.x - half, p.y - p.value, p.x + half, p.y)
        elif s.kind == "barh":
            bar(0, p.y - half, p.x, p.y + half)
        elif s.kind == "stem":
            draw.line((x, to_pixel(p.x, 0)[1], x, y), fill=(31, 119, 180), width=2 * FINE)
        elif s.kind == "errorbar":
            error = s.errors[i] if s.errors else max(1, max(s.values) // 10)
            draw.line((x, to_pixel(p.x, p.y - error)[1], x, to_pixel(p.x, p.y + error)[1]), fill=ink, width=2 * FINE)
        if s.kind in ("scatter", "stem", "errorbar") or (s.marker and s.kind in ("line", "multiline")):
            radius = 4 * FINE
            draw.ellipse(
                (x - radius, y - radius, x + radius, y + radius), fill=(31, 119, 180) if s.kind == "stem" else ink
            )
    if s.kind == "area":
        floor = to_pixel(0, 0)[1]
        draw.polygon([(line[0][0], floor), *line, (line[-1][0], floor)], fill=ink)
    elif s.kind in ("line", "multiline"):
        draw.line(line, fill=ink, width=2 * FINE)
    elif s.kind == "step":
        corners = [c for a, b in itertools.pairwise(line) for c in (a, (a[0], b[1]))]
        draw.line([*corners, line[-1]], fill=ink, width=2 * FINE)


def _frame(draw: ImageDraw.ImageDraw, s: charts.Spec, ticks, to_pixel: ToPixel, box) -> None:
    left, top, right, bottom = box
    for x, text in ticks[0]:
        at = to_pixel(x, 0)[0]
        draw.line((at, bottom, at, bottom + TICK), fill="black")
        draw.text((at, bottom + TICK + 2), text, fill="black", font=_font(), anchor="mt")
    for y, text in ticks[1]:
        at = to_pixel(0, y)[1]
        draw.line((left - TICK, at, left, at), fill="black")
        draw.text((left - TICK - 3, at), text, fill="black", font=_font(), anchor="rm")
        if s.grid:
            draw.line((left, at, right, at), fill=(176, 176, 176))
    draw.rectangle(box, outline="black")
    middle = (left + right) / 2
    if s.title:
        draw.text((middle, top - 6), s.title, fill="black", font=_font(13.33), anchor="ms")
    if s.xlabel:
        draw.text((middle, HEIGHT - PAD - 2), s.xlabel, fill="black", font=_font(), anchor="ms")


def _upright(picture: Image.Image, text: str, box) -> None:
    label = Image.new("L", (int(_font().getlength(text)) + 2, LINE), 0)
    ImageDraw.Draw(label).text((1, 1), text, fill=255, font=_font())
    label = label.rotate(90, expand=True)
    picture.paste("black", (PAD - 3, int((box[1] + box[3] - label.height) / 2)), label)
