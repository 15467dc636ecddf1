"""Figures for the README and the notebooks: the loop on a real sample, learning curves, the two factors of a score.

Each function returns a matplotlib Figure and keeps no global state. The caller prints a figure's numbers.
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
from rrvf.report.episodes import kept_pictures, said, worth
from rrvf.report.html import visible

INK, SOFT, LINE = "#1b1f24", "#5b6570", "#c3cad1"
STYLE = sns.axes_style("whitegrid", {"grid.color": "#e6eaee", "axes.edgecolor": LINE, "text.color": INK})
PALETTE = sns.color_palette("deep")


#: Layout of a loop figure: width of a column in inches, the picture's share of it, space above in inches, height of a
#: caption line in inches.
COLUMN, FILL, TOP, LINE_HEIGHT = 3.3, 0.86, 0.5, 0.19


def loop_figure(
    trajectory: Trajectory, target_png: bytes, renders: Sequence[bytes | None] | None = None, note: str = ""
) -> Figure:
    """One episode of Alg. 1 as a strip: target, each turn's picture with its reply, final answer with its score.

    renders: PNG bytes per turn, None for a turn without a picture; an answer's turn has the final render. By default
    those that an episode in memory holds. note: a line below the strip about how the episode was chosen and how typical
    it is (`episodes.place`).
    """
    renders = kept_pictures({})(trajectory).turns if renders is None else renders
    columns = [_Column("Target", "what the policy sees", target_png, INK)]
    for i, (turn, png) in enumerate(zip(trajectory.turns, (*renders, *[None] * len(trajectory.turns)), strict=False)):
        kind = {"tool_call": ": draft", "answer": ": answer"}.get(turn.action, "")
        final = turn.action == "answer"
        caption = worth(trajectory).replace("; ", "\n") if final else ""
        caption = "\n".join(filter(None, [caption, _plain(said(trajectory, turn))]))
        columns.append(_Column(f"Turn {i + 1}{kind}", caption, png, PALETTE[2] if final else LINE))
    return _strip(columns, _picture_height(target_png), note)


def _plain(feedback: str) -> str:
    """Feedback without the judge's markup of aspects."""
    return re.sub(r"^-\*\*(.+?)\*\*- ", r"\1: ", feedback.removeprefix("---Comments:").strip(), flags=re.MULTILINE)


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


#: Panels of the learning curve: title, limits of the y axis, and the log's keys with their labels.
PANELS = (
    (
        "Reward terms",
        (None, 1.05),
        {"rewards/vision/mean": "R_vision", "rewards/format/mean": "R_format", "rewards/tool/mean": "R_tool"},
    ),
    ("Execution rate", (-0.02, 1.05), {"rrvf/exec_rate": "final code", "rrvf/draft_exec_rate": "drafts"}),
    (
        "Similarity",
        (-0.02, 1.05),
        {"rrvf/similarity_given_exec": "where the code runs", "rewards/vision/mean": "all (failures 0)"},
    ),
    ("Turns per episode", (-0.05, None), {"rrvf/turns": "turns", "rrvf/tool_calls": "calls that rendered"}),
    ("Tokens per episode", (0, None), {"completions/mean_length": "mean length"}),
    ("Entropy, and KL to the start", (-0.01, None), {"entropy": "entropy of a token", "kl": "KL of a token"}),
)
#: Panels about the optimiser: its stability, its clipping, and the time per phase.
OPTIMISER = (
    ("Gradient norm", (0, None), {"grad_norm": "before clipping"}),
    ("Clip fraction", (-0.02, 1.05), {"clip_ratio/region_mean": "tokens outside the clip range"}),
    (
        "Seconds per step",
        (0, None),
        {
            "seconds/generation": "generation",
            "seconds/tools": "drafts",
            "seconds/reward": "reward",
            "seconds/training": "update",
        },
    ),
)
#: Keys of the log that should be zero. Their means are printed below the figure.
TROUBLE = {
    "rrvf/judge_errors": "judge errors",
    "rrvf/harness_errors": "harness errors",
    "frac_reward_zero_std": "groups without variance",
}


