"""Reads pictures, and states the bounds of their size for the renderers, the judges and the policy's input.

A picture outside them cannot be used: Qwen2.5-VL's processor raises above an aspect ratio of 200, and a strip of a few
pixels shows nothing. A program that draws such a picture ends as a `render_error`; a reference outside the bounds is
refused before it is used.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from rrvf.errors import UserError

#: What Pillow raises for bytes that are not a picture, or one that is damaged or too large.
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
#: The least length of the shorter side, in pixels.
MIN_SIDE = 16
#: The largest ratio of the longer side to the shorter one.
MAX_ASPECT = 200
#: The largest product of width and height, in pixels.
MAX_PIXELS = 16_000_000
#: The EXIF tag of a picture's rotation.
ORIENTATION = 0x0112


def misfit(width: float, height: float) -> str | None:
    """Why a picture of `width` x `height` pixels is outside the bounds; None where it is inside.

    >>> misfit(280, 224)
    >>> misfit(2000, 5)
    'the picture is 2000 x 5 pixels: at least 16 a side are needed'
    """
    size = f"the picture is {width:.0f} x {height:.0f} pixels"
    if not min(width, height) >= MIN_SIDE:  # also refuses NaN
        return f"{size}: at least {MIN_SIDE} a side are needed"
    if not width * height <= MAX_PIXELS:
        return f"{size}: at most {MAX_PIXELS:,} in all are allowed"
    if max(width, height) > MAX_ASPECT * min(width, height):
        return f"{size}: one side may be at most {MAX_ASPECT} times the other"
    return None


def fitting(path: Path) -> Path:
    """`path` itself. Raises UserError if it is no picture, or one outside the bounds."""
    try:
        with Image.open(path) as image:
            problem = misfit(*image.size)
            image.verify()  # a PNG's checksums
    except UNREADABLE as error:
        problem = f"no picture that can be read ({type(error).__name__})"
    if problem:
        raise UserError(f"{path}: {problem}")
    return path


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture from its file header; (1, 1) if it is no picture."""
    try:
        with Image.open(path) as image:
            return image.size
    except UNREADABLE:
        return 1, 1


def _is_turned(image: Image.Image) -> bool:
    """Whether its EXIF block asks viewers to turn or mirror the picture; an unreadable block asks for nothing."""
    try:
        return image.getexif().get(ORIENTATION, 1) != 1
    except Exception:  # Pillow raises many types for a damaged block
        return False


def as_seen(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture as a viewer shows it, in RGB, and a list of the changes made.

    An EXIF rotation is applied, 16-bit gray becomes 8-bit, transparency is blended onto white. If nothing has to change
    it is the same object.
    """
    changes = []
    if _is_turned(image):
        image, changes = ImageOps.exif_transpose(image), ["rotated as EXIF says"]
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).clip(0, 2**16 - 1) >> 8).astype(np.uint8))
        changes.append("reduced from 16 to 8 bits")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        image = Image.new("RGBA", above.size, "white")
        image.alpha_composite(above)
        changes.append("blended onto white")
    return image if image.mode == "RGB" else image.convert("RGB"), changes


def png_of(seen: Image.Image, image: Image.Image, data: bytes | None) -> bytes:
    """`seen`, which was made of `image`, as PNG bytes in RGB, 8 bits a channel, without metadata.

    data: the file of `image`, if there is one. It is kept byte for byte where nothing was changed and every reader sees
    it alike: Pillow calls a PNG of 16 bits RGB too, and other libraries stop at a damaged EXIF block.
    """
    if data and seen is image and image.format == "PNG" and data[24:25] == b"\x08" and "exif" not in image.info:
        return data
    out = io.BytesIO()
    Image.fromarray(np.asarray(seen)).save(out, "PNG")
    return out.getvalue()


def read_picture(path: Path) -> Image.Image:
    """A picture file as it is seen. Raises UserError as `fitting` does, and for damaged data."""
    try:
        with Image.open(fitting(path)) as image:
            image.load()
            return as_seen(image)[0]
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path}: the picture is damaged ({error})") from None
