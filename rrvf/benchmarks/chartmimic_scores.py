"""F1 of a script's items against another's: text, layout, type and colour (metrics_spec 1.3 to 1.6).

Protocols, by the id that every result carries. Parity first, repairs on top:

official  ChartMimic's evaluator of 2025-06-17, its deterministic faults kept. Left out are metrics that leak from one pair
          to the next (T1), crashes of the scorer, which score 0 here, path rules that a folder's name triggers (T5, T6),
          and the try block around generated scripts, which indents later lines of triple-quoted texts.
july2025  VLMEvalKit as it stood on 2025-07-20, most likely what the paper used. As official, but
          - more than ten colours on either side score 0, for its thinning helper was missing;
          - a bar recoloured by a string is skipped, where it costs the official script all its colours;
          - so is a graph without edges;
          - classes derived from the polar axes and the ellipse count as these (radar charts, arcs).
          Its cleaning of doubled escapes in answers, which breaks some TeX, is not rebuilt.
fixed     as july2025, and repaired, each with what it moves:
          - wrapped functions keep their names: seaborn calls without a hue are counted and read (type, colour up);
          - more than ten colours are thinned as in official (colour up from 0);
          - a bar recoloured by a string is read as drawn, any other object that cannot be read (hollow, or coloured by
            a pair of name and opacity) is left out instead of costing the script all its colours (colour up);
          - an exception that the script catches does not blind the tracer (type, colour of all that follows);
          - `plt.savefig` in a comment does no harm, nor does a formatter that needs the ticks which are taken away (text);
          - a script whose figure cannot be drawn did not run, where the others find the file that was begun (exec down).

In all three: empty against empty is 0 (T9), of same-coloured objects the last wins (T7), and code after the first save or
show is lost. These are the benchmark's own rules. Thinning visits colours in an order that the original draws anew in
every process; here it is the order of their hashes under the seed `THINNING_SEED`, so that equal sides thin alike.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from rrvf.benchmarks.colors import similarity
from rrvf.records import Record

ChartProtocol = Literal["official", "fixed", "july2025"]
METRICS = ("text", "layout", "type", "color")
THINNING_SEED = 0
_MANY = 10
_ALIKE = 0.7


class Score(Record):
    """Precision, recall and their harmonic mean, as fractions."""

    precision: float
    recall: float
    f1: float


class PairScore(Record):
    """One pair of scripts. All zero where one of them did not run; `reason` then says which and why, else it is None."""

    exec_ok: bool
    reason: str | None = None
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
        layout=multiset(layout(gold, name), layout(generated, name)),
        type=counts(gold["type"], generated["type"]),
        color=colors(gold["color"], generated["color"], protocol),
    )


def multiset(gold: Sequence, generated: Sequence) -> Score:
    """Equal items, each used once."""
    matched = sum((Counter(map(_hashable, gold)) & Counter(map(_hashable, generated))).values())
    return score(matched, len(generated), len(gold))


def _hashable(item):
    return tuple(item) if isinstance(item, list) else item


def layout(items: dict, name: str) -> list[list[int]]:
    """The places of a script's axes. In a graph every axes has the same, in a grid or not: only their number counts.

    `name` may lead with folders (`direct_600/graph_1`); the original asks whether the path contains `/graph`.
    """
    return [[1, 1, 0, 1, 0, 1]] * items["axes"] if "/graph" in f"/{name}" else items["layout"]


def counts(gold: dict[str, int], generated: dict[str, int]) -> Score:
    """Calls by label."""
    matched = sum(min(n, generated.get(label, 0)) for label, n in gold.items())
    return score(matched, sum(generated.values()), sum(gold.values()))


def colors(gold: list[list[str]], generated: list[list[str]], protocol: ChartProtocol) -> Score:
    """The largest total similarity over assignments within each group (metrics_spec 1.6.4)."""
    if protocol == "july2025" and max(len(gold), len(generated)) > _MANY:
        return NOTHING
    gold, generated = thinned(gold), thinned(generated)
    sides: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, items in enumerate((gold, generated)):
        for group, token in items:
            sides[group][side].append(token)
    return score(sum(_assigned(a, b) for a, b in sides.values()), len(generated), len(gold))


def thinned(items: list[list[str]]) -> list[list[str]]:
    """Of more than ten items those that resemble no item kept before, whatever their groups (metrics_spec 1.6.2)."""
    if len(items) <= _MANY:
        return items
    kept: list[list[str]] = []
    for item in sorted(items, key=_rank):
        if all(similarity(item[1], other[1]) <= _ALIKE for other in kept):
            kept.append(item)
    return kept


def _rank(item: list[str]) -> bytes:
    return hashlib.sha256(" ".join([str(THINNING_SEED), *item]).encode(errors="replace")).digest()


def _assigned(one: list[str], two: list[str]) -> float:
    if not one or not two:
        return 0.0
    table = np.array([[similarity(a, b) for b in two] for a in one])
    return float(table[linear_sum_assignment(table, maximize=True)].sum())
