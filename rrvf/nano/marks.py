"""Where the marks of a generated chart stand in its picture, and which values they show: what the eye is taught to read.

A bar's mark is its top (lying, its end), a line's each of its points. matplotlib itself says where they lie.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
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
CLASSES = 1 + 50


def value_class(value: float) -> int:
    """The class of a value: equal steps of its logarithm."""
    return 1 + min(CLASSES - 2, round(math.log(max(1.0, value)) / math.log(1.1)))


def marks(s: charts.Spec) -> Iterator[tuple[int, float, float, int]]:
    """(panel, x, y, value) of each mark, in data coordinates; none for kinds whose values stand on no axis."""
    x = s.numbers or range(len(s.values))
    if s.kind == "barh":
        yield from ((0, v, i, v) for i, v in enumerate(s.values))
    elif s.kind == "scatter":
        yield from ((0, a, b, b) for a, b in zip(s.second_values, s.values, strict=True))
    elif s.kind == "stacked":
        yield from ((0, i, v, v) for i, v in enumerate(s.values))
        yield from ((0, i, v + w, w) for i, (v, w) in enumerate(zip(s.values, s.second_values, strict=True)))
    elif s.kind in ("grouped", "multiline", "subplots"):
        for series, values in enumerate((s.values, s.second_values)):
            shift = (-0.2, 0.2)[series] if s.kind == "grouped" else 0
            panel = series if s.kind == "subplots" else 0
            yield from ((panel, i + shift, v, v) for i, v in zip(x, values, strict=True))
    elif s.kind not in ("pie", "hist", "box", "heatmap"):
        yield from ((0, i, v, v) for i, v in zip(x, s.values, strict=True))


def labels(seed: int) -> np.ndarray:
    """Classes by place of chart number `seed`: uint8 [patches, BINS], patches in the order of the visual tokens."""
    import matplotlib
    import matplotlib.pyplot as plt

    spec, canvas = charts.spec(seed), NANO_CANVAS
    size = [canvas.width / canvas.dpi, canvas.height / canvas.dpi]
    # The sandbox's own canvas rules. Our generator's code is no foreign code: it needs no sandbox.
    settings = {"figure.figsize": size, "figure.dpi": canvas.dpi, "font.size": canvas.font_size, "backend": "agg"}
    rows, columns = canvas.height // MERGED, canvas.width // MERGED
    out = np.zeros((rows, columns, BINS), np.uint8)
    with matplotlib.rc_context(settings | {"figure.autolayout": True}):
        exec(charts.code(spec), {})
        figure = plt.gcf()
        figure.draw_without_rendering()
        for panel, x, y, value in marks(spec):
            across, up = figure.axes[panel].transData.transform((x, y))
            row, column = int((canvas.height - up) // MERGED), int(across // MERGED)
            out[row, column, int(across % MERGED * BINS / MERGED)] = value_class(value)
        plt.close(figure)
    return out.reshape(-1, BINS)


def all_labels(count: int, path: Path, workers: int = 2) -> np.ndarray:
    """`labels` of the first `count` charts, kept at `path`: uint8 [count, patches, BINS]."""
    if not path.exists():
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            rows = np.stack(list(pool.map(labels, range(count), chunksize=50)))
        partial = path.with_suffix(".partial.npy")
        np.save(partial, rows)
        partial.rename(path)
    return np.load(path)
