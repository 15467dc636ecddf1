"""WebSight: screenshots of synthetic pages, training and test of the paper's Table 3.

The hub has one split, `train`, and no test set of that name (decisions D6). Ours: one permutation of the row numbers
below `pool`, drawn by `seed`; training takes rows from its front, the test from its back, so they never meet. Pictures
are the screenshots that ship (full page, twice the size in v0.2). Only the pictures enter training.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from rrvf.data import hub
from rrvf.data.config import WebSight
from rrvf.data.manifest import Item
from rrvf.errors import UserError

ROWS = {"v0.1": 822_987, "v0.2": 1_922_671}


def row_numbers(split: WebSight) -> list[int]:
    """The rows of a part, in the order of the table."""
    pool = split.pool or ROWS[split.version]
    order = random.Random(split.seed).sample(range(pool), pool)
    return sorted(order[: split.count] if split.part == "train" else order[-split.count :])


def items(split: WebSight) -> Iterator[Item]:
    """The rows drawn, read as the table streams by; it is left after the last. UserError where the table ends early."""
    numbers = row_numbers(split)
    wanted, last = set(numbers), numbers[-1]
    commit = hub.revision(split.source, split.revision)
    source = f"{hub.named(split.source, commit)} {split.version} train"
    for i, row in enumerate(hub.rows(split.source, split.version, "train", images=("image",), commit=commit)):
        if i in wanted:
            png, code = hub.picture(row, "image", i, split.source), hub.text(row, "text", i, split.source)
            yield Item(f"row-{i:07}", png, code, f"{source}, row {i}", "CC-BY-4.0")
        if i == last:
            return
    raise UserError(f"{split.source} {split.version} has fewer than {last + 1} rows: set `pool` to how many it has")
