"""95 % intervals: Wilson for rates, seeded percentile bootstrap for means, paired bootstrap for differences.

    wilson(587, 600)                    # Interval(value=97.8, low=96.3, high=98.7), in percent
    bootstrap(scores)                   # of a mean
    paired_difference(ours, base)       # of the same samples under two policies

A mean is the ratio sum(values) / sum(weights). Scores conditional on execution (weight 1 where the code ran, else 0)
therefore use the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import binomtest

LEVEL = 0.95
RESAMPLES = 5_000
SEED = 0
#: Counts in one block (2 MB), and counts that are kept in memory, one byte each.
BLOCK, KEPT = 2**18, 2**26


@dataclass(frozen=True)
class Interval:
    """A point estimate and its interval, in the unit of the input."""

    value: float
    low: float
    high: float

    @property
    def bounds(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high

    def rounded(self, digits: int = 2) -> tuple[float, float, float]:
        """(value, low, high), rounded to `digits` decimals."""
        return round(self.value, digits), round(self.low, digits), round(self.high, digits)


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval:
    """A rate in percent with its Wilson score interval. ValueError unless 0 <= successes <= n and n > 0.

    >>> wilson(587, 600).rounded()
    (97.83, 96.33, 98.73)
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials is no rate")
    found = binomtest(successes, n).proportion_ci(level, method="wilson")
    return Interval(100 * successes / n, 100 * float(found.low), 100 * float(found.high))


def newcombe(a: Interval, b: Interval) -> Interval:
    """The difference a - b of two independent rates, from their Wilson intervals (Newcombe's hybrid score method).

    >>> newcombe(wilson(56, 70), wilson(48, 80)).rounded()  # Newcombe 1998, table II, method 10
    (20.0, 5.24, 33.39)
    """
    d = a.value - b.value
    low = d - np.hypot(a.value - a.low, b.high - b.value)
    high = d + np.hypot(a.high - a.value, b.value - b.low)
    return Interval(d, float(low), float(high))


def bootstrap(values, weights=None, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = SEED) -> Interval:
    """sum(values) / sum(weights) over samples, with a percentile interval. With `weights` None, the plain mean.

    >>> bootstrap([0.0, 1.0] * 50).rounded()
    (0.5, 0.4, 0.6)
    """
    values, weights = _pair(values, weights)
    draws = _ratios(_counts(len(values), resamples, seed), values, weights)
    return _interval(_ratio(values, weights), draws, level)


def paired_difference(
    a, b, a_weights=None, b_weights=None, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval:
    """The difference of two means over the same samples in the same order. Each resample draws samples, so pairs stay.

    >>> paired_difference([0.3, 0.7, 0.9], [0.2, 0.6, 0.8]).rounded()  # every sample gains 0.1
    (0.1, 0.1, 0.1)
    """
    a, a_weights = _pair(a, a_weights)
    b, b_weights = _pair(b, b_weights)
    if len(a) != len(b):
        raise ValueError(f"paired values must be of the same samples, here are {len(a)} and {len(b)}")
    draws = _ratios(_counts(len(a), resamples, seed), a, a_weights)
    draws = draws - _ratios(_counts(len(b), resamples, seed), b, b_weights)
    return _interval(_ratio(a, a_weights) - _ratio(b, b_weights), draws, level)


def independent_difference(
    a, b, a_weights=None, b_weights=None, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval:
    """The difference of two means over different samples."""
    a, a_weights = _pair(a, a_weights)
    b, b_weights = _pair(b, b_weights)
    draws = _ratios(_counts(len(a), resamples, seed), a, a_weights)
    draws = draws - _ratios(_counts(len(b), resamples, seed + 1), b, b_weights)
    return _interval(_ratio(a, a_weights) - _ratio(b, b_weights), draws, level)


def _pair(values, weights) -> tuple[np.ndarray, np.ndarray]:
    values = np.asarray(values, dtype=float)
    weights = np.ones_like(values) if weights is None else np.asarray(weights, dtype=float)
    if not len(values) or values.shape != weights.shape or not np.isfinite(values).all():
        raise ValueError("an interval needs at least one value, every value finite, and a weight for each")
    return values, weights


def _counts(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each sample is drawn in each resample: blocks of shape (rows, n) with `resamples` rows in all.

    The size of the blocks changes no row. The counts of a set of some thousand samples are kept in memory, since a
    table asks for the same draws many times. Those of a larger set would take gigabytes.
    """
    if n * resamples > KEPT:
        yield from _drawn(n, resamples, seed)
        return
    kept, rows = _all_drawn(n, resamples, seed), max(1, BLOCK // n)
    yield from (kept[begun : begun + rows] for begun in range(0, resamples, rows))


def _drawn(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    rng, even, rows = np.random.default_rng(seed), np.full(n, 1 / n), max(1, BLOCK // n)
    for begun in range(0, resamples, rows):
        yield rng.multinomial(n, even, size=min(rows, resamples - begun))


@lru_cache(maxsize=4)
def _all_drawn(n: int, resamples: int, seed: int) -> np.ndarray:
    # A count fits in one byte: of n < 256 samples it is at most n; of more samples, 256 is all but impossible.
    kept, begun = np.empty((resamples, n), np.uint8), 0
    for block in _drawn(n, resamples, seed):
        kept[begun : begun + len(block)] = block
        begun += len(block)
    return kept


def _ratio(values: np.ndarray, weights: np.ndarray) -> float:
    return float(values.sum() / weights.sum()) if weights.sum() else float("nan")


def _ratios(counts: Iterable[np.ndarray], values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    found = []
    for block in counts:
        drawn = block.astype(float)
        below = drawn @ weights
        # A resample in which nothing ran has no conditional mean. It is nan and left out of the percentiles.
        found.append(np.divide(drawn @ values, below, out=np.full(len(drawn), np.nan), where=below > 0))
    return np.concatenate(found)


def _interval(value: float, draws: np.ndarray, level: float) -> Interval:
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.percentile(draws, [50 * (1 - level), 50 * (1 + level)])
    return Interval(value, float(low), float(high))
