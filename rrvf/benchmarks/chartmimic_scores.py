"""F1 of a script's items against another's: text, layout, type and colour (metrics_spec 1.3 to 1.6).

Protocols, by the id that every result carries. Parity first, repairs on top:

official  ChartMimic's evaluator of 2025-06-17, its faults kept where they are deterministic. Each choice with its size
          on 475 published answers of gpt-4o, of which 448 run, beside the results published with them: text and layout
          are equal on all 448.
          - Where the original's own tracer stops a generated script, calls and colours until then count, since the
            original runs it inside a try block; a true script has none, and gives none (4 pairs, color +0.5).
          - A script without a traced call gets the Type score of the pair before it in its worker, and `type_of` names
            that pair. 20 workers, as in its settings, over pairs in order of names: its own order is the file system's.
            `type_own` is the mean without this (11 pairs, type 81.6 -> 84.0; published: 83.3). Failed scripts pass
            nothing on. `rrvf eval` scores each sample by itself.
          - More than ten colours are thinned in an order that the original draws anew in every process: here the mean
            over 100 seeded pairs of orders (13 pairs, color 75.6; published: 75.7; equal sides no longer score 1).
          Left out are crashes of the scorer, which score 0 here, path rules that a folder's name triggers (T5, T6), and
          the indent that the try block gives to later lines of triple-quoted texts.
july2025  VLMEvalKit as it stood on 2025-07-20, most likely what the paper used. As official, but
          - more than ten colours on either side score 0, for its thinning helper was missing;
          - a bar recoloured by a string is skipped, where it costs the official script all its colours;
          - so is a graph without edges;
          - classes derived from the polar axes and the ellipse count as these (radar charts, arcs).
          Its cleaning of doubled escapes in answers, which breaks some TeX, is not rebuilt.
fixed     as july2025, and repaired, each with what it moves:
          - wrapped functions keep their names: seaborn calls without a hue are counted and read (type, colour up);
          - more than ten colours are thinned, both sides in one order, so that equal sides score 1 (colour up from 0);
          - a bar recoloured by a string is read as drawn, any other object that cannot be read (hollow, or coloured by
            a pair of name and opacity) is left out instead of costing the script all its colours (colour up);
          - an exception that the script catches does not blind the tracer (type, colour of all that follows);
          - what cannot be seen does not count: texts, axes, objects off the picture, transparent, in the colour behind
            them, covered, clipped, invisible, too small (`rrvf.render.sandbox.trace_seen` says how that is decided);
            `drawn` keeps the F1 with them (of 200 true scripts 11 lose an item, most of them zero-size or covered);
          - `plt.savefig` in a comment does no harm, nor does a formatter that needs the ticks which are taken away
            (text);
          - a script whose figure cannot be drawn did not run, where the others find the file that was begun (exec
            down).

In all three: empty against empty is 0 (T9), of same-coloured objects the last wins (T7), and code after the first save
or show is lost. These are the benchmark's own rules.
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
    """One pair of scripts. All zero where one of them did not run; `reason` then says which and why, else it is None.

    drawn: in `fixed`, the F1 of all that was drawn, seen or not.
    calls: in `official`, False where the generated script made no traced call; `type_of` then names the pair whose Type
    score the original prints for it, where there is one.
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
    """From the amount matched and the sizes of both sides; either side empty gives zeros (metrics_spec T9).

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
    """Score a script's items against the true script's; `generated` None: it did not run.

    `name` is the sample's: graph_* have a layout rule of their own (metrics_spec 1.4).
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
    """`official`: a pair whose generated script made no traced call gets the Type score before it, as in the original.

    The original's workers keep one Type evaluator each, which returns early for such a script and so prints its last
    result again. Its 20 workers take every twentieth pair of a list in the order of the file system; here in that of
    names.
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
    """Equal items, each used once.

    >>> multiset(["a", "a", "b"], ["a", "b", "c"]).f1  # two of three on either side
    0.6666666666666666
    """
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
    """Calls by label.

    >>> counts({"bar": 2, "plot": 1}, {"bar": 1}).recall
    0.3333333333333333
    """
    matched = sum(min(n, generated.get(label, 0)) for label, n in gold.items())
    return score(matched, sum(generated.values()), sum(gold.values()))


def colors(gold: Items, generated: Items, protocol: ChartProtocol) -> Score:
    """The largest total similarity over assignments within each group (metrics_spec 1.6.4), the mean over thinnings."""
    if protocol == "july2025" and max(len(gold), len(generated)) > MANY:
        return NOTHING
    found = [
        score(_matched(one, two), len(two), len(one)) for one, two in thinned(gold, generated, protocol == "official")
    ]
    return Score(**{part: sum(getattr(s, part) for s in found) / len(found) for part in Score.model_fields})


def _matched(gold: Items, generated: Items) -> float:
    """Names of maps match where they are equal, colours as they resemble each other; a name and a colour never."""
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
