"""Writing, reading and checking one split."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import imagehash
from PIL import Image

from rrvf.domains import domain
from rrvf.errors import UserError
from rrvf.records import Sample

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Item:
    """A picture on its way into a split. `code` None: the set has no labels."""

    id: str
    png: bytes
    code: str | None
    source: str
    licence: str


def write_split(name: str, domain_name: str, items: Iterable[Item], root: Path) -> list[Sample]:
    """Write `items` as the split `name`; gives its samples. An interrupted write leaves no folder of that name."""
    final, partial = root / name, root / f"{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    samples = [_write(item, name, domain_name, partial) for item in items]
    (partial / MANIFEST).write_text("".join(s.model_dump_json() + "\n" for s in samples))
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    return samples


def _write(item: Item, split: str, domain_name: str, folder: Path) -> Sample:
    stem = item.id.replace("/", "__")
    (folder / f"{stem}.png").write_bytes(item.png)
    code = None
    if item.code is not None:
        code = stem + domain(domain_name).suffix
        (folder / code).write_text(item.code)
    return Sample(
        id=item.id,
        domain=domain_name,
        split=split,
        image=f"{stem}.png",
        sha256=hashlib.sha256(item.png).hexdigest(),
        phash=str(imagehash.phash(Image.open(io.BytesIO(item.png)))),
        source=item.source,
        licence=item.licence,
        code=code,
    )


def load_split(name: str, root: Path) -> list[Sample]:
    """The samples of a split, in the order in which they were written."""
    manifest = root / name / MANIFEST
    if not manifest.is_file():
        raise UserError(f"no data set {name} in {root}: run `rrvf data prepare` first")
    return [Sample.model_validate_json(line) for line in manifest.read_text().splitlines()]


def verify_split(name: str, root: Path) -> int:
    """Check every picture against its hash; gives how many there are. UserError names the first that differs."""
    samples = load_split(name, root)
    for sample in samples:
        path = root / name / sample.image
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sample.sha256:
            raise UserError(f"{path} is missing or not what its manifest says: remove {root / name} and prepare it again")
    return len(samples)


def split_digest(name: str, root: Path) -> str:
    """The hash of a split's manifest: two splits with the same digest hold the same pictures in the same order."""
    return hashlib.sha256((root / name / MANIFEST).read_bytes()).hexdigest()[:16]


def near_duplicates(first: list[Sample], second: list[Sample], distance: int = 4) -> list[tuple[str, str, int]]:
    """Pairs (id, id, distance) whose 64-bit perceptual hashes differ in at most `distance` bits.

    A hint to look, not a verdict: charts of the same kind look alike at 8x8.
    """
    hashes = [(s.id, int(s.phash, 16)) for s in second]
    found = []
    for sample in first:
        own = int(sample.phash, 16)
        found += [(sample.id, other, bits) for other, h in hashes if (bits := (own ^ h).bit_count()) <= distance]
    return found
