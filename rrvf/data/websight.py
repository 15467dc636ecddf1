"""WebSight: screenshots of synthetic pages, for the training and test sets of the paper's Table 3.

The hub has only the split `train` and no test set (decisions D6). We draw one permutation of the row numbers below
`pool` by `seed`. The training part takes rows from its front, the test part from its back, so they share none. Pictures
are the shipped screenshots (full page; twice the size in v0.2). Only the pictures are used in training.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from rrvf.data import hub
from rrvf.data.config import WEBSIGHT_ROWS, WebSight
from rrvf.data.manifest import Item
from rrvf.errors import UserError


def row_numbers(split: WebSight) -> list[int]:
    """The row numbers of a part, in table order."""
    pool = split.pool or WEBSIGHT_ROWS[split.version]
    order = random.Random(split.seed).sample(range(pool), pool)
    return sorted(order[: split.count] if split.part == "train" else order[-split.count :])


def items(split: WebSight) -> Iterator[Item]:
    """The drawn rows. Streams the table up to the last of them; raises UserError if the table ends before."""
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
