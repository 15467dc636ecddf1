"""Figures of what a reward reinforces, on recorded groups of episodes: Eq. (2), the advantage and the KL penalty.

fig = weights_figure(recorded_groups(), Weights(0.8, 0.2, 1.2))
fig = advantage_figure([0.2, 0.9, 1.4, 2.0], "mean", True)
fig = penalty_figure([0.2, 0.9, 1.4, 2.0], 0.5)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from rrvf.records import Trajectory
from rrvf.report.episodes import similarity
from rrvf.report.figures import PALETTE, SOFT, STYLE, blank_figure
from rrvf.reward import RewardRule, Weights

Groups = Mapping[str, Sequence[Trajectory]]

BASELINES = {"mean": np.nanmean, "max": np.nanmax, "median": np.nanmedian}
#: As in TRL, so that a group of equal rewards gives zeros.
EPSILON = 1e-4


def advantages(rewards: Sequence[float], baseline: str = "mean", normalised: bool = True) -> np.ndarray:
    """The advantages A_i of one group: r_i less the baseline, divided by the standard deviation if `normalised`.

    A nan (the reward of an episode without a judge's score) stays nan and does not affect the others.

    >>> advantages([0.0, 1.0], "max", normalised=False).tolist()
    [-1.0, 0.0]
    """
    r = np.asarray(rewards, dtype=float)
    spread = np.nanstd(r, ddof=1) + EPSILON if normalised else 1.0
    return (r - BASELINES[baseline](r)) / spread


def agreement(groups: Groups, weights: Weights) -> float:
    """Of all pairs of rendered episodes of one picture, the share in which the more similar one gets more reward.

    An episode without a reward, because its judge failed, is left out.
    """
    rule, won = RewardRule(weights), []
    for group in groups.values():
        drawn = [(similarity(t), rule.terms(t).total) for t in group if t.final_render and t.final_render.ok]
        for (a, reward_a), (b, reward_b) in combinations([pair for pair in drawn if pair[1] is not None], 2):
            if a != b:
                won.append(np.sign(a - b) == np.sign(round(reward_a - reward_b, 9)))
    return float(np.mean(won)) if won else float("nan")


def weights_figure(groups: Groups, weights: Weights) -> Figure:
    """Reward against similarity, with a dot per episode.

    The colour is the number of calls that rendered. A cross: the final code gave no picture.
    """
    rule, episodes = RewardRule(weights), [t for group in groups.values() for t in group]
    figure = blank_figure(8, 3.3)
    with sns.axes_style(STYLE):
        axes = figure.subplots()
    for calls in sorted({t.tool_calls for t in episodes}):
        for ran, marker in ((True, "o"), (False, "x")):
            some = [t for t in episodes if t.tool_calls == calls and (rule.terms(t).format > 0) == ran]
            label = f"calls that rendered: {calls}" + ("" if ran else ", no picture")
            xy = [(similarity(t), rule.terms(t).total) for t in some]
            if xy:
                axes.scatter(*zip(*xy, strict=True), color=PALETTE[calls], marker=marker, s=34, alpha=0.8, label=label)
    title = f"w_v = {weights.vision:g}, w_f = {weights.format:g}, w_t = {weights.tool:g}"
    axes.set_title(f"Reward of {len(episodes)} recorded episodes at {title}", loc="left", weight="bold", size=11)
    axes.set(xlabel="similarity of the final picture (0 to 1)", ylabel="reward R", xlim=(-0.03, 1.03))
    axes.legend(bbox_to_anchor=(1.01, 1), loc="upper left", frameon=False, fontsize=8)
    sns.despine(ax=axes)
    figure.tight_layout()
    return figure


def advantage_figure(rewards: Sequence[float], baseline: str = "mean", normalised: bool = True) -> Figure:
    """The advantages of one group, from the worst episode to the best. Positive: reinforced; negative: discouraged."""
    ordered = sorted(rewards)
    pushes = advantages(ordered, baseline, normalised)
    figure = blank_figure(8, 2.7)
    with sns.axes_style(STYLE):
        axes = figure.subplots()
    axes.bar(range(len(pushes)), pushes, color=[PALETTE[2] if a > 0 else PALETTE[3] for a in pushes], width=0.7)
    for i, a in enumerate(pushes):
        axes.annotate(f"{a:+.2f}", (i, a), (0, 3 if a >= 0 else -11), textcoords="offset points", ha="center", size=8)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.margins(y=0.2)
    axes.set(xticks=range(len(ordered)), xticklabels=[f"{r:.2f}" for r in ordered])
    axes.set(xlabel="reward of the episode", ylabel="advantage" + (" (standard deviations)" if normalised else ""))
    divided = "divided by the standard deviation" if normalised else "not divided"
    axes.set_title(f"Advantages of one group: baseline {baseline}, {divided}", loc="left", weight="bold", size=11)
    sns.despine(ax=axes)
    figure.tight_layout()
    return figure


def held(rewards: Sequence[float], beta: float) -> np.ndarray:
    """The optimal probabilities of one group's episodes under a KL penalty, from a start where all are equally likely.

    E[A] - beta KL(p || start), beta > 0, has its maximum at p_i proportional to start_i exp(A_i / beta).

    >>> held([0.0, 1.0], 1e9).round(3).tolist()
    [0.5, 0.5]
    """
    pushes = advantages(rewards) / beta
    weights = np.exp(pushes - pushes.max())
    return weights / weights.sum()


def kl_to_start(p: np.ndarray) -> float:
    """KL(p || uniform) in nats."""
    likely = p[p > 0]
    return float((likely * np.log(len(p) * likely)).sum())


def penalty_figure(rewards: Sequence[float], beta: float) -> Figure:
    """The probability of each episode of a group at the optimum under a KL penalty of `beta`, and at the start."""
    ordered = np.sort(rewards)
    p = held(ordered, beta)
    figure = blank_figure(8, 2.7)
    with sns.axes_style(STYLE):
        axes = figure.subplots()
    axes.bar(range(len(p)), 100 * p, color=PALETTE[0], width=0.7)
    for i, share in enumerate(p):
        axes.annotate(f"{share:.0%}", (i, 100 * share), (0, 3), textcoords="offset points", ha="center", size=8)
    axes.axhline(100 / len(p), color=SOFT, linewidth=1, linestyle="--", label="before training")
    axes.margins(y=0.2)
    axes.set(xticks=range(len(p)), xticklabels=[f"{r:.2f}" for r in ordered])
    axes.set(xlabel="reward of the episode", ylabel="probability (%)")
    moved = f"expected reward {ordered.mean():.2f} to {p @ ordered:.2f}, KL {kl_to_start(p):.2f} nats"
    axes.set_title(f"Optimum under a KL penalty of {beta:g}: {moved}", loc="left", weight="bold", size=11)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    sns.despine(ax=axes)
    figure.tight_layout()
    return figure
