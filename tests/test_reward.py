"""Eq. (2) term by term."""

from __future__ import annotations

import pytest

from rrvf.records import Judgement, Render, Trajectory, Turn
from rrvf.reward import PRESETS, RewardRule

OK = Render(status="ok")
BAD = Render(status="render_error", reason="exception")
BROKEN = Render(status="harness_error", message="no memory")


def episode(calls=(), final: Render | None = OK, score: float | None = 0.5, judged: bool = True) -> Trajectory:
    turns = tuple(Turn(text="", action="tool_call", code="x", render=r) for r in calls)
    judgement = Judgement(status="ok", score=score) if judged else Judgement(status="judge_error", reason="timeout")
    judgement = judgement if final is not None and final.ok else None
    return Trajectory(
        sample_id="s", domain="chart", turns=turns, final_code="x", final_render=final, judgement=judgement
    )


@pytest.mark.parametrize(("calls", "tool"), [(0, 0.0), (1, 1 / 3), (2, 2 / 3), (3, 1.0), (5, 1.0)])
def test_a_third_for_each_call_that_rendered_capped_at_one(calls, tool):
    assert RewardRule().terms(episode([OK] * calls)).tool == pytest.approx(tool)


def test_a_call_that_did_not_render_earns_nothing():
    assert RewardRule().terms(episode([BAD, OK])).tool == pytest.approx(1 / 3)


@pytest.mark.parametrize(("score", "tool"), [(0.95, 0.0), (0.96, 1.0)])
def test_a_similarity_above_the_bound_gives_the_whole_tool_reward(score, tool):
    assert RewardRule().terms(episode(score=score)).tool == tool


@pytest.mark.parametrize(
    ("final", "score", "tool"), [(OK, 0.5, 0.0), (OK, 0.51, 1 / 3), (OK, 0.96, 1.0), (BAD, None, 0.0)]
)
def test_behind_a_gate_calls_are_paid_only_where_the_answer_is_similar(final, score, tool):
    assert RewardRule(tool_above=0.5).terms(episode([OK], final, score)).tool == pytest.approx(tool)


@pytest.mark.parametrize(("final", "value"), [(OK, 1.0), (BAD, -1.0), (None, -1.0)])
def test_format_says_whether_the_final_code_runs(final, value):
    assert RewardRule().terms(episode(final=final)).format == value


def test_code_that_does_not_run_has_no_vision_reward():
    assert RewardRule().terms(episode(final=BAD)).vision == 0.0


def test_a_failed_judge_is_no_number():
    terms = RewardRule().terms(episode(judged=False))
    assert terms.vision is None and terms.total is None


@pytest.mark.parametrize("where", [{"calls": [OK, BROKEN]}, {"final": BROKEN}], ids=["draft", "answer"])
def test_a_failed_harness_is_no_number(where):
    terms = RewardRule().terms(episode(**where))
    assert terms.vision is None and terms.total is None


@pytest.mark.parametrize(("share", "vision"), [(None, 0.96), (0.0, 0.96), (0.5, 0.96), (0.51, 0.0), (1.0, 0.0)])
def test_a_picture_that_was_pasted_has_no_vision_reward_and_no_whole_tool_reward(share, vision):
    drawn = Render(status="ok", pasted_share=share)
    terms = RewardRule(pasted_above=0.5).terms(episode(final=drawn, score=0.96))
    assert (terms.vision, terms.tool) == (vision, float(vision > 0))


TOTALS = {"paper_abs": 0.1 + 0.8 + 1 / 3, "literal": -0.1 + 0.8 + 1 / 3, "deepeyes": 0.4 + 0.2 + 0.4}


@pytest.mark.parametrize("preset", TOTALS)
def test_each_preset_is_its_weighted_sum(preset):
    assert RewardRule(PRESETS[preset]).terms(episode([OK], score=0.5)).total == pytest.approx(TOTALS[preset])


def test_the_printed_weights_prefer_the_worse_picture():
    rule = RewardRule(PRESETS["literal"])
    assert rule.terms(episode(score=0.2)).total > rule.terms(episode(score=0.9)).total
