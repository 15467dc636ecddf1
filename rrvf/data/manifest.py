"""One split on disk: written completely or not at all, read, checked."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import ValidationError

from rrvf.domains import DomainName, domain
from rrvf.errors import UserError
from rrvf.records import Sample

MANIFEST = "manifest.jsonl"
SUMS = "SHA256SUMS"
RECIPE = "recipe.json"
#: Maximum bytes of a file's name without its suffix; most file systems allow 255 in all.
_LONGEST = 200


@dataclass(frozen=True)
class Item:
    """A picture to be written into a split. `code` None: the data set has no label for it."""

    id: str
    png: bytes
    code: str | None
    source: str
    licence: str


def write_split(
    name: str, domain_name: DomainName, items: Iterable[Item], root: Path, recipe: str = "", folder: str | None = None
) -> list[Sample]:
    """Write `items` as `<root>/<folder>`, by default `<root>/<name>`. Returns its samples.

    `recipe` describes how the split was made and is stored with it. An interrupted write, or an exception from `items`,
    leaves no incomplete folder of that name; an older one stays. UserError if there are no items, or two share a name.
    """
    final = root / (folder or name)
    partial = final.with_name(f".{final.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    samples = [_write(item, name, domain_name, partial) for item in items]
    if len({s.id for s in samples}) < max(1, len(samples)):
        raise UserError(f"split {name}: {'two samples share an id' if samples else 'nothing was found for it'}")
    (partial / MANIFEST).write_text("".join(s.model_dump_json() + "\n" for s in samples), encoding="utf-8")
    (partial / RECIPE).write_text(recipe, encoding="utf-8")
    (partial / SUMS).write_text(
        "".join(f"{_sha256(p)}  {p.name}\n" for p in sorted(partial.iterdir())), encoding="utf-8"
    )
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    return samples


def _write(item: Item, split: str, domain_name: DomainName, folder: Path) -> Sample:
    stem = _stem(item.id, folder)
    (folder / f"{stem}.png").write_bytes(item.png)
    code = None
    if item.code is not None:
        code = stem + domain(domain_name).suffix
        (folder / code).write_text(item.code, encoding="utf-8")
    return Sample(
        id=item.id,
        domain=domain_name,
        split=split,
        image=f"{stem}.png",
        sha256=hashlib.sha256(item.png).hexdigest(),
        phash=perceptual_hash(item.png),
        source=item.source,
        licence=item.licence,
        code=code,
    )


def _stem(name: str, folder: Path) -> str:
    """The file name of a sample, without suffix.

    Its id without characters that are awkward in file names, shortened, and unique in the folder.
    """
    stem = re.sub(r"[^\w.-]+", "__", name)
    if len(stem.encode()) > _LONGEST or (folder / f"{stem}.png").exists():
        return f"{stem[: _LONGEST // 4]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return stem


def perceptual_hash(png: bytes) -> str:
    """The 64-bit DCT hash of a picture, as 16 hex digits."""
    import imagehash  # slow to import; only writers need it

    return str(imagehash.phash(Image.open(io.BytesIO(png)).convert("RGB")))


def load_split(name: str, root: Path) -> list[Sample]:
    """The samples of a split, in the order of writing. Raises UserError if the split is missing, empty or damaged."""
    manifest = root / name / MANIFEST
    if not manifest.is_file():
        raise UserError(f"no split {name} in {root}: run `rrvf data prepare` with the profile that names it")
    try:
        with manifest.open(encoding="utf-8") as lines:
            samples = [Sample.model_validate_json(line) for line in lines]
    except ValidationError as error:
        raise UserError(f"{manifest}: {error.errors()[0]['msg']}: {_mend(root / name)}") from None
    if not samples:
        raise UserError(f"{manifest} is empty: {_mend(root / name)}")
    # Another profile may share the folder under another split name.
    return [s if s.split == name else s.model_copy(update={"split": name}) for s in samples]


def read_image(sample: Sample, root: Path) -> np.ndarray:
    """The picture of a sample: H x W x 3, uint8, RGB. `root` holds the split's folder. OSError if it cannot be read."""
    with Image.open(root / sample.split / sample.image) as picture:
        return np.asarray(picture.convert("RGB"))


def verify_split(name: str, root: Path) -> int:
    """Check manifest, pictures and code against `SHA256SUMS`. Returns the number of samples.

    The UserError names the first bad file.
    """
    folder = root / name
    samples = load_split(name, root)
    sums = _sums(folder)
    for file in [MANIFEST, RECIPE, *(f for s in samples for f in (s.image, s.code) if f)]:
        if not (folder / file).is_file():
            raise UserError(f"{folder / file} is missing: {_mend(folder)}")
        if _sha256(folder / file) != sums.get(file):
            raise UserError(f"{folder / file} is not the file that was written: {_mend(folder)}")
    return len(samples)


def _sums(folder: Path) -> dict[str, str]:
    if not (folder / SUMS).is_file():
        raise UserError(f"{folder / SUMS} is missing: {_mend(folder)}")
    pairs = [line.split("  ", 1) for line in (folder / SUMS).read_text(encoding="utf-8").splitlines()]
    if any(len(pair) != 2 for pair in pairs):
        raise UserError(f"{folder / SUMS} is damaged: {_mend(folder)}")
    return {name: digest for digest, name in pairs}


def split_digest(name: str, root: Path) -> str:
    """Twelve hex digits over every file of a split. Equal digests mean equal pictures and code in equal order."""
    load_split(name, root)
    return _sha256(root / name / SUMS)[:12]


def recipe_of(name: str, root: Path) -> str | None:
    """The recipe of a finished split. None if it has none."""
    path = root / name / RECIPE
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _mend(folder: Path) -> str:
    return f"remove {folder.resolve()} and run `rrvf data prepare` again"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
