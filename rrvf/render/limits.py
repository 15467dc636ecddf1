"""What one render may cost. The same record bounds charts and pages; a field that one domain lacks says so."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from rrvf.domains import Canvas


@dataclass(frozen=True)
class Limits:
    """Bounds on one render, enforced from outside the code that is rendered.

    A render that breaks one ends as a `render_error` with reason `timeout`, `memory` or `limit`.
    """

    wall_s: float = 10.0
    cpu_s: float = 10.0  # chart: processor time of the script; web: unused
    memory_mb: int = 1024  # chart: address space beyond the idle worker; web: browser, helpers and driver, beyond idle
    code_bytes: int = 200_000
    #: All that a program can say, in whatever disguise (names, comments, boxes): its length when compressed. Not under
    #: a trace. The longest of matplotlib's gallery has 9 kB, real pages of 100 kB have 18 kB.
    packed_bytes: int = 30_000
    #: Stops pasted pictures. Chart: all literals together, not under a trace; web: data: URIs.
    literal_bytes: int = 20_000
    file_mb: int = 16  # chart: any one file; the private folder as a whole holds 64 MB in 1000 files
    max_pixels: int = 16_000_000  # chart, under a trace: 0 draws no picture and gives the items alone
    canvas: Canvas | None = None
    javascript: bool = False  # web: run the page's scripts
    drawing_bytes: int = 40_000  # web: inline SVG and long lists of shadows and gradients; real pages have up to 20,000


def packed(code: str) -> int:
    """The length of `code` when compressed: a bound on what it can carry."""
    return len(zlib.compress(code.encode(errors="replace")))
