"""Splits and their manifests: every picture by name, hash, source and licence.

    prepare({"charts_train": {"kind": "generated_charts", "seed": 1_000_000, "count": 256}}, Path("data"))
    load_split("charts_train", Path("data"))

A split is a folder `<root>/<name>/`: `manifest.jsonl` (one `Sample` a line), the pictures, the true code where it is
known, `SHA256SUMS` over them all (`sha256sum -c` reads it). It is built beside and renamed, so a folder of that name is
whole. Splits that are made alike are kept once: see `rrvf.data.store`.
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
