"""Where the marks of a generated chart stand in its picture, which values they show and which place in the program's lists
they have: what the eye is taught to read.

A bar's mark is its top (lying, its end), a line's each of its points. matplotlib itself says where they lie.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from rrvf.data.generated import charts
from rrvf.domains import NANO_CANVAS
from rrvf.nano.model import MERGED

#: A merged patch is cut into so many columns of four pixels; each has a mark (for the eye's
#: letters, a character) or none, class 0.
BINS = 7
#: Values from 1 to 110 in steps of a tenth, one class each.
VALUES = 1 + 50
#: The place in a list, of the first series or the second.
LONGEST = 10
ORDERS = 1 + 2 * LONGEST


def value_class(value: float) -> int:
    """The class of a value: equal steps of its logarithm."""
    return 1 + min(VALUES - 2, round(math.log(max(1.0, value)) / math.log(1.1)))


def order_class(series: int, place: int) -> int:
    """The class of a place in the list of the first series (0) or the second (1)."""
    return 1 + LONGEST * series + place


@dataclass(frozen=True)
class Mark:
    """A mark in the data coordinates of the figure's axes number `panel`, and its value, of which list and where in it."""

    x: float
    y: float
    value: int
    place: int
    series: int = 0
    panel: int = 0


def marks(s: charts.Spec) -> Iterator[Mark]:
    """Every mark; none for kinds whose values stand on no axis."""
    xs = s.numbers or range(len(s.values))
    firsts, seconds = (list(enumerate(zip(xs, v, strict=True))) for v in (s.values, s.second_values))
    if s.kind == "barh":
        yield from (Mark(v, i, v, i) for i, v in enumerate(s.values))
    elif s.kind == "scatter":
        yield from (Mark(x, y, y, i) for i, (x, y) in enumerate(zip(s.second_values, s.values, strict=True)))
    elif s.kind == "stacked":
        yield from (Mark(x, v, v, i) for i, (x, v) in firsts)
        yield from (Mark(x, s.values[i] + v, v, i, 1) for i, (x, v) in seconds)
    elif s.kind in ("grouped", "multiline", "subplots"):
        shift, panel = 0.2 * (s.kind == "grouped"), int(s.kind == "subplots")
        yield from (Mark(x - shift, v, v, i) for i, (x, v) in firsts)
        yield from (Mark(x + shift, v, v, i, 1, panel) for i, (x, v) in seconds)
    elif s.kind not in ("pie", "hist", "box", "heatmap"):
        yield from (Mark(x, v, v, i) for i, (x, v) in firsts)


def place(some: Iterable[Mark], where: Callable[[Mark], tuple[float, float]]) -> np.ndarray:
    """Classes by place, of values and of orders: uint8 [2, patches, BINS], patches in the order of the visual tokens.

    where: a mark's pixels from the left and from the top.
    """
    rows, columns = NANO_CANVAS.height // MERGED, NANO_CANVAS.width // MERGED
    out = np.zeros((2, rows, columns, BINS), np.uint8)
    for mark in some:
        across, down = where(mark)
        classes = value_class(mark.value), order_class(mark.series, mark.place)
        out[:, int(down // MERGED), int(across // MERGED), int(across % MERGED * BINS / MERGED)] = classes
    return out.reshape(2, -1, BINS)


def labels(seed: int) -> np.ndarray:
    """`place` of the marks of chart number `seed`."""
    import matplotlib
    import matplotlib.pyplot as plt

    spec, canvas = charts.spec(seed), NANO_CANVAS
    size = [canvas.width / canvas.dpi, canvas.height / canvas.dpi]
    # The sandbox's own canvas rules. Our generator's code is no foreign code: it needs no sandbox.
    settings = {"figure.figsize": size, "figure.dpi": canvas.dpi, "font.size": canvas.font_size, "backend": "agg"}
    with matplotlib.rc_context(settings | {"figure.autolayout": True}):
        exec(charts.code(spec), {})
        figure = plt.gcf()
        figure.draw_without_rendering()

        def where(mark: Mark) -> tuple[float, float]:
            across, up = figure.axes[mark.panel].transData.transform((mark.x, mark.y))
            return across, canvas.height - up

        out = place(marks(spec), where)
        plt.close(figure)
    return out


def all_labels(count: int, path: Path, workers: int = 2) -> np.ndarray:
    """`labels` of the first `count` charts, kept at `path`: uint8 [count, 2, patches, BINS]."""
    if not path.exists():
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            rows = np.stack(list(pool.map(labels, range(count), chunksize=50)))
        partial = path.with_suffix(".partial.npy")
        np.save(partial, rows)
        partial.rename(path)
    return np.load(path)
