"""F1 of a script's items against another's: text, layout, type and colour (metrics_spec 1.3 to 1.6).

Protocols, by the id that every result carries:

official  ChartMimic's evaluator of 2025-06-17, its deterministic bugs kept. Its random thinning of more than ten colours
          is fixed: items are visited in sorted order (so a plot of many colours keeps the same few in every run).
july2025  VLMEvalKit as it stood on 2025-07-20, most likely what the paper used: as official, but the thinning helper is
          missing, so more than ten colours on either side score 0; a bar recoloured by name is skipped, not fatal.
fixed     repairs, with what each moves: wrapped functions keep their names (seaborn scripts get their calls and colours
          back); a caught exception no longer blinds the tracer (counts after it return); a bar recoloured by name is
          read; `plt.savefig` in a comment does no harm (text no longer 0); arcs count among the ellipses (colour); no
          thinning. Empty against empty stays 0, and of same-coloured objects the last still wins: these are the
          benchmark's own rules, not accidents of its code.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from rrvf.benchmarks.colors import similarity
from rrvf.records import Record

ChartProtocol = Literal["official", "fixed", "july2025"]
METRICS = ("text", "layout", "type", "color")
_MANY = 10
_ALIKE = 0.7


class Score(Record):
    """Precision, recall and their harmonic mean, as fractions."""

    precision: float
    recall: float
    f1: float


class PairScore(Record):
    """One pair of scripts. All zero where the generated one did not run."""

    exec_ok: bool
    text: Score
    layout: Score
    type: Score
    color: Score


def score(matched: float, generated: int, gold: int) -> Score:
    """From the amount matched and the sizes of both sides; either side empty gives zeros (metrics_spec T9)."""
    if not generated or not gold:
        return Score(precision=0.0, recall=0.0, f1=0.0)
    precision, recall = matched / generated, matched / gold
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Score(precision=precision, recall=recall, f1=f1)


NOTHING = score(0, 0, 0)


def score_items(gold: dict, generated: dict | None, name: str, protocol: ChartProtocol) -> PairScore:
    """Score a script's items against the true script's; `generated` None: it did not run.

    `name` is the sample's: graph_* have a layout rule of their own (metrics_spec 1.4).
    """
    if generated is None:
        return PairScore(exec_ok=False, **dict.fromkeys(METRICS, NOTHING))
    return PairScore(
        exec_ok=True,
        text=multiset(gold["text"], generated["text"]),
        layout=multiset(layout(gold["layout"], name), layout(generated["layout"], name)),
        type=counts(gold["type"], generated["type"]),
        color=colors(gold["color"], generated["color"], protocol),
    )


def multiset(gold: Sequence, generated: Sequence) -> Score:
    """Equal items, each used once."""
    matched = sum((Counter(map(_hashable, gold)) & Counter(map(_hashable, generated))).values())
    return score(matched, len(generated), len(gold))


def _hashable(item):
    return tuple(item) if isinstance(item, list) else item


def layout(items: list[list[int]], name: str) -> list[list[int]]:
    """Every axes of a graph has the same place, whatever its grid: only their number counts."""
    return [[1, 1, 0, 1, 0, 1]] * len(items) if name.startswith("graph") else items


def counts(gold: dict[str, int], generated: dict[str, int]) -> Score:
    """Calls by label."""
    matched = sum(min(n, generated.get(label, 0)) for label, n in gold.items())
    return score(matched, sum(generated.values()), sum(gold.values()))


def colors(gold: list[list[str]], generated: list[list[str]], protocol: ChartProtocol) -> Score:
    """The largest total similarity over assignments within each group (metrics_spec 1.6.4)."""
    if protocol == "july2025" and max(len(gold), len(generated)) > _MANY:
        return NOTHING
    if protocol == "official":
        gold, generated = thinned(gold), thinned(generated)
    sides: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, items in enumerate((gold, generated)):
        for group, token in items:
            sides[group][side].append(token)
    return score(sum(_assigned(a, b) for a, b in sides.values()), len(generated), len(gold))


def thinned(items: list[list[str]]) -> list[list[str]]:
    """Of more than ten items those that resemble no item kept before, in sorted order (metrics_spec 1.6.2)."""
    if len(items) <= _MANY:
        return items
    kept: list[list[str]] = []
    for item in sorted(items):
        if all(similarity(item[1], other[1]) <= _ALIKE for other in kept):
            kept.append(item)
    return kept


def _assigned(one: list[str], two: list[str]) -> float:
    if not one or not two:
        return 0.0
    table = np.array([[similarity(a, b) for b in two] for a in one])
    return float(table[linear_sum_assignment(table, maximize=True)].sum())
