"""Four recorded groups of GRPO, for a reader who turns the reward's knobs before anything was trained.

    groups = recorded_groups()["chart-1000042"]     # eight episodes of one training picture

Eight episodes of each picture, played by the shipped policy at temperature 1 with the paper's four turns. They lie
beside this file, so that a notebook shows the same ones everywhere. Played anew after a change of policy, judge or
protocol:

    python -m reproduce.recorded chart-1000042 chart-1000118
"""

from __future__ import annotations

from pathlib import Path

from rrvf.records import Trajectory
from rrvf.report.episodes import read_trajectories

RECORDED = Path(__file__).with_name("recorded.jsonl")


def recorded_groups(path: Path = RECORDED) -> dict[str, list[Trajectory]]:
    """The episodes by their picture's id, in the order in which they were played."""
    groups: dict[str, list[Trajectory]] = {}
    for trajectory in read_trajectories(path):
        groups.setdefault(trajectory.sample_id, []).append(trajectory)
    return groups
