"""Splits and their manifests: every picture by name, hash, source and licence.

A split is a folder `<root>/<name>/` with `manifest.jsonl` (one `Sample` a line), the pictures and, where it is known, the
true code. It is built beside and renamed, so a folder that has its name is whole.
"""

from rrvf.data.manifest import load_split, near_duplicates, split_digest, verify_split, write_split
from rrvf.data.prepare import DataConfig, prepare

__all__ = ["DataConfig", "load_split", "near_duplicates", "prepare", "split_digest", "verify_split", "write_split"]
