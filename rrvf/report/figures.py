"""Figures for the README and the notebooks: the loop on a real sample, the learning curve, a score in its two factors.

Each function gives a matplotlib Figure and keeps no global state; `numbers` of a figure are printed by its caller.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from rrvf.records import Trajectory
from rrvf.report.decomposition import Split
from rrvf.report.episodes import said, worth
from rrvf.report.html import visible

INK, SOFT, LINE = "#1b1f24", "#5b6570", "#c3cad1"
STYLE = sns.axes_style("whitegrid", {"grid.color": "#e6eaee", "axes.edgecolor": LINE, "text.color": INK})
PALETTE = sns.color_palette("deep")


#: Inches of a loop figure: width of a column, share of it that the picture takes, room above, height of a caption line.
COLUMN, FILL, TOP, LINE_HEIGHT = 3.3, 0.86, 0.5, 0.19


def loop_figure(trajectory: Trajectory, target_png: bytes, renders: Sequence[bytes | None], note: str = "") -> Figure:
    """One episode of Alg. 1 as a strip: target, each turn's picture with what came back, the final answer with its score.

    note: a line under it that says how the episode was chosen and how typical it is (`episodes.place`). renders: PNG bytes per turn in order, None where a turn made no picture; an answer's turn shows the final render.
    """
    columns = [_Column("Target", "what the policy sees", target_png, INK)]
    for i, (turn, png) in enumerate(zip(trajectory.turns, (*renders, *[None] * len(trajectory.turns)), strict=False)):
        kind = {"tool_call": ": draft", "answer": ": answer"}.get(turn.action, "")
        final = turn.action == "answer"
        caption = worth(trajectory).replace("; ", "\n") if final else ""
        caption = "\n".join(filter(None, [caption, said(trajectory, turn)]))
        columns.append(_Column(f"Turn {i + 1}{kind}", caption, png, PALETTE[2] if final else LINE))
    return _strip(columns, _picture_height(target_png), note)


@dataclass(frozen=True)
class _Column:
    title: str
    caption: str
    png: bytes | None
    frame: str | tuple

    @property
    def lines(self) -> list[str]:
        lines = [part for line in visible(self.caption).splitlines() for part in textwrap.wrap(line, 44) or [""]]
        return lines if len(lines) <= 9 else [*lines[:8], "…"]


def _picture_height(png: bytes) -> float:
    with Image.open(io.BytesIO(png)) as image:
        return min(4.5, COLUMN * FILL * image.height / image.width)


def _strip(columns: Sequence[_Column], picture: float, note: str) -> Figure:
    notes = textwrap.wrap(note, round(15 * COLUMN * len(columns)))
    height = TOP + picture + 0.25 + LINE_HEIGHT * (max(len(c.lines) for c in columns) + len(notes))
    figure = blank_figure(COLUMN * len(columns), height)
    figure.text(0.02, 0.06 / height, "\n".join(notes), size=9.5, color=INK, va="bottom", parse_math=False)
    for i, column in enumerate(columns):
        left, bottom = (i + (1 - FILL) / 2) / len(columns), (height - TOP - picture) / height
        axes = figure.add_axes((left, bottom, FILL / len(columns), picture / height))
        _frame_picture(axes, column)
        caption = "\n".join(column.lines)
        style = {"size": 9.5, "color": SOFT, "va": "top", "parse_math": False, "linespacing": 1.3}
        figure.text(left, bottom - 0.1 / height, caption, **style)
        if i:
            middle = bottom + picture / height / 2
            figure.text(i / len(columns), middle, "➜", size=15, color=SOFT, ha="center", va="center")
    return figure


def _frame_picture(axes: Axes, column: _Column) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_title(column.title, size=13, weight="bold", color=INK)
    if column.png is None:
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", color=SOFT, transform=axes.transAxes)
    else:
        axes.imshow(np.asarray(Image.open(io.BytesIO(column.png)).convert("RGB")), interpolation="lanczos")
    for spine in axes.spines.values():
        spine.set(color=column.frame, linewidth=1.8)


#: Panels of the learning curve: title, y limits, and the log's keys with their labels.
PANELS = (
    (
        "Reward terms",
        None,
        {"rewards/vision/mean": "R_vision", "rewards/format/mean": "R_format", "rewards/tool/mean": "R_tool"},
    ),
    ("Execution rate", (0, 1.02), {"rrvf/exec_rate": "final code", "rrvf/draft_exec_rate": "drafts"}),
    (
        "Similarity",
        (0, 1.02),
        {"rrvf/similarity_given_exec": "given execution", "rewards/vision/mean": "all (failures 0)"},
    ),
    ("Tool calls per episode", None, {"rrvf/tool_calls": "calls that rendered", "rrvf/turns": "turns"}),
    (
        "Judge and harness errors (share)",
        (-0.02, 1.02),
        {"rrvf/judge_errors": "judge", "rrvf/harness_errors": "harness"},
    ),
    ("Groups without a signal (share)", (-0.02, 1.02), {"frac_reward_zero_std": "zero-variance groups"}),
)


def learning_curve(log: Sequence[Mapping[str, float]], window: int = 5) -> Figure:
    """What people watch during GRPO, one panel each: a faint line per step, a bold running mean over `window` steps.

    log: lines of a run's `log.jsonl`. A quantity that was not logged is named as such, never drawn as zero.
    """
    frame = pd.DataFrame(list(log))
    figure = blank_figure(13, 6.4)
    with sns.axes_style(STYLE):
        panels = figure.subplots(2, 3).ravel()
    for axes, (title, limits, keys) in zip(panels, PANELS, strict=True):
        _panel(axes, frame, title, keys, window)
        if limits:
            axes.set_ylim(limits)
    figure.tight_layout()
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, title: str, keys: Mapping[str, str], window: int) -> None:
    axes.set_title(title, loc="left", weight="bold", size=12)
    present = [key for key in keys if key in frame and frame[key].notna().any()]
    for color, key in zip(PALETTE, present, strict=False):
        series = frame[["step", key]].dropna()
        axes.plot(series["step"], series[key], color=color, alpha=0.25, linewidth=1)
        smooth = series[key].rolling(window, min_periods=1, center=True).mean()
        axes.plot(series["step"], smooth, color=color, linewidth=2.2, label=keys[key])
    if not present:
        axes.text(0.5, 0.5, "not logged", ha="center", va="center", color=SOFT, transform=axes.transAxes)
    elif len(keys) > 1:
        axes.legend(frameon=False, fontsize=9)
    axes.set_xlabel("step")
    sns.despine(ax=axes)


def decomposition_figure(splits: Sequence[Split], title: str = "Running, and being right where it runs") -> Figure:
    """Execution rate against score given execution, with curves of equal score.

    Base, SFT, RRVF and the teacher are named, with an arrow from the base to each that was trained from it; other
    policies are pale dots.
    splits: of one group and one metric (`rrvf.report.decomposition`), score in 0..100.
    """
    figure = blank_figure(9, 6)
    with sns.axes_style(STYLE):
        axes = figure.subplots()
    rates = np.linspace(1, 100, 400)
    for score in (20, 40, 60, 80):
        axes.plot(rates, 100 * score / rates, color=LINE, linewidth=1, zorder=1)
        axes.text(100.7, score, f"score {score}", color=SOFT, size=9, va="center")
    base = next((s for s in splits if s.key == "base"), None)
    for split in splits:
        _point(axes, split)
        if base is not None and split.key in ("sft", "rrvf"):
            arrow = {"arrowstyle": "->", "color": NAMED[split.key][0], "linewidth": 1.8, "shrinkA": 7, "shrinkB": 7}
            axes.annotate("", (split.rate, split.given), (base.rate, base.given), arrowprops=arrow)
    axes.set(xlim=(0, 110), ylim=(0, 105), xlabel="execution rate (%)", ylabel="score given execution")
    axes.set_title(title, loc="left", weight="bold", size=13)
    sns.despine(ax=axes)
    figure.tight_layout()
    return figure


#: Policies that are named in the figure: colour, and where the name stands (offset in points, alignment).
NAMED = {
    "base": (PALETTE[0], (-9, -8), "right"),
    "sft": (PALETTE[1], (-9, 4), "right"),
    "rrvf": (PALETTE[3], (4, 14), "right"),
    "teacher": (SOFT, (0, -15), "center"),
}


def _point(axes: Axes, split: Split) -> None:
    color, offset, align = NAMED.get(split.key, (LINE, None, None))
    axes.plot(split.rate, split.given, "o", color=color, markersize=9, zorder=3)
    if offset is not None:
        name = re.sub(r"^\(\d{4}/\d\d\) | \[.*", "", split.policy)
        style = {"size": 10, "color": color, "ha": align, "va": "center", "weight": "bold", "parse_math": False}
        axes.annotate(name, (split.rate, split.given), offset, textcoords="offset points", **style)


def blank_figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    return figure
