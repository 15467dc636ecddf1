"""The released warm-up pairs, which the paper does not mention (decisions D8).

They serve only the optional stage before RRVF.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from rrvf.data import hub
from rrvf.data.config import ColdStart
from rrvf.data.manifest import Item


def items(split: ColdStart) -> Iterator[Item]:
    """Picture and target text of each row, by the profile's column names. UserError names a missing column."""
    return islice(_all(split), split.count)


def _all(split: ColdStart) -> Iterator[Item]:
    commit = hub.revision(split.source, split.revision)
    origin = f"{hub.named(split.source, commit)} {split.hub_split}"
    for i, row in enumerate(hub.rows(split.source, None, split.hub_split, images=(split.image_column,), commit=commit)):
        code = hub.text(row, split.code_column, i, split.source)
        png = hub.picture(row, split.image_column, i, split.source)
        yield Item(f"row-{i:06}", png, code, f"{origin}, row {i}", "CC-BY-NC-4.0")
