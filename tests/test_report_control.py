"""A training beside its control: the gains on the same pictures."""

from __future__ import annotations

import json

import pytest

from rrvf.report.control import (
    CONTROL,
    PANELS,
    TRAINED,
    WATCHED,
    beside_control,
    control_figure,
    gains_by_fifth,
    parts_of_gain,
    steps_of,
    trainings,
)
from rrvf.reward import PRESETS, RewardRule


def log(base: float, gain: float, steps: int = 10) -> list[dict]:
    """A step log whose vision reward goes up and down with the pictures, and by `gain` a step."""
    return [{"step": s, "rewards/vision/mean": base + 0.3 * (s % 2) + gain * s} for s in range(1, steps + 1)]


def test_the_luck_of_the_pictures_cancels():
    steps = beside_control(steps_of({("chart", 0): log(0.2, 0.01)}), steps_of({("chart", 0): log(0.2, 0.0)}))
    found = gains_by_fifth(steps).loc[("chart", "rewards/vision/mean", 0)]
    assert list(found[[1, 2, 3, 4, 5]]) == pytest.approx([0.015, 0.035, 0.055, 0.075, 0.095])
    assert found["mean"] == pytest.approx(0.055) and found["error"] == pytest.approx(0.01 * (110 / 12 / 10) ** 0.5)


def test_steps_are_compared_with_those_of_the_same_section_and_seed():
    trained = steps_of({("chart", 0): log(0.5, 0.0), ("chart", 1): log(0.9, 0.0), ("web", 0): log(0.7, 0.0)})
    control = steps_of({("chart", 0): log(0.4, 0.0), ("chart", 1): log(0.2, 0.0, 5)})
    steps = beside_control(trained, control)
    assert steps.groupby(["section", "seed"]).size().to_dict() == {("chart", 0): 20, ("chart", 1): 10}
    found = gains_by_fifth(steps).xs("rewards/vision/mean", level="metric")
    assert found[1].to_dict() == pytest.approx({("chart", 0): 0.1, ("chart", 1): 0.7})


def test_the_terms_of_the_reward_share_its_gain():
    """Vision +0.2 (execution 0.5 to 0.75, similarity 0.4 to 0.533), drafts that pay 0.3 more."""
    before = {"step": 1, "rewards/vision/mean": 0.2, "rrvf/exec_rate": 0.5, "rrvf/similarity_given_exec": 0.4}
    after = {"step": 1, "rewards/vision/mean": 0.4, "rrvf/exec_rate": 0.75, "rrvf/similarity_given_exec": 0.4 / 0.75}
    before, after = before | {"reward": 0.0}, after | {"reward": 0.8 * 0.2 + 0.2 * 2 * 0.25 + 1.2 * 0.3}
    steps = beside_control(steps_of({("chart", 0): [after]}), steps_of({("chart", 0): [before]}))
    found = parts_of_gain(steps, RewardRule(PRESETS["deepeyes"])).loc[("chart", 0)]
    assert list(found[["vision", "format", "tool"]]) == pytest.approx([0.16 / 0.62, 0.1 / 0.62, 0.36 / 0.62])
    assert found["vision: by rate"] == pytest.approx(0.25 * (0.4 + 0.4 / 0.75) / 2 / 0.2)


def test_no_control_is_an_empty_table():
    assert beside_control(steps_of({("chart", 0): log(0.5, 0.0)}), steps_of({})).empty


def test_the_trainings_of_all_seeds_are_read(tmp_path):
    for place, seed in ((".", 3), ("seed-1", 1), ("seed-10", 10)):
        path = tmp_path / place / "train/rrvf_chart/log.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in log(seed / 10, 0.0)))
    steps = trainings(tmp_path, 3, ["chart", "web"])
    first = steps[steps["step"] == 2].set_index(["section", "seed"])["rewards/vision/mean"]
    assert first.to_dict() == pytest.approx({("chart", 3): 0.3, ("chart", 1): 0.1, ("chart", 10): 1.0})


def test_both_are_drawn_in_each_panel():
    trained, control = ({(name, 0): log(0.5, gain) for name in ("chart", "web")} for gain in (0.01, 0.0))
    figure = control_figure(beside_control(steps_of(trained), steps_of(control)), "chart")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [WATCHED[key] for key in PANELS]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [CONTROL, TRAINED]
