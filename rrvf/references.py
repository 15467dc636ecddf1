"""Excludes references that cannot be used.

These are pictures that are damaged or outside the bounds of `rrvf.pictures`, and pages that cannot be drawn. No answer
can be measured against one, and that is not the policy's fault. They are excluded and counted, in evaluation, in `rrvf
score web` and in training.

True chart scripts that do not run are not excluded: by their benchmarks' own rule such a pair scores 0.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from rrvf.errors import UserError
from rrvf.pictures import fitting
from rrvf.records import Sample


def usable(samples: list[Sample], root: Path) -> list[Sample]:
    """The samples with a picture to train on; prints how many are excluded. Raises UserError if none is left."""
    why = {}
    for sample in samples:
        try:
            fitting(root / sample.image)
        except UserError as error:
            why[sample.id] = str(error)
    tell_excluded(why, len(samples))
    return [s for s in samples if s.id not in why]


def tell_excluded(why: Mapping[str, str], total: int) -> None:
    """Print how many of `total` samples are excluded. `why`: reason by sample id. UserError if all are excluded."""
    if not why:
        return
    words = (
        f"{len(why)} of {total} samples excluded, as their reference cannot be used (first: {next(iter(why.values()))})"
    )
    if len(why) == total:
        raise UserError(f"{words}: none is left")
    tqdm.write(words, file=sys.stderr)
