"""The marks of a generated chart: their positions in the picture and their values. The policy learns to read these.

A bar has one mark, at its top (a horizontal bar: at its end). A line has a mark at each point. The positions come from
matplotlib.
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

#: Bins of a merged patch: columns of four pixels. Each bin holds one mark (or, for the eye's letters, one character) or
#: nothing, class 0.
BINS = 7
#: Classes of values: 0 is "no mark"; the others are values from 1 to 107, each a tenth larger than the one before.
VALUES = 1 + 50
#: A letter points at a mark by its stripe: half a merged patch wide, or (for horizontal bars) half a merged patch high.
#: In pixels.
STRIPE = MERGED // 2
STRIPES = NANO_CANVAS.width // STRIPE
#: Classes of addresses: 0 is "no mark", then the stripes of the first series, then those of the second.
ADDRESSES = 1 + 2 * STRIPES
#: The most marks that a chart has.
MOST = 20


@dataclass(frozen=True)
class Mark:
    """A mark. x, y: data coordinates in the figure's axes number `panel`. series: 0 or 1, whose list holds `value`."""

    x: float
    y: float
    value: int
    series: int = 0
    panel: int = 0


def marks(s: charts.Spec) -> Iterator[Mark]:
    """Every mark, in the order of the program's lists; none for kinds whose values cannot be read off an axis."""
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
    """The class of a value, in equal steps of its logarithm."""
    return 1 + min(VALUES - 2, round(math.log(max(1.0, value)) / math.log(1.1)))


def stripe(kind: str, across: float, down: float) -> int:
    """The stripe of a mark at (across, down) pixels: counted from the left, or for a `barh` chart from the top."""
    return int((down if kind == "barh" else across) // STRIPE)


def patch(across: float, down: float) -> int:
    """The index of the visual token that holds a point, given in pixels from the left and from the top."""
    return int(down // MERGED) * (NANO_CANVAS.width // MERGED) + int(across // MERGED)


def place(s: charts.Spec, positions: np.ndarray) -> np.ndarray:
    """Classes of values, addresses and colours by place: uint8 [3, patches, BINS], patches in the visual tokens' order.

    positions: of the marks, in pixels from the left and from the top, [marks, 2].
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
    """Each mark as the letter of its stripe (a, b, c; second series: A, B, C) and its value, such as `a12b7`."""
    letters = (ascii_lowercase, ascii_uppercase)
    pairs = zip(marks(s), positions, strict=False)
    return "".join(f"{letters[mark.series][stripe(s.kind, *where)]}{mark.value}" for mark, where in pairs)


def positions(seed: int) -> np.ndarray:
    """The positions of the marks of pre-training chart `seed`: int16 [MOST, 2], zeros after the last mark.

    In pixels from the left and from the top.
    """
    import matplotlib
    import matplotlib.pyplot as plt

    spec, canvas = PRETRAINED[CHART.name].spec(seed), NANO_CANVAS
    out = np.zeros((MOST, 2), np.int16)
    if not (some := list(marks(spec))):
        return out
    size = [canvas.width / canvas.dpi, canvas.height / canvas.dpi]
    # The sandbox's canvas rules. The code is our generator's, not foreign, so it needs no sandbox.
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
    """`positions` of the first `count` charts: int16 [count, MOST, 2]. Computed once and cached at `path`."""
    if not path.exists():
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            rows = np.stack(list(pool.map(positions, range(count), chunksize=50)))
        with whole(path) as partial, partial.open("wb") as file:
            np.save(file, rows)
    return np.load(path)
