"""A panel of judges: the mean of its scores with their spread, or no score."""

import pytest

from rrvf.errors import UserError
from rrvf.judge.panel import Panel
from rrvf.records import Judgement


class Fixed:
    """A judge that scores by the first letter of the reference, which shows the order of the pictures."""

    def __init__(self, **scores: float) -> None:
        self.scores = scores

    def score(self, reference: bytes, generated: bytes, domain: str) -> Judgement:
        value = self.scores.get(reference.decode())
        if value is None:
            return Judgement(status="judge_error", reason="timeout")
        return Judgement(status="ok", score=value, parts={"text": value}, judge=str(self.scores))

    def compare(self, reference: bytes, generated: bytes, domain: str) -> Judgement:
        return Judgement(status="ok", feedback=f"as {self.scores} sees it")


def test_both_orders_give_their_mean_and_their_gap():
    judged = Panel([Fixed(a=0.8, b=0.6)], swap=True).score(b"a", b"b", "chart")
    assert (judged.score, judged.parts, judged.spread) == (0.7, {"text": 0.7}, {"order": 0.2})


def test_several_judges_give_their_mean_and_their_spread():
    judged = Panel([Fixed(a=0.2), Fixed(a=0.4), Fixed(a=0.6)]).score(b"a", b"b", "chart")
    assert judged.score == 0.4 and judged.spread == {"judges": pytest.approx(0.1633, abs=1e-4)}


def test_every_judge_is_named():
    assert Panel([Fixed(a=0.2), Fixed(a=0.4)]).score(b"a", b"b", "chart").judge == "{'a': 0.2} + {'a': 0.4}"


@pytest.mark.parametrize("swap", [False, True])
def test_one_failed_look_is_no_score(swap):
    judged = Panel([Fixed(a=0.5, b=0.5), Fixed()], swap).score(b"a", b"b", "chart")
    assert judged.status == "judge_error" and judged.score is None


def test_one_look_is_that_look():
    judged = Panel([Fixed(a=0.5)]).score(b"a", b"b", "chart")
    assert (judged.score, judged.spread) == (0.5, {})


def test_words_are_the_first_judges():
    assert Panel([Fixed(a=1.0), Fixed(b=1.0)]).compare(b"a", b"b", "chart").feedback == "as {'a': 1.0} sees it"


def test_a_panel_of_nobody_is_a_user_error():
    with pytest.raises(UserError):
        Panel([])
