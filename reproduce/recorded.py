"""Record the episodes of notebook 3 again, after a change of the shipped policy, the judge or the protocol.

python -m reproduce.recorded chart-1000042 chart-1000118

Each name is a training picture of the nano profile. `rrvf.report.recorded` reads the episodes, which are stored beside
it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import torch

from rrvf.domains import CHART
from rrvf.pictures import read_picture
from rrvf.policies.local import LocalPolicy
from rrvf.profile import load_profile
from rrvf.protocol import load_prompt
from rrvf.records import Trajectory
from rrvf.report.recorded import RECORDED
from rrvf.rollout import Episode, run_episode
from rrvf.study import Study

GROUP, TURNS = 8, 4


def play_groups(sample_ids: Sequence[str]) -> Iterable[Trajectory]:
    """Eight episodes of each training picture of the nano profile. The seed is fixed, but results vary with the CPU."""
    torch.manual_seed(0)
    study = Study(load_profile("nano"))
    policy = LocalPolicy(study.profile.policy.model, max_new_tokens=320)
    prompt = load_prompt(CHART, "tools", study.profile.policy.prompts, TURNS).text
    files = {s.id: study.data / s.split / s.image for s in study.split("charts_train")}
    with study.tools(CHART.name) as tools:
        for sample_id in sample_ids:
            for _ in range(GROUP):
                episode = Episode(sample_id, CHART, files[sample_id].read_bytes(), tools, TURNS)
                write = lambda messages: policy.chat([messages], temperature=1.0)[0]  # noqa: E731
                yield run_episode(write, prompt, read_picture(files[sample_id]), episode)


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("name the training pictures, such as chart-1000042")
    RECORDED.write_text("".join(f"{t.model_dump_json()}\n" for t in play_groups(sys.argv[1:])), encoding="utf-8")
