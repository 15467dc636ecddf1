"""A folder of pictures as a data set.

PNG, JPEG and WebP files, those of its sub-folders too, in an order drawn by the seed.

`NAME.py` or `NAME.html`, by the domain's suffix, beside `NAME.png` is its true code. A picture is named by its path in
the folder. Names that begin with a dot are not looked at.

What is no still picture within the bounds of `rrvf.pictures` is skipped: damaged files, animations, pictures too large
or too thin. Three things are converted: transparency is laid on white, an EXIF turn is carried out, 16 bits of gray
become 8. With `canvas` each picture is brought onto it, its proportions kept, with white around it. Each file that is
skipped gets a line, and the end says how many were.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from rrvf.data.config import Folder
from rrvf.data.manifest import Item
from rrvf.domains import Canvas, domain
from rrvf.errors import UserError
from rrvf.pictures import MAX_PIXELS, misfit
from rrvf.records import storable
from rrvf.render.files import read_program

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_FORMATS = ("PNG", "JPEG", "WEBP")
#: The position of a JPEG's camera, in EXIF.
_ORIENTATION = 0x0112
#: Lines about skipped files that are shown; all are counted.
_LINES = 20


class Skipped(Exception):
    """Why a file is left out."""


def items(split: Folder) -> Iterator[Item]:
    """The pictures of the split's part, the first `count` of them.

    Says on standard error what was skipped and converted.
    """
    root, told = folder_of(split), Counter()
    for path in _part(split):
        if split.count and told["pictures"] == split.count:
            break
        name = path.relative_to(root).as_posix()
        try:
            if storable(name) != name:
                raise Skipped("its name is no UTF-8: rename it")
            png, changes = as_png(path, split.canvas)
        except Skipped as reason:
            told["skipped"] += 1
            if told["skipped"] <= _LINES:
                _say(f"skipped {storable(name)}: {reason}")
            continue
        told.update({"pictures": 1, **dict.fromkeys(changes, 1)})
        yield Item(name, png, _code(path, split), f"{root}, {name}", split.licence)
    changes = [f"{count} {what}" for what, count in told.items() if what not in ("pictures", "skipped")]
    _say(", ".join([f"{root}: {told['pictures']} pictures", *changes, f"{told['skipped']} files skipped"]))


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)


def folder_of(split: Folder) -> Path:
    """The folder itself. UserError where there is none."""
    root = Path(split.path).expanduser().resolve()
    if not root.is_dir():
        raise UserError(f"no folder at {split.path}: name one that holds PNG, JPEG or WebP files")
    return root


def fingerprint(split: Folder) -> str:
    """A hash over the names and contents of the folder's pictures and their code: another one, another data set."""
    root, found = folder_of(split), hashlib.sha256()
    for path in pictures(split):
        for file in (path, path.with_suffix(domain(split.domain).suffix)):
            if file.is_file():
                found.update(f"{os.fsencode(file.relative_to(root)).hex()} {_digest(file)}\n".encode())
    return found.hexdigest()


def pictures(split: Folder) -> list[Path]:
    """Every picture file of the folder in the order of names. UserError where there is none."""
    root, found = folder_of(split), []
    for above, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(above, n) for n in names if not n.startswith(".") and os.path.splitext(n)[1].lower() in SUFFIXES]
    if not (files := sorted(path for path in found if path.is_file())):  # a link may lead nowhere
        raise UserError(f"no PNG, JPEG or WebP files in {split.path}, nor in its sub-folders")
    return files


def _part(split: Folder) -> list[Path]:
    """The files of a part, in a seeded order.

    Copies of one file stand in the same part: a test must not be trained on.
    """
    groups: dict[str, list[Path]] = {}
    for path in pictures(split):
        groups.setdefault(_digest(path), []).append(path)
    chosen = [groups[digest] for digest in sorted(groups)]
    order = random.Random(split.seed)
    order.shuffle(chosen)
    cut = min(max(1, round(split.share * len(chosen))), len(chosen) - 1)
    chosen = {None: chosen, "test": chosen[:cut], "train": chosen[cut:]}[split.part]
    if not chosen:
        raise UserError(f"{split.path} holds one picture, which makes no two parts: leave `part` out")
    return [path for group in chosen for path in group]


def _digest(path: Path) -> str:
    found = path.stat()
    return _hashed(path, found.st_mtime_ns, found.st_size)


@cache
def _hashed(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _code(path: Path, split: Folder) -> str | None:
    beside = path.with_suffix(domain(split.domain).suffix)
    return storable(read_program(split.domain, beside)) if beside.is_file() else None


def as_png(path: Path, canvas: Canvas | None = None) -> tuple[bytes, list[str]]:
    """A picture file as PNG bytes in RGB, with what was changed in it.

    A PNG that needs no change is kept byte for byte.

    Raises Skipped.
    """
    try:
        data = path.read_bytes()
        with warnings.catch_warnings():  # its size is looked at here, before it is unpacked
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
        # A phone's JPEG may hold several pictures (MPO), of which the first is the one that is shown.
        if image.format != "MPO" and getattr(image, "is_animated", False):
            raise Skipped("an animation, and nobody can say which of its pictures is meant")
        if problem := misfit(*image.size):
            raise Skipped(problem)
        image.load()
        rgb, changes = _plain(image)
    except Skipped:
        raise
    except Image.DecompressionBombError:
        raise Skipped(f"far too large: at most {MAX_PIXELS:,} pixels in all are allowed") from None
    except Exception as error:  # of a damaged file the decoders raise whatever they meet, as struct.error
        raise Skipped(f"no picture that can be read ({type(error).__name__})") from None
    if canvas:
        rgb = on_canvas(rgb, canvas)
    if rgb is image and image.format == "PNG" and image.mode == "RGB":
        return data, changes
    out = io.BytesIO()
    Image.fromarray(np.asarray(rgb)).save(out, "PNG")  # the pixels alone, without what else the file said
    return out.getvalue(), changes


def _plain(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture as it is seen, in RGB, with what had to be changed for it.

    The picture itself where nothing had to be.
    """
    changes = []
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image, changes = ImageOps.exif_transpose(image), ["turned as EXIF says"]
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).clip(0, 2**16 - 1) >> 8).astype(np.uint8))
        changes.append("of 16 bits made 8")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        image = Image.new("RGBA", above.size, "white")
        image.alpha_composite(above)
        changes.append("transparent laid on white")
    return image if image.mode == "RGB" else image.convert("RGB"), changes


def on_canvas(picture: Image.Image, canvas: Canvas) -> Image.Image:
    """`picture` as large as fits on the canvas, in the middle, with white around it.

    A full page at its width, from the top.

    Raises Skipped for a page that is too long at that width.
    """
    size = canvas.width, canvas.height
    if canvas.full_page:
        height = round(picture.height * canvas.width / picture.width)
        if problem := misfit(canvas.width, height):
            raise Skipped(f"brought onto the canvas, {problem}")
        return ImageOps.pad(picture, (canvas.width, max(canvas.height, height)), color="white", centering=(0, 0))
    return picture if picture.size == size else ImageOps.pad(picture, size, color="white")
