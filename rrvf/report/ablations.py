"""The ablation study: the result of each run as tables, and a figure of the differences from the default."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from scipy.stats import studentized_range, ttest_ind

from rrvf.report.figures import PALETTE, SOFT, STYLE, blank_figure
from rrvf.report.runs import Metric

#: The row of the policy that every variant starts from.
BASE = "before training"
#: Metrics of a forest, with their labels.
LABELS = {
    "exec_rate": "execution rate",
    "judge": "judge score",
    "given_exec": "judge score given execution",
    "overall": "Overall",
}
#: What variants are compared by: the two factors of the judge score, and Overall where the benchmark has it.
COMPARED = ("exec_rate", "given_exec", "overall")
#: Columns of the learning curves, with the titles of their panels.
WATCHED = {
    "rrvf/exec_rate": "Execution rate (0 to 1)",
    "rrvf/similarity_given_exec": "Similarity where the code runs",
    "rrvf/tool_calls": "Drafts that rendered per episode",
}
#: Columns about later turns, with their labels. Their shares are compared in the first and last third of a run's steps.
TURNS = {f"rrvf/{what}_turn_{turn}": f"{what}, turn {turn}" for turn in (2, 3, 4) for what in ("repaired", "refined")}


@dataclass(frozen=True)
class AblationRun:
    """One variant with one seed. metrics: of its evaluation. log: its step log, empty for the untrained policy."""

    variant: str
    seed: int
    metrics: dict[str, Metric]
    log: list[dict]


def write_ablations(runs: Sequence[AblationRun], out: Path) -> None:
    """Write `evaluations.csv`, `summary.csv`, `curves.csv` (a line per step) and `later_turns.csv` to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    evaluations, steps = evaluated(runs), curves(runs)
    evaluations.to_csv(out / "evaluations.csv", index=False, float_format="%.6g")
    if len(steps):
        steps.to_csv(out / "curves.csv", index=False, float_format="%.6g")
        if len(turns := later_turns(steps)):
            turns.to_csv(out / "later_turns.csv")
    summary(evaluations).to_csv(out / "summary.csv")


