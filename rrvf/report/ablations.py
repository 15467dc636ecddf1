"""The study of variants: what each run came to, as tables and as learning curves with bands over the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from rrvf.report.figures import PALETTE, SOFT, STYLE, blank_figure
from rrvf.report.runs import Metric

#: The policy that every variant starts from, as a row beside theirs.
BASE = "before training"
#: Columns of the learning curves, with the titles of their panels.
WATCHED = {
    "rrvf/exec_rate": "final code runs (share)",
    "rrvf/similarity_given_exec": "similarity given execution",
    "rrvf/tool_calls": "calls that rendered",
}
#: What later turns do; the share of each over a run's first and last third of the steps.
TURNS = {f"rrvf/{what}_turn_{turn}": f"{what}, turn {turn}" for turn in (2, 3, 4) for what in ("repaired", "refined")}


@dataclass(frozen=True)
class AblationRun:
    """One variant with one seed: the metrics of its evaluation's summary, and its step log, empty if untrained."""

    variant: str
    seed: int
    metrics: dict[str, Metric]
    log: list[dict]


def write_ablations(runs: Sequence[AblationRun], out: Path) -> None:
    """`evaluations.csv` and its `summary.csv`, `curves.csv` (a line per step) and `later_turns.csv` in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    evaluations, steps = evaluated(runs), curves(runs)
    evaluations.to_csv(out / "evaluations.csv", index=False, float_format="%.6g")
    if len(steps):
        steps.to_csv(out / "curves.csv", index=False, float_format="%.6g")
        if len(turns := later_turns(steps)):
            turns.to_csv(out / "later_turns.csv")
    summary(evaluations).to_csv(out / "summary.csv")


def read_ablations(folder: Path, variants: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What `write_ablations` wrote of some variants.

    A row per run (`evaluated`), and a row per run and step (`curves`).
    """
    frames = (pd.read_csv(folder / name) for name in ("evaluations.csv", "curves.csv"))
    evaluations, steps = (frame[frame["variant"].isin(variants)] for frame in frames)
    return evaluations, steps


def evaluated(runs: Sequence[AblationRun]) -> pd.DataFrame:
    """A row per run: execution rate, the judge's score, and the score given execution, all in 0..100."""
    rows = []
    for run in runs:
        rate, judge = (run.metrics[name].value for name in ("exec_rate", "judge"))
        given = 100 * judge / rate if rate and judge is not None else None
        rows.append({"variant": run.variant, "seed": run.seed, "exec_rate": rate, "judge": judge, "given_exec": given})
    return pd.DataFrame(rows)


def curves(runs: Sequence[AblationRun]) -> pd.DataFrame:
    """A row per run and step with what was watched."""
    keys = ["step", "reward", "seconds/step", *WATCHED, *TURNS]
    parts = [
        pd.DataFrame(run.log).reindex(columns=keys).assign(variant=run.variant, seed=run.seed)
        for run in runs
        if run.log
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*keys, "variant", "seed"])


def summary(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Per variant the mean over the seeds, with the least and the greatest."""
    groups = evaluations.groupby("variant", sort=False)[["exec_rate", "judge", "given_exec"]]
    mean, low, high = groups.mean(), groups.min(), groups.max()
    shown = pd.DataFrame(index=mean.index)
    for column in mean:
        shown[column] = [
            f"{m:.1f} [{a:.1f}, {b:.1f}]" for m, a, b in zip(mean[column], low[column], high[column], strict=True)
        ]
    shown.insert(0, "runs", groups.size())
    return shown


def later_turns(steps: pd.DataFrame) -> pd.DataFrame:
    """Per variant, before and after: the share of failed drafts that a turn repairs, of running ones that it betters.

    Turns that no variant has are left out.
    """
    rows = {}
    for variant, part in steps.groupby("variant", sort=False):
        third = part["step"].max() / 3
        ends = {"first third": part[part["step"] <= third], "last third": part[part["step"] > 2 * third]}
        for end, some in ends.items():
            rows[f"{variant}, {end}"] = some.reindex(columns=list(TURNS)).mean().rename(TURNS).round(2)
    return pd.DataFrame(rows).T.dropna(how="all").dropna(axis=1, how="all")


def curves_figure(steps: pd.DataFrame) -> Figure:
    """A column per variant and a row per quantity, each against the first variant in gray.

    The mean over the seeds, with a band from the least to the greatest.
    """
    default, *others = steps["variant"].unique()
    figure = blank_figure(2.5 * max(1, len(others)) + 0.5, 2.1 * len(WATCHED))
    with sns.axes_style(STYLE):
        panels = figure.subplots(len(WATCHED), max(1, len(others)), sharex=True, sharey="row", squeeze=False)
    for row, (key, title) in zip(panels, WATCHED.items(), strict=True):
        for axes, variant in zip(row, others, strict=False):
            for name, color in ((default, SOFT), (variant, PALETTE[3])):
                sns.lineplot(
                    steps[steps["variant"] == name], x="step", y=key, errorbar=("pi", 100), color=color, ax=axes
                )
            axes.set_ylabel(title if axes is row[0] else "", size=9)
            sns.despine(ax=axes)
    for axes, variant in zip(panels[0], others, strict=False):
        axes.set_title(variant, loc="left", weight="bold", size=10)
    figure.tight_layout()
    return figure
