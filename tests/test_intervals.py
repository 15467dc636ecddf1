"""Intervals: known values from the literature, and properties for any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from rrvf.benchmarks import intervals
from rrvf.benchmarks.intervals import bootstrap, independent_difference, newcombe, paired_difference, wilson

DATA = np.random.default_rng(3).normal(50, 10, 400)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(587, 600, 96.3, 98.7), (413, 600, 65.0, 72.4), (127, 132, 91.4, 98.4), (93, 132, 62.2, 77.6)],
)
def test_wilson_of_the_papers_rates(k, n, low, high):
    found = wilson(k, n)
    assert (round(found.low, 1), round(found.high, 1)) == (low, high)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_point_and_stays_a_rate(kn):
    found = wilson(*kn)
    assert 0 <= found.low <= found.value <= found.high <= 100 and found.low < found.high


@pytest.mark.parametrize(("k", "n"), [(1, 0), (3, 2), (-1, 4)])
def test_wilson_refuses_what_is_no_rate(k, n):
    with pytest.raises(ValueError, match="is no rate"):
        wilson(k, n)


def test_newcombe_of_a_worked_example():
    """Newcombe (1998), Table II, 56/70 against 48/80, method 10: 0.0524 to 0.3339."""
    found = newcombe(wilson(56, 70), wilson(48, 80))
    assert (round(found.low, 2), round(found.high, 2)) == (5.24, 33.39)


def test_bootstrap_agrees_with_the_normal_interval_on_many_values():
    half = norm.ppf(0.975) * DATA.std() / np.sqrt(len(DATA))
    found = bootstrap(DATA)
    assert found.bounds == pytest.approx((DATA.mean() - half, DATA.mean() + half), abs=0.1)


def test_bootstrap_is_seeded():
    assert bootstrap(DATA) == bootstrap(DATA) != bootstrap(DATA, seed=1)


def test_pairing_removes_what_both_share():
    paired, apart = paired_difference(DATA + 1, DATA), independent_difference(DATA + 1, DATA)
    assert paired.bounds == pytest.approx((1, 1)) and apart.low < 0 < apart.high


def test_a_conditional_mean_weighs_only_what_ran():
    values, ran = np.array([0, 0, 4, 6.0] * 20), np.array([0, 0, 1, 1] * 20)
    found = bootstrap(values, ran)
    assert found.value == 5 and 4 < found.low < 5 < found.high < 6


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_no_interval_of_nothing(values):
    with pytest.raises(ValueError, match="finite"):
        bootstrap(values)


def test_paired_values_must_match():
    with pytest.raises(ValueError, match="same samples"):
        paired_difference([1, 2], [1])


@pytest.mark.parametrize("kept", [0, 2**26])
@pytest.mark.parametrize("block", [1, 1_000, 2**22])
def test_draws_that_come_in_blocks_are_the_same_draws(monkeypatch, block, kept):
    """One matrix of all draws would take gigabytes for a hundred thousand samples."""
    values = np.random.default_rng(1).random(400)
    counts = np.random.default_rng(7).multinomial(400, np.full(400, 1 / 400), size=600)
    whole = np.percentile(counts @ values / 400, [2.5, 97.5])
    monkeypatch.setattr(intervals, "BLOCK", block)
    monkeypatch.setattr(intervals, "KEPT", kept)
    intervals._all_drawn.cache_clear()
    assert bootstrap(values, resamples=600, seed=7).bounds == pytest.approx(tuple(whole), rel=1e-12)
