"""Recorded GRPO groups, so that a reader can vary the reward without training.

    groups = recorded_groups()["chart-1000042"]     # eight episodes of one training picture

The shipped policy played eight episodes per picture, at temperature 1 and with the paper's four turns. They are stored
beside this file, so that a notebook shows the same ones everywhere. After a change of policy, judge or protocol, record
them again:

    python -m reproduce.recorded chart-1000042 chart-1000118
"""

from __future__ import annotations

from pathlib import Path

from rrvf.records import Trajectory
from rrvf.report.episodes import read_trajectories

RECORDED = Path(__file__).with_name("recorded.jsonl")


def recorded_groups(path: Path = RECORDED) -> dict[str, list[Trajectory]]:
    """The episodes by sample id, in the order in which they were played."""
    groups: dict[str, list[Trajectory]] = {}
    for trajectory in read_trajectories(path):
        groups.setdefault(trajectory.sample_id, []).append(trajectory)
    return groups
