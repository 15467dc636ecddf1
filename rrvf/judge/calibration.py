"""How well a judge agrees with known damage: Spearman's rho per family of controlled degradations.

    calibrate()["chart/colour"].spearman

A judge agrees when its score falls with every step of a family (`damage`). The seeds differ from those that the
embedded judge was tuned on (`SEED`).
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from scipy.stats import spearmanr

from rrvf.domains import PAPER
from rrvf.judge.damage import FAMILIES, Make
from rrvf.judge.embedded import judge_pair
from rrvf.records import Judgement, Record

SEED = 20_766
Judge = Callable[[np.ndarray, np.ndarray, str], Judgement]


class FamilyResult(Record):
    """The result of one family.

    scores: one row per picture, one score per step. spearman: the mean over pictures of rho(step, -score). errors:
    comparisons on which the judge failed.
    """

    domain: str
    scores: tuple[tuple[float, ...], ...]
    spearman: float
    errors: int = 0

    @property
    def curve(self) -> list[float]:
        """The mean score of each step."""
        return np.mean(self.scores, axis=0).round(4).tolist()


def calibrate(
    judge: Judge = judge_pair, pictures: int = 12, seed: int = SEED, domains: tuple[str, ...] = PAPER
) -> dict[str, FamilyResult]:
    """The result of every family, as `DOMAIN/FAMILY`, over `pictures` pictures each.

    A picture is left out if the judge fails on one of its steps.
    """
    wanted = {key: make for key, make in FAMILIES.items() if key[0] in domains}
    return {f"{domain}/{name}": _family(judge, domain, make, pictures, seed) for (domain, name), make in wanted.items()}


def _family(judge: Judge, domain: str, make: Make, pictures: int, seed: int) -> FamilyResult:
    rows, errors = [], 0
    for index in range(pictures):
        steps = make(random.Random(seed * 1000 + index))
        judged = [judge(steps[0], step, domain) for step in steps]
        if all(j.ok for j in judged):
            rows.append(tuple(j.score for j in judged))
        errors += sum(not j.ok for j in judged)
    rhos = [_rho(row) for row in rows]
    return FamilyResult(
        domain=domain, scores=tuple(rows), spearman=float(np.mean(rhos)) if rhos else 0.0, errors=errors
    )


def _rho(scores: tuple[float, ...]) -> float:
    if len(set(scores)) == 1:
        return 0.0  # constant scores have no rank correlation
    return float(spearmanr(range(len(scores)), [-s for s in scores]).statistic)