def learning_curve(
    logs: Sequence[Sequence[Mapping[str, float]]], window: int = 5, panels: Sequence[tuple] = PANELS, title: str = ""
) -> Figure:
    """Learning curves of GRPO, one panel per quantity, as means over `window` steps.

    logs: the lines of `log.jsonl`, of one run or of several seeds. For one run, single steps are pale. For several, the
    line is the mean over the seeds and the band goes from minimum to maximum. A key that was not logged is named in the
    legend, never drawn as zero. panels: PANELS or OPTIMISER, three per row.
    """
    frames = [pd.DataFrame(list(log)).set_index("step") for log in logs if log]
    rows = len(panels) // 3
    figure = blank_figure(13, 3.45 * rows)
    with sns.axes_style(STYLE):
        grid = figure.subplots(rows, 3).ravel()
    for axes, (name, limits, keys) in zip(grid, panels, strict=True):
        _panel(axes, frames, name, keys, window)
        axes.set_ylim(*limits)
    many = f"line: mean over {len(frames)} seeds of means over {window} steps; band: least to greatest seed"
    told = many if len(frames) > 1 else f"thick: mean over {window} steps; pale: single steps"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", size=14)
    figure.tight_layout(rect=(0, 0.08 / rows, 1, 1))
    figure.text(0.01, 0.02 / rows, f"{told}. {_trouble(frames)}", size=10, color=SOFT, parse_math=False)
    return figure


def _trouble(frames: Sequence[pd.DataFrame]) -> str:
    """The mean of each key of TROUBLE as text."""
    steps = pd.concat(frames or [pd.DataFrame()])
    shares = {told: steps[key].mean() for key, told in TROUBLE.items() if key in steps}
    return "Mean shares over the run: " + ", ".join(f"{told} {share:.1%}" for told, share in shares.items()) + "."


def _panel(axes: Axes, frames: Sequence[pd.DataFrame], title: str, keys: Mapping[str, str], window: int) -> None:
    axes.set_title(title, loc="left", weight="bold", size=12, pad=22)
    logged = lambda key: frames and all(key in frame and frame[key].notna().any() for frame in frames)  # noqa: E731
    present = [key for key in keys if logged(key)]
    for color, key in zip(PALETTE, present, strict=False):
        series = [frame[key].dropna() for frame in frames]
        smooth = pd.concat([s.rolling(window, min_periods=1, center=True).mean() for s in series], axis=1)
        if len(frames) == 1:
            axes.plot(series[0].index, series[0], color=color, alpha=0.25, linewidth=1)
        else:
            axes.fill_between(smooth.index, smooth.min(axis=1), smooth.max(axis=1), color=color, alpha=0.2, linewidth=0)
        axes.plot(smooth.index, smooth.mean(axis=1), color=color, linewidth=2.2, label=keys[key])
    for missing in (label for key, label in keys.items() if key not in present):
        axes.plot([], [], color="none", label=f"{missing}: not logged")
    # Above the panel, so that it covers no line.
    axes.legend(frameon=False, fontsize=9, ncols=4, loc="lower left", bbox_to_anchor=(-0.02, 0.99), borderpad=0)
    axes.set_xlabel("step")
    sns.despine(ax=axes)


def decomposition_figure(splits: Sequence[Split], title: str = "Execution rate and score given execution") -> Figure:
    """Execution rate against score given execution, with curves of equal score.

    Base, SFT, RRVF and the teacher are named, with arrows from the base to SFT and RRVF; other policies are pale dots.
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


#: Policies that are named in the figure: colour, and the name's offset in points and alignment.
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
    """A white figure with its size in inches, at 120 dpi, on Agg and without pyplot's global state."""
    figure = Figure(figsize=(width, height), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    return figure
