"""A training beside its control: the same run with learning rate 0, which sees the same pictures at each step.

Each step has other pictures, easy or hard ones; both logs have the same. So the pictures do not explain a difference.

Example:
    trained = trainings(Path("results/nano"), 0, ["chart"])
    steps = beside_control(trained, pd.read_csv("results/ablations/control.csv"))
    gains_by_fifth(steps), control_figure(steps, "chart")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rrvf.records import json_lines
from rrvf.report.ablations import curves_figure
from rrvf.report.runs import seed_folders
from rrvf.reward import RewardRule

#: The two variants of a table of steps.
TRAINED, CONTROL = "RRVF", "before training, same pictures"
#: The columns that are compared, with titles.
WATCHED = {
    "reward": "Reward",
    "rewards/vision/mean": "Vision reward",
    "rrvf/draft_exec_rate": "Execution rate of drafts",
    "rrvf/exec_rate": "Execution rate of answers",
    "rrvf/similarity_given_exec": "Similarity given execution",
}
#: The panels of the figure.
PANELS = ("rewards/vision/mean", "rrvf/draft_exec_rate", "rrvf/exec_rate")
#: The step logs of several trainings, by section and seed.
Logs = Mapping[tuple[str, int], Sequence[dict]]


def steps_of(logs: Logs) -> pd.DataFrame:
    """A row per section, seed and step, with the columns of WATCHED."""
    columns = ["step", *WATCHED]
    parts = [
        pd.DataFrame(list(log)).reindex(columns=columns).assign(section=section, seed=seed)
        for (section, seed), log in logs.items()
    ]
    keys = ["section", "seed", *columns]
    return pd.concat(parts, ignore_index=True)[keys] if parts else pd.DataFrame(columns=keys)


def trainings(results: Path, seed: int, sections: Iterable[str]) -> pd.DataFrame:
    """The steps of RRVF's trainings in a folder of results. seed: of its own runs; it may hold folders of others."""
    folders = {seed: results} | {int(path.name.removeprefix("seed-")): path for path in seed_folders(results)}
    paths = {(name, s): folder / f"train/rrvf_{name}/log.jsonl" for s, folder in folders.items() for name in sections}
    return steps_of({key: list(json_lines(path)) for key, path in paths.items() if path.is_file()})


def beside_control(trained: pd.DataFrame, control: pd.DataFrame) -> pd.DataFrame:
    """The steps that both tables (`steps_of`) have, one below the other, with a column `variant`."""
    keys = ["section", "seed", "step"]
    both = trained[keys].merge(control[keys])
    parts = {TRAINED: trained, CONTROL: control}
    return pd.concat([both.merge(part).assign(variant=name) for name, part in parts.items()], ignore_index=True)


def gains_by_fifth(steps: pd.DataFrame) -> pd.DataFrame:
    """RRVF less its control, per section, metric and seed: the mean over each fifth of the steps.

    steps: from `beside_control`. Columns: 1 to 5; `mean`, over all steps; `error`, its standard error over the steps.
    """
    rrvf, control = _by_step(steps)
    gain = (rrvf - control).rename_axis(columns="metric").stack().rename("gain").reset_index()
    rows = {key: _fifths(part.sort_values("step")["gain"]) for key, part in gain.groupby(["section", "metric", "seed"])}
    found = pd.DataFrame.from_dict(rows, orient="index", columns=[1, 2, 3, 4, 5, "mean", "error"])
    found.index = pd.MultiIndex.from_tuples(found.index, names=["section", "metric", "seed"])
    return found.reindex(list(WATCHED), level="metric")


def parts_of_gain(steps: pd.DataFrame, rule: RewardRule) -> pd.DataFrame:
    """What the mean gain over the control consists of, as shares of 1, by section and seed.

    The first three columns split the gain of the reward by the terms of Eq. (2). R_format pays answers that run, R_tool
    drafts that render. The last column is the share of R_vision's gain that comes from the execution rate: R_vision is
    the execution rate times the similarity given execution, and each factor's change counts at the other's mean.
    """
    rrvf, control = _by_step(steps)
    gain, middle = rrvf - control, (rrvf + control) / 2
    runs, similarity = "rrvf/exec_rate", "rrvf/similarity_given_exec"
    gain["by rate"] = gain[runs] * middle[similarity]
    gain["by similarity"] = gain[similarity] * middle[runs]
    mean = gain.groupby(["section", "seed"]).mean()
    vision = rule.weights.vision * mean["rewards/vision/mean"] / mean["reward"]
    form = rule.weights.format * (1 - rule.format_penalty) * mean[runs] / mean["reward"]
    shares = {"vision": vision, "format": form, "tool": 1 - vision - form}
    return pd.DataFrame(shares | {"vision: by rate": mean["by rate"] / (mean["by rate"] + mean["by similarity"])})


def control_figure(steps: pd.DataFrame, section: str, window: int = 5) -> Figure:
    """RRVF and its control by step, with a panel for each of PANELS. steps: from `beside_control`."""
    watched = {key: WATCHED[key] for key in PANELS}
    return curves_figure(steps[steps["section"] == section], TRAINED, CONTROL, window, watched)


def _by_step(steps: pd.DataFrame) -> list[pd.DataFrame]:
    """The columns of WATCHED of RRVF and of its control, by section, seed and step."""
    index = ["section", "seed", "step"]
    return [steps[steps["variant"] == name].set_index(index)[list(WATCHED)] for name in (TRAINED, CONTROL)]


def _fifths(gain: pd.Series) -> list[float]:
    return [*(part.mean() for part in np.array_split(gain.to_numpy(), 5)), gain.mean(), gain.sem()]
