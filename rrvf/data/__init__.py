"""Splits and their manifests: every picture with its name, hash, source and licence.

    prepare({"charts_train": {"kind": "generated_charts", "seed": 1_000_000, "count": 256}}, Path("data"))
    load_split("charts_train", Path("data"))

A split is a folder `<root>/<name>/` with `manifest.jsonl` (one `Sample` per line), the pictures, the true code where it
is known, and `SHA256SUMS` over all of them (for `sha256sum -c`). It is built under a temporary name and then renamed,
so a folder with the final name is complete. Splits with the same recipe are stored once: see `rrvf.data.store`.
"""

from rrvf.data.build import is_ready, prepare, recipe, verify
from rrvf.data.config import DataConfig
from rrvf.data.duplicates import Duplicate, near_duplicates, overlaps
from rrvf.data.manifest import Item, load_split, read_image, split_digest, verify_split, write_split

__all__ = [
    "DataConfig",
    "Duplicate",
    "Item",
    "is_ready",
    "load_split",
    "near_duplicates",
    "overlaps",
    "prepare",
    "read_image",
    "recipe",
    "split_digest",
    "verify",
    "verify_split",
    "write_split",
]