def read_ablations(folder: Path, variants: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two tables that `write_ablations` wrote, with only these variants.

    The first has a row per run (`evaluated`), the second a row per run and step (`curves`).
    """
    frames = (pd.read_csv(folder / name) for name in ("evaluations.csv", "curves.csv"))
    evaluations, steps = (frame[frame["variant"].isin(variants)] for frame in frames)
    return evaluations, steps


def evaluated(runs: Sequence[AblationRun]) -> pd.DataFrame:
    """A row per run with the columns of LABELS, all in 0..100. A metric that the benchmark lacks is NaN."""
    rows = []
    for run in runs:
        found = (run.metrics.get(name) for name in ("exec_rate", "judge", "overall"))
        rate, judge, overall = (metric.value if metric else None for metric in found)
        given = 100 * judge / rate if rate and judge is not None else None
        rows.append((run.variant, run.seed, rate, judge, given, overall))
    frame = pd.DataFrame(rows, columns=["variant", "seed", *LABELS])
    return frame.astype(dict.fromkeys(LABELS, float))


def curves(runs: Sequence[AblationRun]) -> pd.DataFrame:
    """A row per run and step with the columns WATCHED and TURNS, the reward and the seconds."""
    keys = ["step", "reward", "seconds/step", *WATCHED, *TURNS]
    parts = [
        pd.DataFrame(run.log).reindex(columns=keys).assign(variant=run.variant, seed=run.seed)
        for run in runs
        if run.log
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*keys, "variant", "seed"])


def summary(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Per variant the mean over the seeds, with minimum and maximum. A metric that no run has is left out."""
    groups = evaluations.groupby("variant", sort=False)[_measured(evaluations, LABELS)]
    mean, low, high = groups.mean(), groups.min(), groups.max()
    shown = pd.DataFrame(index=mean.index)
    for column in mean:
        shown[column] = [
            f"{m:.1f} [{a:.1f}, {b:.1f}]" for m, a, b in zip(mean[column], low[column], high[column], strict=True)
        ]
    shown.insert(0, "runs", groups.size())
    return shown


def _measured(evaluations: pd.DataFrame, metrics: Iterable[str]) -> list[str]:
    """Those of the metrics that some run has."""
    return [metric for metric in metrics if metric in evaluations and evaluations[metric].notna().any()]


def later_turns(steps: pd.DataFrame) -> pd.DataFrame:
    """Per variant, in the first and last third of training, what later turns do.

    The columns are the share of failed drafts that a turn repairs, and of running drafts that it improves. Turns that
    no variant has are left out.
    """
    rows = {}
    for variant, part in steps.groupby("variant", sort=False):
        third = part["step"].max() / 3
        ends = {"first third": part[part["step"] <= third], "last third": part[part["step"] > 2 * third]}
        for end, some in ends.items():
            rows[f"{variant}, {end}"] = some.reindex(columns=list(TURNS)).mean().rename(TURNS).round(2)
    return pd.DataFrame(rows).T.dropna(how="all").dropna(axis=1, how="all")


def ends(log: Sequence[dict], keys: Sequence[str]) -> pd.DataFrame:
    """The mean of each key of a step log over the first and over the last fifth of the steps."""
    frame, fifth = pd.DataFrame(list(log)).reindex(columns=list(keys)), max(1, len(log) // 5)
    return pd.DataFrame({"first fifth": frame[:fifth].mean(), "last fifth": frame[-fifth:].mean()})


def differences(evaluations: pd.DataFrame, default: str) -> pd.DataFrame:
    """Each variant less the default in each of COMPARED, in points, with 95 % intervals over the seeds.

    The intervals of one metric hold together for all pairs of variants, whichever is called the default (Tukey-Kramer:
    the variance over seeds is pooled over all variants). They are NaN if no variant has a second seed.
    """
    trained, rows = evaluations[evaluations["variant"] != BASE], []
    for metric in _measured(trained, COMPARED):
        seeds = trained.groupby("variant", sort=False)[metric].agg(["mean", "var", "count"])
        free = seeds["count"].sum() - len(seeds)  # degrees of freedom
        variance = (seeds["var"] * (seeds["count"] - 1)).sum() / free if free else np.nan
        reach = _reach(len(seeds), int(free)) if free and len(seeds) > 1 else np.nan
        for variant, found in seeds.drop(index=default).iterrows():
            difference = found["mean"] - seeds["mean"][default]
            half = reach * np.sqrt(variance / 2 * (1 / found["count"] + 1 / seeds["count"][default]))
            rows.append((variant, metric, difference, difference - half, difference + half))
    return pd.DataFrame(rows, columns=["variant", "metric", "difference", "low", "high"])


def pairs_apart(evaluations: pd.DataFrame) -> pd.DataFrame:
    """The pairs of variants whose interval (`differences`) lies on one side of 0: `variant` above `than`.

    `Welch low` and `Welch high` bound the 95 % interval of the pair alone, which does not assume that all variants vary
    alike over seeds.
    """
    seeds = evaluations[evaluations["variant"] != BASE].set_index("variant")
    found = pd.concat(
        [differences(evaluations, than).assign(than=than) for than in seeds.index.unique()], ignore_index=True
    )
    found = found[found["low"] > 0].sort_values(["metric", "difference"], ascending=[True, False])
    found[["Welch low", "Welch high"]] = np.nan
    for row in found.itertuples():
        test = ttest_ind(seeds.loc[row.variant, row.metric], seeds.loc[row.than, row.metric], equal_var=False)
        found.loc[row.Index, ["Welch low", "Welch high"]] = list(test.confidence_interval())
    return found[["metric", "variant", "than", "difference", "low", "high", "Welch low", "Welch high"]]


@cache  # a tenth of a second
def _reach(groups: int, free: int) -> float:
    """The 95 % point of the studentized range of as many means."""
    return float(studentized_range.ppf(0.95, groups, free))


def forest_figure(found: pd.DataFrame, default: str, over: str = "the seeds", title: str = "") -> Figure:
    """A row per variant with its difference from the default: a dot for each metric, with its interval.

    found: a table like that of `differences`, of this or another study. over: what the intervals are taken over.
    """
    variants = list(found["variant"].unique())
    metrics = [metric for metric in LABELS if metric in set(found["metric"])]
    figure = blank_figure(9, (0.1 + 0.11 * len(metrics)) * len(variants) + 1.5)
    with sns.axes_style(STYLE):
        axes = figure.subplots()
    axes.axvline(0, color=SOFT, linewidth=1)
    for i, metric in enumerate(metrics):
        part = found[found["metric"] == metric].set_index("variant").reindex(variants)
        y = np.arange(len(variants)) + 0.22 * (i - (len(metrics) - 1) / 2)
        around = np.abs(part[["low", "high"]].T.to_numpy() - part["difference"].to_numpy())
        style = {"color": PALETTE[i], "label": LABELS[metric], "markersize": 6, "capsize": 2}
        axes.errorbar(part["difference"], y, xerr=around, fmt="o", **style)
    axes.set_yticks(range(len(variants)), variants)
    axes.set_ylim(len(variants) - 0.4, -0.6)
    axes.set_xlabel(f"points more or less than {default!r}; 95 % intervals over {over}")
    axes.set_title(title, loc="left", weight="bold", size=11, pad=24 if title else 6)
    axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderpad=0.2)
    sns.despine(ax=axes, left=True)
    figure.tight_layout()
    return figure


def seeds_figure(evaluations: pd.DataFrame) -> Figure:
    """A panel for each of COMPARED: a dot per trained policy, a row per variant.

    The dotted line is the policy before training.
    """
    metrics = _measured(evaluations, COMPARED)
    figure = blank_figure(9, 0.24 * evaluations["variant"].nunique() + 0.9)
    with sns.axes_style(STYLE):
        panels = figure.subplots(1, len(metrics), sharey=True)
    for axes, column in zip(panels, metrics, strict=True):
        style = {"color": PALETTE[0], "jitter": False, "size": 8, "alpha": 0.6}
        sns.stripplot(evaluations, x=column, y="variant", ax=axes, **style)
        axes.axvline(evaluations.loc[evaluations["variant"] == BASE, column].mean(), color=SOFT, linestyle=":")
        axes.set(xlabel="", ylabel="")
        title = textwrap.fill(LABELS[column][0].upper() + LABELS[column][1:], 20)
        axes.set_title(title, loc="left", weight="bold", size=10)
        sns.despine(ax=axes)
    figure.tight_layout()
    return figure


def curves_figure(
    steps: pd.DataFrame, variant: str, default: str, window: int = 3, watched: Mapping[str, str] = WATCHED
) -> Figure:
    """Learning curves of one variant and the default, with a panel for each column of `watched`.

    Steps are averaged over `window`. The line is the mean over the seeds, the band goes from minimum to maximum.
    """
    figure = blank_figure(9, 2.6)
    with sns.axes_style(STYLE):
        panels = figure.subplots(1, len(watched))
    for axes, (column, title) in zip(panels, watched.items(), strict=True):
        for color, name in zip(PALETTE, dict.fromkeys((default, variant)), strict=False):
            seeds = steps[steps["variant"] == name].pivot(index="step", columns="seed", values=column)
            smooth = seeds.rolling(window, min_periods=1, center=True).mean()
            axes.fill_between(smooth.index, smooth.min(axis=1), smooth.max(axis=1), color=color, alpha=0.2, linewidth=0)
            axes.plot(smooth.mean(axis=1), color=color, linewidth=2, label=name)
        axes.set_title(title, loc="left", weight="bold", size=10)
        axes.set_xlabel("step")
        axes.xaxis.get_major_locator().set_params(integer=True)
        sns.despine(ax=axes)
    panels[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure
