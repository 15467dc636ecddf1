"""The embedded judge on PNG bytes: the interface of `JudgeClient`, in this process and without HTTP."""

from __future__ import annotations

import io
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image

from rrvf.domains import domain as find_domain
from rrvf.errors import UserError, first_line
from rrvf.judge.embedded import Reference
from rrvf.pictures import UNREADABLE, misfit
from rrvf.records import Judgement

#: Bound on the pixels of a picture with 16 bits a channel, which takes twice the memory.
MAX_DEEP_PIXELS = 8_000_000
#: Rows that are converted at once. A whole picture in floating point would take five times its memory.
_ROWS = 256


def decode(data: bytes) -> np.ndarray:
    """PNG or JPEG bytes as (H, W, 3) uint8 RGB, with transparency on white and a JPEG's EXIF rotation applied.

    UserError for other bytes, and for a picture outside the bounds of `rrvf.pictures`. The size is read from the header
    before any pixel is decoded.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as header:
            width, height = header.size
            # OpenCV turns a picture only if it may drop an alpha channel, which a JPEG does not have.
            how = cv2.IMREAD_UNCHANGED if header.format == "PNG" else cv2.IMREAD_COLOR
    except UNREADABLE as error:
        raise UserError("not a PNG or JPEG picture") from error
    if problem := misfit(width, height):
        raise UserError(problem)
    if data[:4] == b"\x89PNG" and data[24:25] == b"\x10" and width * height > MAX_DEEP_PIXELS:
        raise UserError(f"a picture of 16 bits a channel and {width} x {height}: at most {MAX_DEEP_PIXELS:,} pixels")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    if pixels is None:
        raise UserError("the picture's data is damaged")
    return _rgb(pixels)


def encode(picture: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as PNG bytes."""
    return bytes(cv2.imencode(".png", picture[..., ::-1])[1])


def _rgb(pixels: np.ndarray) -> np.ndarray:
    rgb = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), _ROWS):
        rgb[top : top + _ROWS] = _rows(pixels[top : top + _ROWS])
    return rgb


def _rows(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    opaque = pixels[..., 3:].astype(np.float32) / 255
    mixed = pixels[..., 2::-1] * opaque + 255 * (1 - opaque)
    return mixed.round().astype(np.uint8)


@lru_cache(maxsize=16)  # the episodes of a group share one reference; one of 640 x 480 takes about 10 MB
def _reference(png: bytes, domain: str) -> Reference:
    return Reference(decode(png), domain)


class EmbeddedJudge:
    """The embedded judge. `compare` and `score` both return score, parts and feedback. Thread-safe."""

    def compare(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """Feedback (Fig. 2c) on two PNG pictures. A picture that cannot be read is a judge_error."""
        return self.score(reference_png, generated_png, domain)

    def score(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """The score (Fig. 2d) of two PNG pictures. A picture that cannot be read is a judge_error."""
        find_domain(domain)
        try:
            reference, generated = _reference(reference_png, domain), decode(generated_png)
        except UserError as error:
            return Judgement(status="judge_error", reason=f"bad_picture: {error}")
        try:
            return reference.judge(generated)
        except Exception as error:  # no picture that it cannot take apart may end a run of hours
            return Judgement(status="judge_error", reason=f"crashed: {type(error).__name__}: {first_line(error)}")
