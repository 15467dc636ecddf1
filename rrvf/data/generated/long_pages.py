"""Pages with three to five cards or fields, three to five rows, or four to seven items.

The words and idioms of `pages`, which has two, two and three.

Rare in what the nano policy was pre-trained on (`rrvf.data.seeded.Mixture`), so that there is something to learn from
their pictures.
"""

from __future__ import annotations

import random
from dataclasses import replace

from rrvf.data.generated import pages

VERSION = 1
#: How many cells each body may have: least, most, step.
CELLS = {"cards": (3, 5, 1), "table": (9, 15, 3), "form": (3, 5, 1), "list": (4, 7, 1)}


def spec(seed: int) -> pages.Spec:
    """What long page number `seed` shows.

    Page number `seed`, with another body where its own repeats nothing, and more in it.
    """
    rng, short = random.Random(f"long page {VERSION} {seed}"), pages.spec(seed)
    body = short.body if short.body in CELLS else rng.choice(tuple(CELLS))
    least, most, step = CELLS[body]
    return replace(short, body=body, cells=pages.cells(rng, rng.randrange(least, most + 1, step)))


def generate(seed: int) -> str:
    """The long page number `seed`."""
    return pages.code(spec(seed))
