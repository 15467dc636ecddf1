"""Worse pictures get lower scores, on average and family by family."""

import random
from itertools import pairwise

import numpy as np
import pytest

from rrvf.domains import DOMAINS
from rrvf.judge.calibration import FAMILIES, SEED, calibrate
from rrvf.judge.embedded import judge_pair
from rrvf.judge.measured import measured_card
from rrvf.judge.probes import PLEAS, order_gap, page_saying, plea_gain
from rrvf.records import Judgement


@pytest.fixture(scope="module")
def results():
    return calibrate(pictures=3, seed=11, domains=tuple(DOMAINS))


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
    made = measured_card("web", pictures=1)
    assert made.id.startswith("rrvf-embedded-judge-")
    assert np.isfinite([*made.agreement.values(), made.order_gap, made.plea_gain]).all()


@pytest.mark.parametrize("domain", ["chart", "web"])
def test_words_that_ask_for_a_score_gain_no_more_than_other_words(domain):
    assert plea_gain(judge_pair, domain, pictures=3) < 0.05


def test_a_judge_that_heeds_a_plea_is_found_out():
    def obeys(a, b, domain):
        return Judgement(status="ok", score=1.0 if any(np.array_equal(b, p) for p in pleading) else 0.5)

    rng = random.Random(SEED * 1000)
    pleading = [page_saying(rng, PLEAS[1])]
    assert plea_gain(obeys, "web", pictures=1) == 0.5


@pytest.mark.parametrize("domain", ["chart", "web"])
def test_the_order_of_the_pictures_hardly_matters(domain):
    assert order_gap(judge_pair, domain, pictures=3) < 0.03
