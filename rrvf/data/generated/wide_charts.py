"""Charts with seven to ten categories, in the kinds, words and idioms of `charts`, which has at most six.

They are rare in the pre-training data of the nano policy (`rrvf.data.seeded.Mixture`), so that the policy can still
learn from them.
"""

from __future__ import annotations

import random
from dataclasses import replace

from rrvf.data.generated import charts

VERSION = 1
#: Kinds with named categories.
KINDS = tuple(kind for kind in charts.KINDS if kind not in ("scatter", "hist", "box"))
CATEGORIES = (
    "A B C D E F G H I J".split(),
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct".split(),
    "18 19 20 21 22 23 24 25 26 27".split(),
)


def spec(seed: int) -> charts.Spec:
    """What wide chart number `seed` shows.

    It is chart number `seed` with more data, and of another kind if its own has no names.
    """
    rng, short = random.Random(f"wide chart {VERSION} {seed}"), charts.spec(seed)
    kind = short.kind if short.kind in KINDS else rng.choice(KINDS)
    count = rng.randint(7, 10)
    size, top = (short.rows * count, 9) if kind == "heatmap" else (count, rng.choice((10, 50, 50, 100)))
    return replace(
        short,
        kind=kind,
        categories=tuple(rng.choice(CATEGORIES)[:count]),
        numbers=None,
        values=charts.numbers(rng, size, top),
        second_values=charts.numbers(rng, size, top),
        errors=charts.numbers(rng, size, max(2, top // 8)) if short.errors else None,
    )


def generate(seed: int) -> str:
    """The program of wide chart number `seed`."""
    return charts.code(spec(seed))
