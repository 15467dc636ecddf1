"""The distance of test pictures from training pictures, for the notebook on the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from rrvf.data import near_duplicates
from rrvf.records import Sample
from rrvf.report.figures import INK, STYLE, blank_figure

#: Number of bits of a perceptual hash.
BITS = 64


def all_pairs(train: Sequence[Sample], tests: Mapping[str, Sequence[Sample]], root: Path) -> pd.DataFrame:
    """All pairs of a training picture and a test picture of the same domain.

    Columns: `first`, `second` (their ids), `distance` in bits, `same_code`, `test_set`.
    """
    frames = []
    for name, test in tests.items():
        alike = [s for s in train if s.domain == test[0].domain]
        pairs = near_duplicates(alike, test, max_distance=BITS, root=root)
        frames.append(pd.DataFrame(pairs).assign(test_set=name))
    return pd.concat(frames, ignore_index=True)


def nearest_figure(nearest: pd.DataFrame, limit: int) -> Figure:
    """Cumulative distribution, per test set, of the distance to the nearest training picture; a line at `limit` bits.

    nearest: one row per test picture, with `test_set` and `distance`.
    """
    figure = blank_figure(8, 3.2)
    with sns.axes_style(STYLE):
        axes = figure.subplots()
    for name, rows in nearest.groupby("test_set", sort=False):
        within = 100 * (rows["distance"] <= limit).mean()
        sns.ecdfplot(rows, x="distance", stat="percent", ax=axes, label=f"{name}: {within:.0f} % within {limit}")
    axes.axvline(limit, color=INK, linewidth=1, linestyle="--")
    axes.set(xlabel=f"distance from the nearest training picture (bits of {BITS})", ylabel="test pictures (%)")
    axes.set_xlim(0, BITS / 2)
    axes.set_title("How near test pictures lie to training pictures", loc="left", weight="bold", size=11)
    axes.legend(bbox_to_anchor=(1.01, 1), loc="upper left", frameon=False, fontsize=8)
    sns.despine(ax=axes)
    figure.tight_layout()
    return figure
