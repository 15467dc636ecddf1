"""The gain of a trained policy over its base on every evaluation set, for the evaluation notebook.

forest_figure(gains(find_runs(folder), profile), "base", "the pictures of a set")
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from rrvf.profile import Profile
from rrvf.report.claims_figure import TENTHS
from rrvf.report.runs import Run, by_set, difference

METRICS = ("exec_rate", "judge")


def gains(runs: Sequence[Run], profile: Profile, policy: str = "rrvf", base: str = "base") -> pd.DataFrame:
    """A row per set and metric: `policy` less `base` in points of 100, with a 95 % interval (`runs.difference`).

    Columns: variant (the set's title), metric, difference, low, high. A set without runs of both policies is left out.
    """
    rows, found = [], by_set(runs)
    for name, settings in profile.evaluations.items():
        ours, start = (found.get(name, {}).get(key) for key in (policy, base))
        for metric in METRICS if ours and start else ():
            gain = difference(ours, start, metric)
            unit = 10 if (settings.table, metric) in TENTHS else 1
            if gain is not None:
                rows.append((settings.title, metric, unit * gain.value, unit * gain.low, unit * gain.high))
    return pd.DataFrame(rows, columns=["variant", "metric", "difference", "low", "high"])
