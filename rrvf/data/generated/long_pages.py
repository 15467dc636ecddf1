"""Pages with three to five cards or fields, three to five table rows, or four to seven list items.

They use the words and idioms of `pages`, which has two cards or fields, two rows and three items. They are rare in the
pre-training data of the nano policy (`rrvf.data.seeded.Mixture`), so that the policy can still learn from them.
"""

from __future__ import annotations

import random
from dataclasses import replace

from rrvf.data.generated import pages

VERSION = 1
#: Number of cells of each body: least, most, step.
CELLS = {"cards": (3, 5, 1), "table": (9, 15, 3), "form": (3, 5, 1), "list": (4, 7, 1)}


def spec(seed: int) -> pages.Spec:
    """What long page number `seed` shows.

    It is page number `seed` with more cells, and with another body if its own has no repeated part.
    """
    rng, short = random.Random(f"long page {VERSION} {seed}"), pages.spec(seed)
    body = short.body if short.body in CELLS else rng.choice(tuple(CELLS))
    least, most, step = CELLS[body]
    return replace(short, body=body, cells=pages.cells(rng, rng.randrange(least, most + 1, step)))


def generate(seed: int) -> str:
    """The HTML of long page number `seed`."""
    return pages.code(spec(seed))
