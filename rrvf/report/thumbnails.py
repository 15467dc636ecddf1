"""Small pictures for HTML pages: WebP files with bounded pixels and bytes."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from rrvf.pictures import UNREADABLE

#: Maximum width of a thumbnail in pixels. Its height is at most eight times that, so that long pages stay readable.
WIDTH = 640
#: Maximum bytes of all pictures of one page. 600 samples with their code then stay under 30 MB.
BUDGET = 16_000_000
#: (share of the width, WebP quality), from the best to the smallest. The first that fits is used.
_LADDER = ((1, 82), (1, 60), (1, 40), (0.75, 40), (0.5, 40), (0.5, 10), (0.25, 10), (0.1, 1))


def thumbnail(png: bytes | Path, at_most: int | None = None) -> bytes | None:
    """A small WebP of a picture; None if it cannot be read.

    at_most: bytes to stay under. If no size fits, the smallest is returned.
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
    """The pictures of one page in `out_dir/pictures`. Equal pictures are stored once; all together fit in BUDGET.

    Files are named by the hash of their content, because sample ids are untrusted.
    """

    def __init__(self, out_dir: Path, sources: Sequence[Path | None]) -> None:
        """sources: all pictures that `address` may be asked for. Missing files are ignored."""
        self._out_dir = out_dir
        self._digests = {p: hashlib.sha256(p.read_bytes()).hexdigest()[:20] for p in sources if p and p.is_file()}
        self._share = BUDGET // max(1, len(set(self._digests.values())))
        self._addresses: dict[str, str | None] = {}

    def address(self, source: Path | None) -> str | None:
        """A picture's address relative to the page; the first call writes it. None if it is missing or unreadable."""
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
        """The addresses of all pictures written so far."""
        return {address for address in self._addresses.values() if address}
