"""Figures of a judge's reliability: all families of damage in one figure, and the parts of the score for one family.

families = calibrate(pictures=3); calibration_figure(families); damage_figure(families, "chart/colour", 0.95)
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rrvf.judge.calibration import SEED, FamilyResult
from rrvf.judge.damage import FAMILIES
from rrvf.judge.embedded import judge_pair
from rrvf.report.figures import INK, PALETTE, SOFT, STYLE, blank_figure

Families = Mapping[str, FamilyResult]


def calibration_figure(families: Families) -> Figure:
    """A heat map of mean scores: a row per family, with rho after its name, and a column per step of damage."""
    domains = list(dict.fromkeys(f.domain for f in families.values()))
    parts = [{n: f for n, f in families.items() if f.domain == d} for d in domains]
    figure = blank_figure(4.6 * len(domains), 0.27 * max(map(len, parts)) + 0.9)
    for axes, domain, part in zip(figure.subplots(1, len(domains), squeeze=False)[0], domains, parts, strict=True):
        scores = pd.DataFrame({_named(name, family): pd.Series(family.curve) for name, family in part.items()}).T
        style = {"annot": True, "fmt": ".2f", "annot_kws": {"size": 8}, "linewidths": 1, "cbar": False}
        sns.heatmap(scores, vmin=0, vmax=1, cmap="Blues", ax=axes, **style)
        axes.set_title(f"{domain}: mean score by steps of damage", loc="left", weight="bold", size=10)
        axes.tick_params(labelsize=8, length=0, labelrotation=0)
        axes.set_xlabel("steps of damage (0: unharmed)", size=9)
    figure.tight_layout()
    return figure


def _named(name: str, family: FamilyResult) -> str:
    errors = f", {family.errors} errors" if family.errors else ""
    return f"{name.partition('/')[2]}  (ρ {family.spearman:.2f}{errors})"


def passed(families: Families, threshold: float) -> list[float]:
    """The share of pictures with a score above `threshold`, by steps of damage from 0."""
    rows = [scores for family in families.values() for scores in family.scores]
    return [float(np.mean([r[k] > threshold for r in rows if len(r) > k])) for k in range(max(len(r) for r in rows))]


def damage_figure(families: Families, name: str, threshold: float) -> Figure:
    """The parts of the score for one family's first picture, and the share of all pictures above `threshold`.

    name: domain/family, as `chart/colour`.
    """
    figure = blank_figure(9, 2.9)
    with sns.axes_style(STYLE):
        left, right = figure.subplots(1, 2)
    _draw_parts(left, name)
    left.axhline(threshold, color=PALETTE[3], linewidth=1, linestyle="--")
    shares = passed(families, threshold)
    right.bar(range(len(shares)), [100 * s for s in shares], color=[SOFT, *[PALETTE[3]] * (len(shares) - 1)], width=0.6)
    for step, share in enumerate(shares):
        right.annotate(
            f"{100 * share:.0f}", (step, 100 * share), (0, 2), textcoords="offset points", ha="center", size=8
        )
    right.set(xlabel="steps of damage", ylabel="pictures (%)", ylim=(0, 112), xticks=range(len(shares)))
    right.set_title(f"All families: score above {threshold:.2f}", loc="left", weight="bold", size=10)
    for axes in (left, right):
        sns.despine(ax=axes)
    figure.tight_layout()
    return figure


def _draw_parts(axes: Axes, name: str) -> None:
    domain, _, family = name.partition("/")
    steps = FAMILIES[domain, family](random.Random(SEED * 1000))
    judged = [judge_pair(steps[0], step, domain) for step in steps]
    for color, part in zip(PALETTE, judged[0].parts, strict=False):
        axes.plot([j.parts[part] for j in judged], color=color, linewidth=1.4, label=part)
    axes.plot([j.score for j in judged], color=INK, linewidth=2.6, label="score")
    axes.set(xlabel="steps of damage", ylabel="share (0 to 1)", ylim=(-0.03, 1.05), xticks=range(len(judged)))
    axes.set_title(f"{name}: parts and score", loc="left", weight="bold", size=10)
    axes.legend(bbox_to_anchor=(1.01, 1), loc="upper left", frameon=False, fontsize=8)
