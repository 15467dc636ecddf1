"""The limits of one render. Charts and pages share the record; a comment says where a field differs or is unused."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

from rrvf.domains import Canvas
from rrvf.pictures import MAX_PIXELS, misfit
from rrvf.records import RenderReason


@dataclass(frozen=True)
class Limits:
    """Limits of one render, enforced from outside the rendered code.

    A render that exceeds one ends as a `render_error` with reason `timeout`, `memory` or `limit`.
    """

    wall_s: float = 10.0
    cpu_s: float = 10.0  # chart: processor time of the script; web: unused
    memory_mb: int = 1024  # chart: address space beyond the idle worker; web: browser, helpers and driver, beyond idle
    code_bytes: int = 200_000
    #: Compressed length of the whole program: it bounds the data that code can carry in any disguise (names, comments,
    #: boxes). Charts: not applied under a trace. The longest script of matplotlib's gallery has 9 kB; real pages of
    #: 100 kB have 18 kB.
    packed_bytes: int = 30_000
    #: Stops pasted pictures. Chart: total length of all literals, not applied under a trace; web: length of `data:`
    #: URIs.
    literal_bytes: int = 20_000
    file_mb: int = 16  # chart: size of one file; the private folder holds 64 MB and 1000 files in all
    max_pixels: int = MAX_PIXELS  # chart, under a trace: 0 draws no picture and returns only the items
    canvas: Canvas | None = None
    javascript: bool = False  # web: run the page's scripts
    drawing_bytes: int = 40_000  # web: inline SVG and long lists of shadows and gradients; real pages have up to 20,000


#: The reasons of a render that a limit has ended. The limits guard a reward, so true code is drawn again without them.
BY_LIMIT = ("limit", "timeout", "memory")


def trusted(limits: Limits) -> Limits:
    """`limits` for code that the user trusts: only time, memory and the picture's size are bounded."""
    any_size = 2**40
    return replace(
        limits, wall_s=max(120.0, limits.wall_s), cpu_s=max(60.0, limits.cpu_s), memory_mb=max(2048, limits.memory_mb),
        code_bytes=any_size, packed_bytes=any_size, literal_bytes=any_size, drawing_bytes=any_size,
    )  # fmt: skip


class Failure(Exception):
    """A render without a picture: the reason, and the message for the policy."""

    def __init__(self, reason: RenderReason, message: str, items: dict | None = None) -> None:
        super().__init__(message)
        self.reason, self.message, self.items = reason, message, items


def check_length(code: str, limits: Limits, what: str, packed: bool = True) -> None:
    """Raise Failure for code that is too long or, if `packed`, too long compressed. `what`: "program" or "page"."""
    data = code.encode(errors="replace")
    if len(data) > limits.code_bytes:
        raise Failure("limit", f"the {what} is longer than {limits.code_bytes} bytes")
    # The compressed length is a measure of the data that the code carries.
    if packed and len(zlib.compress(data)) > limits.packed_bytes:
        raise Failure("limit", f"the {what} holds more than {limits.packed_bytes} bytes when compressed")


def check_size(width: int, height: int, limits: Limits, items: dict | None = None) -> None:
    """Raise Failure for a picture outside the bounds of `rrvf.pictures`, or of another size than the canvas."""
    canvas = limits.canvas
    if canvas and not _fills(width, height, canvas):
        raise Failure("forbidden", f"the picture is {width} x {height} pixels, not {canvas.width} x {canvas.height}")
    if problem := misfit(width, height):
        raise Failure("limit", problem, items)
    if width * height > limits.max_pixels:
        raise Failure("limit", f"the picture is {width} x {height} pixels, more than {limits.max_pixels} in all", items)


def _fills(width: int, height: int, canvas: Canvas) -> bool:
    """Whether a picture has the size of its canvas. A full page may be larger than its canvas."""
    if canvas.full_page:
        return width >= canvas.width and height >= canvas.height
    return (width, height) == (canvas.width, canvas.height)
