"""Finds pictures and programs that two splits share (threat: training on test data)."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rrvf.data.config import DataConfig
from rrvf.data.manifest import load_split
from rrvf.records import Sample


class Duplicate(NamedTuple):
    """Two samples that may be the same. `distance`: differing bits of 64. `same_code`: None if a code is unknown."""

    first: str
    second: str
    distance: int
    same_code: bool | None


def near_duplicates(
    a: list[Sample], b: list[Sample], max_distance: int = 4, root: Path | None = None
) -> list[Duplicate]:
    """Pairs of `a` x `b` whose perceptual hashes differ in at most `max_distance` bits, or whose code is equal.

    Code is compared only if `root`, the folder of the splits, is given. A close hash is a hint, not proof: two charts
    of one kind can look alike at the hash's 8 x 8 frequencies.
    """
    distances = np.bitwise_count(_hashes(a)[:, None] ^ _hashes(b)[None, :])
    codes = [_codes(samples, root) for samples in (a, b)]
    close = set(map(tuple, np.argwhere(distances <= max_distance).tolist())) | _same(*codes)
    found = []
    for i, j in sorted(close):
        mine, other = codes[0][i], codes[1][j]
        same = None if mine is None or other is None else mine == other
        found.append(Duplicate(a[i].id, b[j].id, int(distances[i, j]), same))
    return found


def overlaps(config: DataConfig, root: Path) -> dict[tuple[str, str], list[Duplicate]]:
    """`near_duplicates` of every two splits of the same domain, by their names."""
    pairs = [(a, b) for a, b in combinations(config.root, 2) if config.root[a].domain == config.root[b].domain]
    return {(a, b): near_duplicates(load_split(a, root), load_split(b, root), root=root) for a, b in pairs}


def _hashes(samples: list[Sample]) -> np.ndarray:
    return np.array([int(s.phash, 16) for s in samples], np.uint64)


def _codes(samples: list[Sample], root: Path | None) -> list[str | None]:
    """The code of each sample without surrounding white space; None if it is unknown."""
    return [(root / s.split / s.code).read_text(encoding="utf-8").strip() if root and s.code else None for s in samples]


def _same(a: list[str | None], b: list[str | None]) -> set[tuple[int, int]]:
    places: dict[str, list[int]] = {}
    for j, code in enumerate(b):
        if code is not None:
            places.setdefault(code, []).append(j)
    return {(i, j) for i, code in enumerate(a) if code is not None for j in places.get(code, [])}
