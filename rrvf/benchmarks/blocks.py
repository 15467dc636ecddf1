"""Design2Code's block scores of two pages (metrics_spec part 3): block match, text, position, colour, each in [0, 1].

A block is `{"text", "box": [x, y, width, height], "color": [r, g, b]}` (`rrvf.render.web_blocks`). The box is in shares
of the picture. Texts are compared in lower case. A sentence may stand in one element or in three, so neighbouring
blocks of either page are first joined where this makes the texts of the two pages match better.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from difflib import SequenceMatcher
from functools import lru_cache

import numpy as np
from scipy.optimize import linear_sum_assignment

from rrvf.benchmarks.colors import similarity

METRICS = ("block_match", "text", "position", "color")
#: Two blocks match when their texts are at least `_ALIKE` similar. A join must raise the mean similarity by more than
#: `_GAIN`.
_ALIKE, _GAIN = 0.5, 0.05
#: Texts whose lengths alone rule out a similarity above this score 0. They are not compared: a long text would take
#: minutes.
_UNLIKE = 0.05
#: Weight of the bonus for a pair whose neighbouring pairs match too (`_in_context`).
_CONTEXT = 0.1
#: Blocks of one page that are compared. The original has no such bound and takes hours on longer pages.
MAX_BLOCKS = 300
#: Characters of one block that are compared. Bounded for the same reason.
MAX_TEXT = 5_000


def block_scores(reference: list[dict], generated: list[dict]) -> dict[str, float]:
    """The four scores (`METRICS`). All are 0 where a page has no block or no two blocks match, as in the original."""
    if not reference or not generated:
        return dict.fromkeys(METRICS, 0.0)
    ours, theirs = joined(same_box_merged(generated), same_box_merged(reference))
    likeness = _likeness([b["text"] for b in ours], [b["text"] for b in theirs])
    rows, columns = linear_sum_assignment(-_in_context(likeness))
    pairs = [(i, j) for i, j in zip(rows, columns, strict=True) if likeness[i, j] >= _ALIKE]
    if not pairs:
        return dict.fromkeys(METRICS, 0.0)
    matched = sum(_area(ours[i]) + _area(theirs[j]) for i, j in pairs)
    return {
        "block_match": matched / sum(map(_area, [*ours, *theirs])),
        "text": _mean([likeness[i, j] for i, j in pairs]),
        "position": _mean([1 - _distance(ours[i], theirs[j]) for i, j in pairs]),
        "color": _mean([similarity(_hex(ours[i]), _hex(theirs[j])) for i, j in pairs]),
    }


def same_box_merged(blocks: list[dict]) -> list[dict]:
    """The first `MAX_BLOCKS` blocks, with texts in lower case and blocks of identical boxes merged into one."""
    merged: dict[tuple, dict] = {}
    for block in blocks[:MAX_BLOCKS]:
        key, text = tuple(block["box"]), block["text"].lower()
        if key in merged:
            color = [(a + b) / 2 for a, b in zip(merged[key]["color"], block["color"], strict=True)]
            merged[key] = block | {"text": f"{merged[key]['text']} {text}", "color": color}
        else:
            merged[key] = block | {"text": text}
    return list(merged.values())


def joined(ours: list[dict], theirs: list[dict]) -> tuple[list[dict], list[dict]]:
    """Both pages after joining neighbouring blocks, one page after the other, until no join helps."""
    while True:
        before = len(ours), len(theirs)
        ours = _join(ours, theirs, _likeness)
        theirs = _join(theirs, ours, lambda first, second: _likeness(second, first).T)
        if (len(ours), len(theirs)) == before:
            return ours, theirs


def _join(blocks: list[dict], others: list[dict], likeness: Callable[[list[str], list[str]], np.ndarray]) -> list[dict]:
    """One round on one page: make the joins that help, the best first. A block takes part in at most one."""
    texts = [b["text"] for b in others]
    table = likeness([b["text"] for b in blocks], texts)
    now = _assigned(table)
    rows = likeness([_merge(a, b)["text"] for a, b in itertools.pairwise(blocks)], texts)
    gains = []
    for i, row in enumerate(rows):
        changed = np.delete(table, i + 1, axis=0)
        changed[i] = row
        gains.append((_gain(now, _assigned(changed)), i))
    taken: set[int] = set()
    for gain, i in sorted(gains, key=lambda g: -g[0]):
        if gain > _GAIN and not taken & {i, i + 1}:
            taken |= {i, i + 1}
            blocks = [*blocks[:i], _merge(blocks[i], blocks[i + 1]), {}, *blocks[i + 2 :]]
    return [block for block in blocks if block]


def _gain(before: list[float], after: list[float]) -> float:
    """The rise of the mean similarity over the pairs that changed; 0 where their best similarity does not rise."""
    old, new = list((Counter(before) - Counter(after)).elements()), list((Counter(after) - Counter(before)).elements())
    gain = _mean(new) - _mean(old)
    return gain if gain <= 0 or max(old, default=0.0) < max(new) else 0.0


def _assigned(likeness: np.ndarray) -> list[float]:
    return likeness[linear_sum_assignment(-likeness)].tolist()


def _likeness(ours: list[str], theirs: list[str]) -> np.ndarray:
    """(len(ours), len(theirs)) of text similarities in [0, 1]."""
    return np.array([[_ratio(one, two) for two in theirs] for one in ours]).reshape(len(ours), len(theirs))


@lru_cache(1 << 18)
def _ratio(one: str, two: str) -> float:
    matcher = SequenceMatcher(None, one[:MAX_TEXT], two[:MAX_TEXT])
    return matcher.ratio() if matcher.real_quick_ratio() > _UNLIKE else 0.0


def _in_context(likeness: np.ndarray) -> np.ndarray:
    """Similarities with a bonus for each pair above `_ALIKE`: a share of the two best of its up to eight neighbours."""
    result = likeness.copy()
    for i, j in zip(*np.nonzero(likeness > _ALIKE), strict=True):
        around = likeness[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].flatten().tolist()
        around.remove(likeness[i, j])
        result[i, j] += _CONTEXT * sum(sorted(around)[-2:])
    return result


def _merge(one: dict, two: dict) -> dict:
    (x1, y1, w1, h1), (x2, y2, w2, h2) = one["box"], two["box"]
    x, y = min(x1, x2), min(y1, y2)
    color = [(a + b) // 2 for a, b in zip(one["color"], two["color"], strict=True)]
    box = [x, y, max(x1 + w1, x2 + w2) - x, max(y1 + h1, y2 + h2) - y]
    return {"text": f"{one['text']} {two['text']}", "box": box, "color": color}


def _distance(one: dict, two: dict) -> float:
    """The larger of the horizontal and the vertical distance between the centres, in shares of the picture."""
    (x1, y1, w1, h1), (x2, y2, w2, h2) = one["box"], two["box"]
    return max(abs(x1 + w1 / 2 - x2 - w2 / 2), abs(y1 + h1 / 2 - y2 - h2 / 2))


def _area(block: dict) -> float:
    return block["box"][2] * block["box"][3]


def _hex(block: dict) -> str:
    return "#{:02X}{:02X}{:02X}".format(*map(int, block["color"]))


def _mean(values: list[float]) -> float:
    return float(sum(values) / len(values)) if values else 0.0
