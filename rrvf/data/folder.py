"""A folder of pictures as a data set.

It reads PNG, JPEG and WebP files, also in sub-folders, in an order drawn by the seed.

`NAME.py` or `NAME.html`, by the domain's suffix, beside `NAME.png` is its true code. A picture's id is its path in the
folder. Names that begin with a dot are ignored.

Files without a still picture within the bounds of `rrvf.pictures` are skipped: damaged files, animations, pictures that
are too large or too thin. Three things are converted: transparency is blended onto white, an EXIF rotation is applied,
16-bit gray becomes 8-bit. With `canvas` each picture is scaled to it, with its proportions kept and white around it.
Each skipped file gets a line on standard error, and a last line counts them.
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

from PIL import Image, ImageOps
from tqdm import tqdm

from rrvf.data.config import Folder
from rrvf.data.manifest import Item
from rrvf.domains import Canvas, domain
from rrvf.errors import UserError
from rrvf.pictures import MAX_PIXELS, as_seen, misfit, png_of
from rrvf.records import storable
from rrvf.render.files import read_program

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_FORMATS = ("PNG", "JPEG", "WEBP")
#: Lines printed about skipped files at most; all are counted.
_LINES = 20


class Skipped(Exception):
    """Why a file is left out."""


def items(split: Folder) -> Iterator[Item]:
    """The pictures of the split's part, at most `count` of them.

    Prints to standard error what was skipped and converted.
    """
    root, told = folder_of(split), Counter()
    for link in sorted(path for path in root.rglob("[!.]*") if path.is_symlink() and path.is_dir()):
        _say(
            f"skipped {storable(link.relative_to(root).as_posix())}: a link to a folder: copy it, or name it by itself"
        )
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
    """The folder of the split, resolved. Raises UserError if it does not exist."""
    root = split.folder
    if not root.is_dir():
        raise UserError(f"no folder at {split.path}: name one that holds PNG, JPEG or WebP files")
    return root


def fingerprint(split: Folder) -> str:
    """A hash over names and contents of the folder's pictures and their code. It identifies the data set."""
    root, found = folder_of(split), hashlib.sha256()
    for path in pictures(split):
        for file in (path, path.with_suffix(domain(split.domain).suffix)):
            if file.is_file():
                found.update(f"{os.fsencode(file.relative_to(root)).hex()} {_digest(file)}\n".encode())
    return found.hexdigest()


def pictures(split: Folder) -> list[Path]:
    """Every picture file of the folder in name order. Raises UserError if there is none.

    Links to folders are not followed: they may lead to pictures of another set, or in a circle.
    """
    root, found = folder_of(split), []
    for above, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(above, n) for n in names if not n.startswith(".") and os.path.splitext(n)[1].lower() in SUFFIXES]
    if not (files := sorted(path for path in found if path.is_file())):  # a link may be broken
        raise UserError(f"no PNG, JPEG or WebP files in {split.path}, nor in its sub-folders")
    return files


def _part(split: Folder) -> list[Path]:
    """The files of a part, in a seeded order.

    Copies of one file go to the same part, so that no test picture is trained on.
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
        raise UserError(f"{split.path} holds one picture, too few for two parts: leave `part` out")
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
    """A picture file as PNG bytes in RGB, and a list of the changes made.

    A PNG that needs no change is kept byte for byte. Raises Skipped.
    """
    try:
        data = path.read_bytes()
        with warnings.catch_warnings():  # the size is checked below, before decoding
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
        # A phone's JPEG may hold several pictures (MPO); viewers show the first.
        if image.format != "MPO" and getattr(image, "is_animated", False):
            raise Skipped("an animation: save one of its frames as a still picture")
        if problem := misfit(*image.size):
            raise Skipped(problem)
        image.load()
        rgb, changes = as_seen(image)
    except Skipped:
        raise
    except Image.DecompressionBombError:
        raise Skipped(f"far too large: at most {MAX_PIXELS:,} pixels in all are allowed") from None
    except Exception as error:  # decoders raise many types for a damaged file, such as struct.error
        raise Skipped(f"no picture that can be read ({type(error).__name__})") from None
    if canvas:
        rgb = on_canvas(rgb, canvas)
    return png_of(rgb, image, data), changes


def on_canvas(picture: Image.Image, canvas: Canvas) -> Image.Image:
    """`picture` scaled to fit the canvas, centred, with white around it.

    On a full-page canvas it is scaled to the width and placed at the top. Raises Skipped if the page is then too long.
    """
    size = canvas.width, canvas.height
    if canvas.full_page:
        height = round(picture.height * canvas.width / picture.width)
        if problem := misfit(canvas.width, height):
            raise Skipped(f"scaled to the canvas, {problem}")
        return ImageOps.pad(picture, (canvas.width, max(canvas.height, height)), color="white", centering=(0, 0))
    return picture if picture.size == size else ImageOps.pad(picture, size, color="white")
