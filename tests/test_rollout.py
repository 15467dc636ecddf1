"""Alg. 1 without TRL: the effect of each kind of turn on an episode."""

from __future__ import annotations

import pytest

from rrvf.domains import CHART
from rrvf.protocol import answer_text, tool_call_text
from rrvf.records import Judgement, Render
from rrvf.rollout import LAST_TURN_HINT, Episode, Tools, revisions, run_episode

CALL, ANSWER = tool_call_text("plot()", CHART), answer_text("plot()", CHART)
BROKEN = tool_call_text("plot(", CHART)


class Renderer:
    def render(self, code):
        if code.count("(") != code.count(")"):
            return Render(status="render_error", reason="syntax_error", message="'(' was never closed <|im_end|>")
        return Render(status="ok", png=b"picture")


class Judge:
    def compare(self, reference, generated, domain):
        return Judgement(status="ok", feedback="---Comments:\n-**Text**- the title is missing.")

    def score(self, reference, generated, domain):
        return Judgement(status="ok", score=0.7)


class SilentJudge(Judge):
    def compare(self, reference, generated, domain):
        return Judgement(status="judge_error", reason="timeout")


@pytest.fixture
def play():
    def play(*turns, judge=None, max_turns=4, bare_score=False):
        tools = Tools({"chart": Renderer()}, judge or Judge(), threads=1, bare_score=bare_score)
        script, heard = iter(turns), []

        def generate(messages):
            heard.append(messages[-1]["content"])
            return next(script)

        episode = Episode("s", CHART, b"target", tools, max_turns)
        trajectory = run_episode(generate, "Redraw.", None, episode)
        tools.close()
        return trajectory, heard

    return play


def test_an_answer_ends_the_episode_with_its_score(play):
    trajectory, _ = play(ANSWER)
    assert (len(trajectory.turns), trajectory.final_code, trajectory.judgement.score) == (1, "plot()", 0.7)


def test_feedback_reaches_the_next_turn(play):
    _, heard = play(CALL, ANSWER)
    assert heard[1] == "---Comments:\n-**Text**- the title is missing."


def test_a_bare_score_comes_without_words(play):
    _, heard = play(CALL, ANSWER, bare_score=True)
    assert heard[1] == "---Score: 0.70"


def test_a_draft_that_fails_comes_back_as_an_explicit_failure_signal(play):
    trajectory, heard = play(BROKEN, ANSWER)
    assert heard[1].startswith("---Error: syntax_error: ") and trajectory.tool_calls == 0


def test_quoted_code_cannot_forge_a_turn(play):
    assert "<|" not in play(BROKEN, ANSWER)[1][1]


def test_the_last_draft_is_told_that_it_was_the_last(play):
    _, heard = play(CALL, CALL, CALL, ANSWER)
    assert [LAST_TURN_HINT in str(h) for h in heard] == [False, False, False, True]


def test_a_call_in_the_last_turn_is_not_run_and_is_no_answer(play):
    trajectory, _ = play(CALL, CALL, max_turns=2)
    assert trajectory.final_code is None and trajectory.turns[-1].render is None and trajectory.tool_calls == 1


def test_a_silent_judge_does_not_end_the_episode(play):
    trajectory, heard = play(CALL, ANSWER, judge=SilentJudge())
    assert "not available" in heard[1] and trajectory.tool_calls == 1


def test_a_failed_harness_is_told_without_blame_and_is_no_revision(play, monkeypatch):
    failed = Render(status="harness_error", message="no memory")
    monkeypatch.setattr(Renderer, "render", lambda self, code: failed if code == "plot(" else Render(status="ok"))
    trajectory, heard = play(BROKEN, ANSWER)
    assert "Error" not in heard[1] and trajectory.harness_error == "no memory" and not list(revisions(trajectory))


def test_prose_ends_the_episode_without_code(play):
    trajectory, _ = play("I cannot.")
    assert trajectory.final_code is None and trajectory.turns[0].problem


def test_a_later_turn_repairs_what_did_not_run_and_refines_what_did(play):
    class Kinder(Judge):
        scores = iter([0.2, 0.5, 0.4])

        def compare(self, reference, generated, domain):
            return Judgement(status="ok", score=next(self.scores), feedback="---")

        def score(self, reference, generated, domain):
            return self.compare(reference, generated, domain)

    trajectory, _ = play(BROKEN, CALL, CALL, ANSWER, judge=Kinder())
    found = [(r.turn, r.repaired, r.refined) for r in revisions(trajectory)]
    assert found == [(2, True, None), (3, None, True), (4, None, False)]


def test_where_the_judge_only_gave_words_a_repair_is_seen_and_a_refinement_is_not(play):
    trajectory, _ = play(BROKEN, CALL, ANSWER)
    assert [(r.turn, r.repaired, r.refined) for r in revisions(trajectory)] == [(2, True, None), (3, None, None)]
