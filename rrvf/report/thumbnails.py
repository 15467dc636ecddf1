"""Small pictures for pages: WebP, bounded in pixels and in bytes."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from rrvf.pictures import UNREADABLE

#: Pixels of a thumbnail's width; its height is at most eight times that, so that a long page can still be read.
WIDTH = 640
#: Bytes that all pictures of one page may take: 600 samples with their code stay under 30 MB.
BUDGET = 16_000_000
#: (part of the width, WebP quality), from the best to the smallest; the first that fits is taken.
_LADDER = ((1, 82), (1, 60), (1, 40), (0.75, 40), (0.5, 40), (0.5, 10), (0.25, 10), (0.1, 1))


def thumbnail(png: bytes | Path, at_most: int | None = None) -> bytes | None:
    """A WebP of `png`, of `at_most` bytes where that is given and some size fits.

    None where the bytes are no picture.
    """
    try:
        with Image.open(io.BytesIO(png) if isinstance(png, bytes) else png) as image:
            small = image.convert("RGB")
    except UNREADABLE:
        return None
    small.thumbnail((WIDTH, 8 * WIDTH))
    encoded = b""
    for part, quality in _LADDER:
        encoded = _encoded(small, part, quality)
        if at_most is None or len(encoded) <= at_most:
            break
    return encoded


def _encoded(image: Image.Image, part: float, quality: int) -> bytes:
    out = io.BytesIO()
    size = tuple(max(1, round(part * side)) for side in image.size)
    (image if part == 1 else image.resize(size)).save(out, "WEBP", quality=quality)
    return out.getvalue()


def data_uri(picture: bytes | None) -> str | None:
    """A picture as a data URI of a small WebP; None stays None."""
    small = thumbnail(picture) if picture else None
    return f"data:image/webp;base64,{base64.b64encode(small).decode()}" if small else None


class Thumbnails:
    """The pictures of one page in `out_dir/pictures`, equal ones once, all within BUDGET.

    Files are named by content: sample ids come from outside and are no file names.
    """

    def __init__(self, out_dir: Path, sources: Sequence[Path | None]) -> None:
        """sources: every picture that may be asked for; what is missing is left out."""
        self._out_dir = out_dir
        self._digests = {p: hashlib.sha256(p.read_bytes()).hexdigest()[:20] for p in sources if p and p.is_file()}
        self._share = BUDGET // max(1, len(set(self._digests.values())))
        self._addresses: dict[str, str | None] = {}

    def address(self, source: Path | None) -> str | None:
        """Where a picture lies, relative to the page; written at the first call. None where there is none to show."""
        digest = self._digests.get(source)
        if digest is None:
            return None
        if digest not in self._addresses:
            self._addresses[digest] = self._write(source, f"pictures/{digest}.webp")
        return self._addresses[digest]

    def _write(self, source: Path, address: str) -> str | None:
        small = thumbnail(source, self._share)
        if small is None:
            return None
        (self._out_dir / address).write_bytes(small)
        return address

    @property
    def written(self) -> set[str]:
        """The addresses of all pictures that the page shows."""
        return {address for address in self._addresses.values() if address}
