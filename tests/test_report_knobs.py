"""The notebooks' figures: a description of each picture, controls that need no front end, and their numbers."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from rrvf.judge.calibration import FamilyResult
from rrvf.records import Judgement, Render, Trajectory, Turn
from rrvf.report import knob as knobs
from rrvf.report.claims import load_claims
from rrvf.report.claims_figure import deciding, margin_figure
from rrvf.report.episodes import gained
from rrvf.report.figures import blank_figure
from rrvf.report.judge_figures import calibration_figure, passed
from rrvf.report.recorded import recorded_groups
from rrvf.report.reward_figures import (
    advantage_figure,
    advantages,
    agreement,
    held,
    kl_to_start,
    penalty_figure,
    weights_figure,
)
from rrvf.report.shown import fold, show
from rrvf.report.turn_figure import turn_figure
from rrvf.report.written import by_fifths, written
from rrvf.reward import PRESETS, RewardRule, Weights

FAMILIES = {
    "chart/a": FamilyResult(domain="chart", scores=((1.0, 0.5), (1.0, 0.7)), spearman=1.0),
    "chart/b": FamilyResult(domain="chart", scores=((1.0, 0.96),), spearman=1.0),
    "web/c": FamilyResult(domain="web", scores=((1.0, 0.1),), spearman=1.0),
}


@pytest.fixture
def nobody_reads(monkeypatch):
    for name in knobs.FRONT_ENDS:
        monkeypatch.delenv(name, raising=False)


def an_episode(score: float | None, calls: int = 0) -> Trajectory:
    """An episode whose answer has this similarity (None: its code failed), after `calls` rendered drafts."""
    turns = (Turn(text="", action="tool_call", render=Render(status="ok")),) * calls
    if score is None:
        return Trajectory(sample_id="a", domain="chart", turns=turns, final_code="(")
    judged = Judgement(status="ok", score=score)
    return Trajectory(
        sample_id="a", domain="chart", turns=turns, final_code="", final_render=Render(status="ok"), judgement=judged
    )


def test_a_figure_has_its_words_for_readers_and_for_screen_readers(monkeypatch):
    shown = []
    monkeypatch.setattr("rrvf.report.shown.display", lambda data, **how: shown.append((data, how)))
    show(blank_figure(4, 2), "Two bars.", "one is higher.")
    (picture, how), (finding, _) = shown
    assert how["metadata"]["image/png"]["alt"] == picture["text/plain"] == "Two bars."
    assert picture["image/png"].startswith(b"\x89PNG") and "one is higher." in finding.data


def test_a_fold_is_markdown_behind_its_title(monkeypatch):
    shown = []
    monkeypatch.setattr("rrvf.report.shown.display", shown.append)
    fold("More", "| a |\n|---|")
    assert shown[0].data.startswith("<details><summary>More</summary>\n\n| a |") and "</details>" in shown[0].data


def test_a_knob_draws_once_at_the_defaults_where_nobody_reads(nobody_reads, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # not installed
    drawn = []
    knobs.knob(lambda level=3: drawn.append(level), level=(0, 9, 1))
    assert drawn == [3] and not knobs.live()


def test_a_knob_needs_its_widgets_even_where_somebody_reads(monkeypatch):
    monkeypatch.setenv(knobs.FRONT_ENDS[0], "a.ipynb")
    monkeypatch.setattr(knobs, "find_spec", lambda name: None)
    assert not knobs.live()


@pytest.mark.parametrize("normalised", [True, False])
def test_the_maximum_reinforces_nothing(normalised):
    assert advantages([0.1, 0.5, 2.0], "max", normalised).max() == 0


def test_equal_rewards_and_unjudged_episodes_push_nobody():
    assert not advantages([0.8] * 8).any()
    pushes = advantages([0.0, 1.0, np.nan])
    assert np.isnan(pushes[2]) and pushes[0] == -pushes[1]


@pytest.mark.parametrize("beta", [0.1, 1.0, 10.0])
def test_what_a_kl_penalty_holds_is_the_best_trade_of_advantage_and_divergence(beta):
    rewards = [0.0, 0.5, 2.0]
    p, pushes = held(rewards, beta), advantages(rewards)
    best = p @ pushes - beta * kl_to_start(p)
    others = np.random.default_rng(0).dirichlet(np.ones(3), 2000)
    assert p.sum() == pytest.approx(1)
    assert best >= max(q @ pushes - beta * kl_to_start(q) for q in others)


def test_a_baseline_does_not_move_the_optimum_under_a_kl_penalty():
    assert held([0.0, 0.5, 2.0], 0.5) == pytest.approx(held([1.0, 1.5, 3.0], 0.5))


def test_the_parts_that_programs_write_are_shares():
    found = written(["plt.title('a')", "plt.plot([1], color='red')"], "chart")
    assert (found["title"], found["colour"], found["legend"], found["characters"]) == (0.5, 0.5, 0, 20.0)


def test_fifths_are_of_each_run_and_hold_all_its_episodes(tmp_path):
    turns = [Turn(text="", action="none", code="x" * i) for i in range(10)]
    lines = [
        Trajectory(sample_id="a", domain="chart", turns=(turn,), final_code=None).model_dump_json() + "\n"
        for turn in turns
    ]
    for seed in "ab":
        folder = tmp_path / seed / "train/rrvf_bars"
        folder.mkdir(parents=True)
        (folder / "episodes.jsonl").write_text("".join(lines))
    found = by_fifths([tmp_path / "a", tmp_path / "b"], "bars", "chart")
    assert list(by_fifths([tmp_path / "a"], "bars", "web").loc["drafts"]) == [0] * 5
    assert list(found.loc["drafts"]) == [4] * 5 and list(found.loc["characters"]) == [0.5, 2.5, 4.5, 6.5, 8.5]


def test_the_caption_of_the_largest_gain_names_the_mean():
    episodes = [an_episode(0.4), an_episode(0.6)]
    told = gained(episodes[0], episodes, [0.3, 0.1])
    assert "draft 0.10, of the answer 0.40: the largest gain, +0.30, of 2 test pictures" in told
    assert "(mean +0.20)" in told
    assert "No episode has a draft" in gained(episodes[0], episodes, [None, None])


@pytest.mark.parametrize(("w_v", "share"), [(1.0, 1.0), (-1.0, 0.0), (0.0, 0.0)])
def test_agreement_is_the_share_of_pairs_in_which_the_closer_is_paid_more(w_v, share):
    groups = {"a": [an_episode(0.2), an_episode(0.5), an_episode(0.9)]}
    assert agreement(groups, Weights(w_v, 1.0, 0.0)) == share


def test_an_episode_that_no_judge_scored_agrees_with_none():
    failed = an_episode(0.9).model_copy(update={"judgement": Judgement(status="judge_error", reason="timeout")})
    assert agreement({"a": [an_episode(0.2), an_episode(0.5), failed]}, Weights(1.0, 0.0, 0.0)) == 1.0


def test_agreement_needs_a_difference():
    assert np.isnan(agreement({"a": [an_episode(0.5), an_episode(0.5)]}, PRESETS["deepeyes"]))


def test_the_recorded_groups_are_groups_of_eight_and_all_are_scored():
    groups = recorded_groups()
    assert len(groups) == 4 and {len(g) for g in groups.values()} == {8}
    assert all(RewardRule().terms(t).total is not None for g in groups.values() for t in g)


@pytest.mark.parametrize("draw", [
    lambda: weights_figure({"a": [an_episode(0.2, 4), an_episode(None)]}, PRESETS["literal"]),
    lambda: advantage_figure([0.0, 1.0, 2.0], "median", normalised=False),
    lambda: penalty_figure([0.0, 1.0, 2.0], 0.5),
    lambda: turn_figure(an_episode(0.5, 2), b"", 1),
    lambda: margin_figure(load_claims(), 2.5),
    lambda: calibration_figure(FAMILIES),
])  # fmt: skip
def test_every_figure_of_a_knob_has_a_title(draw, monkeypatch):
    monkeypatch.setattr("rrvf.report.turn_figure._show_picture", lambda *args: None)
    assert any(axes.get_title() or axes.get_title(loc="left") for axes in draw().axes)


def test_the_calibration_is_one_panel_a_domain():
    assert len(calibration_figure(FAMILIES).axes) == 2


def test_what_a_threshold_passes_counts_pictures_by_steps():
    assert passed(FAMILIES, 0.95) == [1.0, 0.25]


@pytest.mark.parametrize(("claim", "margin", "verdict"), [
    ("exec_vs_base", 0, "holds"), ("exec_vs_base", 30, "open"), ("exec_vs_base", 40, "fails"),
    ("rrvf_stable_unseen", -5, "open"), ("rrvf_stable_unseen", -7, "holds"),
    ("all_low_level_vs_sft", 0, "fails"), ("sft_drops_unseen", 0, "holds"),
])  # fmt: skip
def test_a_claim_is_open_where_its_interval_holds_the_margin(claim, margin, verdict):
    spec = next(c for c in load_claims() if c.id == claim)
    assert deciding(spec).verdict(margin) == verdict


def test_judge_scores_out_of_ten_are_shown_in_points_of_a_hundred():
    spec = next(c for c in load_claims() if c.id == "surpasses_teacher_unseen")
    assert deciding(spec).value == pytest.approx(-16.85)
    alone = spec.model_copy(update={"left": spec.left.model_copy(update={"column": ("judge",)})})
    assert deciding(alone).value == pytest.approx(-13.5)
