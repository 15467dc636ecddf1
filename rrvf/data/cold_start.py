"""The released warm-up pairs, which the paper does not mention (decisions D8): for the optional stage before RRVF only."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from rrvf.data import hub
from rrvf.data.config import ColdStart
from rrvf.data.manifest import Item
from rrvf.errors import UserError


def items(split: ColdStart) -> Iterator[Item]:
    """Picture and target text of each row, by the profile's column names. UserError where a column is missing."""
    return islice(_all(split), split.count)


def _all(split: ColdStart) -> Iterator[Item]:
    commit = hub.revision(split.source, split.revision)
    origin = f"{hub.named(split.source, commit)} {split.hub_split}"
    for i, row in enumerate(hub.rows(split.source, None, split.hub_split, images=(split.image_column,), commit=commit)):
        if split.code_column not in row:
            raise UserError(
                f"{split.source} has no column {split.code_column!r}: it has {', '.join(row)}; name the right one"
            )
        code = row[split.code_column]
        if not isinstance(code, str):
            raise UserError(f"column {split.code_column!r} of {split.source} holds {type(code).__name__}, not text")
        yield Item(f"row-{i:06}", hub.png(row[split.image_column]), code, f"{origin}, row {i}", "CC-BY-NC-4.0")
