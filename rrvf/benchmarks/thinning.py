"""Thins more than ten colours to a few that represent all of them (metrics_spec 1.6.2).

The result depends on the order in which the colours are visited. In the original Python draws that order anew in every
process, so its score is one random draw. `official` takes the mean over `ORDERS` seeded draws. Each side has its own
draws, because in the original each side runs in its own process. `fixed` visits both sides in one order, so that equal
sides are thinned alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from rrvf.benchmarks.colors import is_hex, lab, table

Items = Sequence[Sequence[str]]  # [group, colour or map name]
MANY = 10
ORDERS = 100
_WORK = 100_000  # colours visited in all: long lists get fewer orders, so that the time stays bounded
_ALIKE = 0.7


def thinned(gold: Items, generated: Items, drawn: bool) -> Iterator[tuple[Items, Items]]:
    """Both sides. One with more than `MANY` items is thinned.

    drawn: yields once per random order, to be averaged over; otherwise only once, in the order of hashes.
    """
    most = max(len(gold), len(generated))
    sides = [_Side(side) if len(side) > MANY else side for side in (gold, generated)]
    if most <= MANY or not drawn:
        yield tuple(side.kept(side.by_hash()) if isinstance(side, _Side) else side for side in sides)
        return
    draw = np.random.default_rng(0)
    for _ in range(max(2, min(ORDERS, _WORK // most))):
        yield tuple(side.kept(draw.permutation(len(side))) if isinstance(side, _Side) else side for side in sides)


class _Side:
    """One script's items, sorted, with their colours in Lab and the repeats of their names."""

    def __init__(self, items: Items) -> None:
        self._items = sorted(map(tuple, items))
        tokens = [token for _, token in self._items]
        self._hex = np.array([is_hex(token) for token in tokens])
        self._lab = np.zeros((len(tokens), 3))
        self._lab[self._hex] = lab([t for t in tokens if is_hex(t)])
        self._same = np.unique(tokens, return_inverse=True)[1]

    def __len__(self) -> int:
        return len(self._items)

    def by_hash(self) -> np.ndarray:
        """An order that depends only on the items."""
        hashes = [hashlib.sha256(" ".join(item).encode(errors="replace")).digest() for item in self._items]
        return np.array(sorted(range(len(self)), key=hashes.__getitem__))

    def kept(self, order: np.ndarray) -> Items:
        """The items that are unlike all items kept before them, in any group.

        Few colours remain. Of the names of colour maps only repeats are dropped.
        """
        names, colors = order[~self._hex[order]], order[self._hex[order]]
        kept = list(names[np.unique(self._same[names], return_index=True)[1]])
        while len(colors):
            kept.append(colors[0])
            colors = colors[table(self._lab[colors[:1]], self._lab[colors])[0] <= _ALIKE]
        return [self._items[i] for i in kept]
