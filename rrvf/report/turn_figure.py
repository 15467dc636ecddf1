"""A figure of one turn of an episode, for notebooks that step through Alg. 1."""

from __future__ import annotations

import io
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from rrvf.records import Trajectory
from rrvf.report.episodes import kept_pictures, said
from rrvf.report.figures import INK, LINE, SOFT, blank_figure

KINDS = {"tool_call": "draft", "answer": "final answer", "none": "no action"}


def turn_figure(trajectory: Trajectory, target: bytes, number: int) -> Figure:
    """Turn `number` (from 1) of an episode whose renders are in memory: target, picture, code and reply."""
    turn = trajectory.turns[number - 1]
    picture = kept_pictures({})(trajectory).turns[number - 1]
    figure = blank_figure(9, 2.7)
    title = f"Turn {number} of {len(trajectory.turns)}: {KINDS[turn.action]}"
    for left, name, png in ((0.01, "Target", target), (0.3, title, picture)):
        axes = figure.add_axes((left, 0.04, 0.27, 0.84))
        axes.set(xticks=[], yticks=[])
        axes.set_title(name, size=10, weight="bold", color=INK)
        axes.spines[:].set_color(LINE)
        _show_picture(axes, png)
    code, reply = _lines(turn.code or turn.text, 52, 8), _lines(said(trajectory, turn), 58, 9)
    style = {"va": "top", "parse_math": False, "color": INK, "size": 7.5}
    figure.text(0.59, 0.95, "\n".join(code), family="monospace", **style)
    figure.text(0.59, 0.9 - 0.052 * len(code), "\n".join(reply), **style | {"color": SOFT})
    return figure


def _show_picture(axes: Axes, png: bytes | None) -> None:
    if png is None:
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", color=SOFT, transform=axes.transAxes)
    else:
        axes.imshow(np.asarray(Image.open(io.BytesIO(png)).convert("RGB")), interpolation="lanczos")


def _lines(text: str, width: int, most: int) -> list[str]:
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, width) or [""]]
    return lines if len(lines) <= most else [*lines[: most - 1], "…"]
