"""F1 of a generated script's items against the true script's: text, layout, type, colour (metrics_spec 1.3 to 1.6).

There are three protocols. Every result carries the id of its protocol.

official  ChartMimic's evaluator of 2025-06-17, with its faults where they are deterministic. The effect of each choice
          was measured on 475 published answers of gpt-4o, of which 448 run, and compared with the scores published for
          them. Text and layout are equal on all 448.
          - The original's own tracer stops some generated scripts. Their calls and colours until then count, since the
            original runs them inside a try block. It runs a true script without one, so of a true script that is
            stopped nothing counts (4 pairs, color +0.5).
          - A script without a traced call gets the Type score of the previous pair of its worker. `type_of` names that
            pair. There are 20 workers, as in the original's settings. The pairs are taken in order of names; the
            original takes them in the order of the file system. A failed script passes no score on. `type_own` is the
            mean without this rule (11 pairs, type 81.6 -> 84.0; published: 83.3). `rrvf eval` scores each sample
            without it.
          - More than ten colours are thinned. The original draws the order of thinning anew in every process. Here the
            score is the mean over 100 seeded pairs of orders (13 pairs, color 75.6; published: 75.7), so equal sides
            no longer score 1.
          Not rebuilt: crashes of the scorer (those pairs score 0 here), the path rules that a folder's name triggers
          (T5, T6), and the indent that the try block adds to later lines of triple-quoted texts.
july2025  VLMEvalKit of 2025-07-20, most likely what the paper used. As official, except:
          - more than ten colours on either side score 0, because its thinning helper was missing;
          - a bar recoloured by a string is skipped; in official it costs the script all its colours;
          - a graph without edges is skipped too;
          - classes derived from the polar axes and the ellipse count as these (radar charts, arcs).
          Its cleaning of doubled escapes in answers, which breaks some TeX, is not rebuilt.
fixed     As july2025, with repairs. The scores that a repair changes stand in brackets.
          - wrapped functions keep their names, so seaborn calls without a hue are counted and read (type, colour up);
          - more than ten colours are thinned in one order for both sides, so equal sides score 1 (colour up from 0);
          - a bar recoloured by a string is read as it was drawn; any other object that cannot be read (hollow, or
            coloured by a pair of name and opacity) is skipped and no longer costs the script all its colours (colour
            up);
          - an exception that the script catches does not stop the tracer (type, colour of all that follows);
          - what cannot be seen does not count: texts, axes and objects that are outside the picture, transparent, in
            the colour behind them, covered, clipped, invisible or too small (`rrvf.render.sandbox.trace_seen`
            decides); `drawn` is the F1 with them (of 200 true scripts 11 lose an item, mostly a zero-size or covered
            one);
          - `plt.savefig` in a comment does no harm, nor does a formatter that needs the ticks which the tracer removes
            (text);
          - a script whose figure cannot be drawn counts as not run; the other protocols accept the unfinished file
            (exec down).

All three follow these rules of the benchmark: empty against empty scores 0 (T9), of objects with the same colour the
last wins (T7), and code after the first save or show is lost.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

from scipy.optimize import linear_sum_assignment

from rrvf.benchmarks.colors import is_hex, lab, table
from rrvf.benchmarks.thinning import MANY, Items, thinned
from rrvf.records import Record

ChartProtocol = Literal["official", "fixed", "july2025"]
METRICS = ("text", "layout", "type", "color")
_WORKERS = 20  # of the original's published settings


class Score(Record):
    """Precision, recall and their harmonic mean, as fractions."""

    precision: float
    recall: float
    f1: float


class PairScore(Record):
    """The scores of one pair of scripts. All are zero where one of them did not run.

    reason: which script did not run and why; None where both ran.
    drawn: in `fixed`, the F1 over everything drawn, visible or not.
    calls: in `official`, False where the generated script made no traced call.
    type_of: in `official`, the pair whose Type score such a script gets (`carried`); None where it gets none.
    """

    exec_ok: bool
    reason: str | None = None
    text: Score
    layout: Score
    type: Score
    color: Score
    drawn: dict[str, float] | None = None
    calls: bool | None = None
    type_of: str | None = None


def score(matched: float, generated: int, gold: int) -> Score:
    """The score from the amount matched and the sizes of both sides. An empty side gives zeros (metrics_spec T9).

    >>> score(matched=3, generated=4, gold=6)
    Score(precision=0.75, recall=0.5, f1=0.6)
    """
    if not generated or not gold:
        return Score(precision=0.0, recall=0.0, f1=0.0)
    precision, recall = matched / generated, matched / gold
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Score(precision=precision, recall=recall, f1=f1)


NOTHING = score(0, 0, 0)


def score_items(gold: dict, generated: dict | None, name: str, protocol: ChartProtocol) -> PairScore:
    """Score a script's items against the true script's. `generated` is None where the script did not run.

    name: of the sample; samples named graph_* have a special layout rule (metrics_spec 1.4).
    """
    if generated is None:
        return PairScore(exec_ok=False, **dict.fromkeys(METRICS, NOTHING))
    found = _scores(gold, generated | generated.get("guarded", {}), name, protocol)
    more: dict = {}
    if protocol == "official":
        more["calls"] = bool((generated | generated.get("guarded", {}))["type"])
    if protocol == "fixed":
        drawn = _scores(gold | gold.get("drawn", {}), generated | generated.get("drawn", {}), name, protocol)
        more["drawn"] = {metric: found.f1 for metric, found in drawn.items()}
    return PairScore(exec_ok=True, **found, **more)


def _scores(gold: dict, generated: dict, name: str, protocol: ChartProtocol) -> dict[str, Score]:
    return {
        "text": multiset(gold["text"], generated["text"]),
        "layout": multiset(layout(gold, name), layout(generated, name)),
        "type": counts(gold["type"], generated["type"]),
        "color": colors(gold["color"], generated["color"], protocol),
    }


def carried(pairs: dict[str, PairScore]) -> dict[str, PairScore]:
    """`official`: a pair whose generated script made no traced call gets the Type score of the pair before it.

    Each worker of the original keeps one Type evaluator. It returns early for such a script, and its last result is
    printed again. Each of the 20 workers takes every twentieth pair. The original lists the pairs in the order of the
    file system; here they are sorted by name.
    """
    found: dict[str, PairScore] = {}
    for first in range(_WORKERS):
        last = None
        for name in sorted(pairs)[first::_WORKERS]:
            pair = pairs[name]
            if pair.calls is False and last is not None:
                pair = pair.model_copy(update={"type": pairs[last].type, "type_of": last})
            elif pair.exec_ok:
                last = name
            found[name] = pair
    return {name: found[name] for name in pairs}


def multiset(gold: Sequence, generated: Sequence) -> Score:
    """The score of two collections. Equal items match, and each item is used once.

    >>> multiset(["a", "a", "b"], ["a", "b", "c"]).f1  # two of three on either side
    0.6666666666666666
    """
    matched = sum((Counter(map(_hashable, gold)) & Counter(map(_hashable, generated))).values())
    return score(matched, len(generated), len(gold))


def _hashable(item):
    return tuple(item) if isinstance(item, list) else item


def layout(items: dict, name: str) -> list[list[int]]:
    """The grid positions of a script's axes.

    In a sample named graph_* all axes get one position, with or without a grid, so only their number counts. `name` may
    contain folders (`direct_600/graph_1`).
    """
    return [[1, 1, 0, 1, 0, 1]] * items["axes"] if name.rpartition("/")[2].startswith("graph") else items["layout"]


def counts(gold: dict[str, int], generated: dict[str, int]) -> Score:
    """The score of two counts of calls by label.

    >>> counts({"bar": 2, "plot": 1}, {"bar": 1}).recall
    0.3333333333333333
    """
    matched = sum(min(n, generated.get(label, 0)) for label, n in gold.items())
    return score(matched, sum(generated.values()), sum(gold.values()))


def colors(gold: Items, generated: Items, protocol: ChartProtocol) -> Score:
    """The score of two lists of colours, as a mean over thinnings.

    The amount matched is the largest total similarity over all assignments within each group (metrics_spec 1.6.4).
    """
    if protocol == "july2025" and max(len(gold), len(generated)) > MANY:
        return NOTHING
    found = [
        score(_matched(one, two), len(two), len(one)) for one, two in thinned(gold, generated, protocol == "official")
    ]
    return Score(**{part: sum(getattr(s, part) for s in found) / len(found) for part in Score.model_fields})


def _matched(gold: Items, generated: Items) -> float:
    """The amount matched: equal names of colour maps count 1, colours by similarity, a name and a colour 0."""
    names = [Counter((group, token) for group, token in side if not is_hex(token)) for side in (gold, generated)]
    groups: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, items in enumerate((gold, generated)):
        for group, token in items:
            if is_hex(token):
                groups[group][side].append(token)
    return (names[0] & names[1]).total() + sum(_assigned(a, b) for a, b in groups.values() if a and b)


def _assigned(one: list[str], two: list[str]) -> float:
    alike = table(lab(one), lab(two))
    return float(alike[linear_sum_assignment(alike, maximize=True)].sum())
