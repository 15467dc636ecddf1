"""A figure as a picture: RGB rows on a white background.

The canvas rule. If the harness owns the canvas, it sets size, resolution and background, whatever the program asks for.
If the program owns it, a saved picture keeps the properties of its save (see `saving`); a figure that is only shown or
left open has the size that the program chose, at 100 dots per inch.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
import numpy as np
from faults import Fault
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pasted import coverage

DPI = 100
_draw, _buffer = FigureCanvasAgg.draw, FigureCanvasAgg.buffer_rgba  # a program may patch those of the class


@dataclass(frozen=True)
class Picture:
    """`pixels`: height rows of width RGB pixels."""

    pixels: bytes
    width: int
    height: int
    coverage: float

    @property
    def rows(self) -> np.ndarray:
        """The pixels as an array (height, width, 3) of uint8."""
        return np.ndarray((self.height, self.width, 3), np.uint8, self.pixels)

    @property
    def header(self) -> dict:
        """The fields of the reply's header that describe the picture."""
        return {"outcome": "ok", "width": self.width, "height": self.height, "coverage": self.coverage}


def draw(figure: Figure, canvas: dict | None, max_pixels: int) -> Picture:
    """Draw by the canvas rule. `figure` keeps the size, resolution and canvas that it was drawn with."""
    if canvas is None:
        figure.set_dpi(DPI)
    else:
        figure.set_dpi(canvas["dpi"])
        figure.set_size_inches(_inches(canvas["width"], canvas["dpi"]), _inches(canvas["height"], canvas["dpi"]))
    check_size(*figure.bbox.size, max_pixels)
    agg = FigureCanvasAgg(figure)
    _draw(agg)
    return drawn(agg, max_pixels)


def saved(figure: Figure, dpi: float, max_pixels: int) -> Picture:
    """Draw as `figure.savefig(file)` does without options: `rcParams["savefig.*"]` apply, except `dpi`, given here."""
    pictures = []

    class Keeping(FigureCanvasAgg):
        def print_rgba(self, *args, **options) -> None:
            _draw(self)
            pictures.append(drawn(self, max_pixels))

    with as_it_was(figure):
        Keeping(figure)
        figure.savefig(io.BytesIO(), format="rgba", dpi=affordable_dpi(figure, dpi, max_pixels))
    return pictures[-1]


@contextmanager
def as_it_was(figure: Figure) -> Iterator[None]:
    """Restore the figure's size, resolution and canvas at the end, because the program may go on to use it."""
    before = figure.canvas, figure.dpi, figure._original_dpi, figure.get_size_inches()
    try:
        yield
    finally:
        canvas, dpi, figure._original_dpi, size = before
        figure.set_canvas(canvas)
        figure.set_dpi(dpi)
        figure.set_size_inches(size)


def drawn(agg: FigureCanvasAgg, max_pixels: int) -> Picture:
    """The picture last drawn on an Agg canvas."""
    rgba = np.asarray(_buffer(agg))
    height, width = rgba.shape[:2]
    check_size(width, height, max_pixels)
    return Picture(_on_white(rgba).tobytes(), width, height, coverage(agg.figure))


def check_size(width: float, height: float, max_pixels: int) -> None:
    """Raise Fault(limit) for a picture that is empty or too large."""
    if not (width >= 1 and height >= 1 and width * height <= max_pixels and max(width, height) < 1 << 16):
        raise Fault("limit", f"the figure has {width:.0f} x {height:.0f} pixels, {max_pixels} in all are allowed")


def affordable_dpi(figure: Figure, wanted: float, max_pixels: int) -> float:
    """`wanted` dots per inch, or fewer to fit the pixel limit. Raises Fault(limit) if 100 dpi is already too large."""
    width, height = (float(v) for v in figure.get_size_inches())
    check_size(width * DPI, height * DPI, max_pixels)
    return min(wanted, (max_pixels / (width * height)) ** 0.5)


def resolution(figure: Figure, dpi: float | str | None = None) -> float:
    """The dots per inch of a save, resolved as matplotlib does."""
    dpi = matplotlib.rcParams["savefig.dpi"] if dpi is None else dpi
    return getattr(figure, "_original_dpi", figure.dpi) if dpi == "figure" else dpi


def _inches(pixels: int, dpi: int) -> float:
    """The size in inches that gives exactly `pixels` after Agg multiplies by `dpi` and truncates."""
    inches = pixels / dpi
    while int(inches * dpi) < pixels:
        inches = float(np.nextafter(inches, np.inf))
    return inches


def _on_white(rgba: np.ndarray) -> np.ndarray:
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    if alpha.min() == 255:
        return rgb
    mixed = rgb * (alpha / 255.0) + (255.0 - alpha)
    return np.rint(mixed).astype(np.uint8)
