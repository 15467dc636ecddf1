"""Worse pictures get lower scores, on average and family by family."""

from itertools import pairwise

import numpy as np
import pytest

from rrvf.judge.calibration import FAMILIES, calibrate
from rrvf.judge.card import card
from rrvf.records import Judgement


@pytest.fixture(scope="module")
def results():
    return calibrate(pictures=3, seed=11)


@pytest.mark.parametrize("family", ["/".join(key) for key in FAMILIES])
def test_the_mean_score_falls_with_damage(results, family):
    curve = results[family].curve
    assert curve[0] == 1.0 and curve[-1] < 0.97 and all(b < a for a, b in pairwise(curve))


@pytest.mark.parametrize("family", ["/".join(key) for key in FAMILIES])
def test_ranks_agree_with_damage(results, family):
    assert results[family].spearman > 0.7


def test_a_judge_that_sees_nothing_agrees_with_nothing():
    blind = calibrate(lambda a, b, d: Judgement(status="ok", score=0.5), pictures=1, domains=("web",))
    assert {r.spearman for r in blind.values()} == {0.0}


def test_a_failed_judge_is_counted_and_not_scored():
    broken = calibrate(lambda a, b, d: Judgement(status="judge_error", reason="x"), pictures=1, domains=("web",))
    assert all(r.errors == 5 and r.scores == () for r in broken.values())


def test_the_card_holds_the_measured_agreement():
    made = card("web", pictures=1)
    assert np.isfinite(list(made.agreement.values())).all() and made.id.startswith("rrvf-embedded-judge-")
