"""Four recorded groups of GRPO, for a reader who turns the reward's knobs before anything was trained.

    groups = recorded_groups()["chart-1000042"]     # eight episodes of one training picture

Eight episodes of each picture, played by the shipped policy at temperature 1 with the paper's four turns. They lie
beside this file, so that a notebook shows the same ones everywhere. Played anew after a change of policy, judge or
protocol:

    python -m rrvf.report.recorded chart-1000042 chart-1000118
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rrvf.domains import CHART
from rrvf.records import Trajectory
from rrvf.report.episodes import read_trajectories
from rrvf.rollout import Episode, run_episode

RECORDED = Path(__file__).with_name("recorded.jsonl")
GROUP, TURNS = 8, 4


def recorded_groups(path: Path = RECORDED) -> dict[str, list[Trajectory]]:
    """The episodes by their picture's id, in the order in which they were played."""
    groups: dict[str, list[Trajectory]] = {}
    for trajectory in read_trajectories(path):
        groups.setdefault(trajectory.sample_id, []).append(trajectory)
    return groups


def play_groups(sample_ids: Sequence[str]) -> Iterable[Trajectory]:
    """Eight episodes of each training picture of the nano profile; the seed is fixed, the processor is not."""
    import torch

    from rrvf.policies.local import LocalPolicy, read_picture
    from rrvf.profile import load_profile
    from rrvf.protocol import load_prompt
    from rrvf.study import Study

    torch.manual_seed(0)
    study = Study(load_profile("nano"))
    policy = LocalPolicy(study.profile.policy.model, max_new_tokens=320)
    prompt = load_prompt(CHART, "tools", study.profile.policy.prompts, TURNS).text
    files = {s.id: study.data / s.split / s.image for s in study.split("charts_train")}
    with study.tools(CHART.name) as tools:
        for sample_id in sample_ids:
            for _ in range(GROUP):
                episode = Episode(sample_id, CHART, files[sample_id].read_bytes(), tools, TURNS)
                write = lambda messages: policy.chat([messages], sample=True)[0]  # noqa: E731
                yield run_episode(write, prompt, read_picture(files[sample_id]), episode)


if __name__ == "__main__":
    RECORDED.write_text("".join(f"{t.model_dump_json()}\n" for t in play_groups(sys.argv[1:])), encoding="utf-8")
