"""Where the marks of a generated chart stand in its picture and which values they show.

What the policy is taught to read.

A bar's mark is its top (lying, its end), a line's each of its points. matplotlib itself says where they lie.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

import numpy as np

from rrvf.data.generated import charts
from rrvf.data.generated.words import SERIES_COLOURS
from rrvf.data.seeded import PRETRAINED
from rrvf.domains import CHART, NANO_CANVAS
from rrvf.nano.model import MERGED
from rrvf.outputs import whole

#: A merged patch is cut into so many columns of four pixels; each has a mark (for the eye's
#: letters, a character) or none, class 0.
BINS = 7
#: Values from 1 to 110 in steps of a tenth, one class each.
VALUES = 1 + 50
#: A mark is pointed at by the half of a merged patch's width that it stands in, a lying bar by that of a patch's
#: height.
STRIPE = MERGED // 2
STRIPES = NANO_CANVAS.width // STRIPE
#: The stripes of the first series' marks, then those of the second's.
ADDRESSES = 1 + 2 * STRIPES
#: A chart has no more marks.
MOST = 20


@dataclass(frozen=True)
class Mark:
    """A mark in the data coordinates of the figure's axes number `panel`, its value, and of which list that is."""

    x: float
    y: float
    value: int
    series: int = 0
    panel: int = 0


def marks(s: charts.Spec) -> Iterator[Mark]:
    """Every mark, in the order of the program's lists; none for kinds whose values stand on no axis."""
    xs = s.numbers or range(len(s.values))
    firsts, seconds = (list(zip(xs, v, strict=True)) for v in (s.values, s.second_values))
    if s.kind == "barh":
        yield from (Mark(v, i, v) for i, v in enumerate(s.values))
    elif s.kind == "scatter":
        yield from (Mark(x, y, y) for x, y in zip(s.second_values, s.values, strict=True))
    elif s.kind == "stacked":
        yield from (Mark(x, v, v) for x, v in firsts)
        yield from (Mark(x, below + v, v, 1) for (x, v), below in zip(seconds, s.values, strict=True))
    elif s.kind in ("grouped", "multiline", "subplots"):
        shift, panel = 0.2 * (s.kind == "grouped"), int(s.kind == "subplots")
        yield from (Mark(x - shift, v, v) for x, v in firsts)
        yield from (Mark(x + shift, v, v, 1, panel) for x, v in seconds)
    elif s.kind not in ("pie", "hist", "box", "heatmap"):
        yield from (Mark(x, v, v) for x, v in firsts)


def value_class(value: float) -> int:
    """The class of a value: equal steps of its logarithm."""
    return 1 + min(VALUES - 2, round(math.log(max(1.0, value)) / math.log(1.1)))


def stripe(kind: str, across: float, down: float) -> int:
    """The number of the stripe that points at a mark of a chart of this kind: from the left, or (barh) from the top."""
    return int((down if kind == "barh" else across) // STRIPE)


def patch(across: float, down: float) -> int:
    """The number of the visual token in which a point lies, in pixels from the left and from the top."""
    return int(down // MERGED) * (NANO_CANVAS.width // MERGED) + int(across // MERGED)


def place(s: charts.Spec, positions: np.ndarray) -> np.ndarray:
    """Classes by place, of values, addresses and colours.

    uint8 [3, patches, BINS], patches in the visual tokens' order.

    positions: of the marks, in pixels from the left and from the top [marks, 2].
    """
    patches = (NANO_CANVAS.height // MERGED) * (NANO_CANVAS.width // MERGED)
    out = np.zeros((3, patches, BINS), np.uint8)
    colours = ("tab:blue",) if s.kind == "stem" else (s.colour, s.second_colour)
    for mark, (across, down) in zip(marks(s), positions, strict=False):
        address = 1 + STRIPES * mark.series + stripe(s.kind, across, down)
        colour = 1 + SERIES_COLOURS.index(colours[mark.series])
        out[:, patch(across, down), int(across % MERGED * BINS / MERGED)] = value_class(mark.value), address, colour
    return out


def reading(s: charts.Spec, positions: np.ndarray) -> str:
    """Each mark's stripe as a letter (a, b, c; of the second series A, B, C) and its value."""
    letters = (ascii_lowercase, ascii_uppercase)
    pairs = zip(marks(s), positions, strict=False)
    return "".join(f"{letters[mark.series][stripe(s.kind, *where)]}{mark.value}" for mark, where in pairs)


def positions(seed: int) -> np.ndarray:
    """Of the marks of the pre-training's chart number `seed`, in pixels from the left and from the top.

    int16 [MOST, 2].

    0 where there are no more.
    """
    import matplotlib
    import matplotlib.pyplot as plt

    spec, canvas = PRETRAINED[CHART.name].spec(seed), NANO_CANVAS
    out = np.zeros((MOST, 2), np.int16)
    if not (some := list(marks(spec))):
        return out
    size = [canvas.width / canvas.dpi, canvas.height / canvas.dpi]
    # The sandbox's own canvas rules. Our generator's code is no foreign code: it needs no sandbox.
    settings = {"figure.figsize": size, "figure.dpi": canvas.dpi, "font.size": canvas.font_size, "backend": "agg"}
    with matplotlib.rc_context(settings | {"figure.autolayout": True}):
        exec(charts.code(spec), {})
        figure = plt.gcf()
        figure.draw_without_rendering()
        for i, mark in enumerate(some):
            across, up = figure.axes[mark.panel].transData.transform((mark.x, mark.y))
            out[i] = across, canvas.height - up
        plt.close(figure)
    return out


def all_positions(count: int, path: Path, workers: int = 2) -> np.ndarray:
    """`positions` of the first `count` charts, kept at `path`: int16 [count, MOST, 2]."""
    if not path.exists():
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            rows = np.stack(list(pool.map(positions, range(count), chunksize=50)))
        with whole(path) as partial, partial.open("wb") as file:
            np.save(file, rows)
    return np.load(path)
