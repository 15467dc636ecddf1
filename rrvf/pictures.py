"""What a picture may measure: one set of bounds for the renderers, the judges and the policy's input.

A picture outside them is nobody's to look at: Qwen2.5-VL's processor raises above an aspect of 200, and a strip of a
few pixels shows nothing. A program that draws one has drawn no picture (`render_error`); a reference outside them is
refused before it is used.
"""

from __future__ import annotations

from PIL import Image

#: What Pillow raises for bytes that are no picture, or a damaged or too large one.
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
#: The shorter side, in pixels.
MIN_SIDE = 16
#: The longer side over the shorter one.
MAX_ASPECT = 200
#: Width times height.
MAX_PIXELS = 16_000_000


def misfit(width: float, height: float) -> str | None:
    """Why a picture of `width` x `height` pixels is outside the bounds; None where it is inside.

    >>> misfit(280, 224)
    >>> misfit(2000, 5)
    'the picture is 2000 x 5 pixels: at least 16 a side are needed'
    """
    size = f"the picture is {width:.0f} x {height:.0f} pixels"
    if not min(width, height) >= MIN_SIDE:  # a NaN is no size either
        return f"{size}: at least {MIN_SIDE} a side are needed"
    if not width * height <= MAX_PIXELS:
        return f"{size}: at most {MAX_PIXELS:,} in all are allowed"
    if max(width, height) > MAX_ASPECT * min(width, height):
        return f"{size}: one side may be at most {MAX_ASPECT} times the other"
    return None
