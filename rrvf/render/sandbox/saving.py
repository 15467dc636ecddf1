"""The figures that a program saves or shows, kept as they were at that moment.

The picture rule: the picture of a program is its last save, as the figure was at that save. `plt.show()` counts as a
save of the open figure, unless the figure has not changed since its last save. If nothing was saved or shown, the
picture is the figure that is open at the end. Every save really writes its file, so that the program can read it again;
a file outside the private folder is drawn but not written.

If the program owns its canvas, the picture is the saved one: `dpi` (within the pixel limit), `bbox_inches`,
`pad_inches`, `facecolor`, `transparent` and `rcParams["savefig.*"]` apply. A vector file is drawn once more as pixels.

If the harness owns it (see `drawing`), a save counts but its options do not, and pixel files hold the harness's
picture, so that a save costs one small drawing. Other saves cost what they cost outside the sandbox. The time limits
bound a program that saves forever.
"""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import matplotlib
import matplotlib.image
import matplotlib.pyplot as plt
from drawing import Picture, affordable_dpi, as_it_was, draw, drawn, resolution
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

_active = Gcf.get_active
_imsave = matplotlib.image.imsave
#: Options of `print_figure` that change the picture, besides its first parameters.
_SHOWN = ("bbox_inches", "pad_inches", "bbox_extra_artists")
_PIXELS = ("png", "jpg", "jpeg", "tif", "tiff", "webp")


class Saves:
    """Watches one program. `picture` is that of its last save or show, None before the first."""

    def __init__(self, canvas: dict | None, max_pixels: int) -> None:
        self._canvas, self._max_pixels = canvas, max_pixels
        self._folder = os.path.realpath(".") + os.sep
        self.picture: Picture | None = None
        self._shows: Figure | None = None  # the figure that `picture` shows, until it is drawn again
        self._drawn: Figure | None = None
        self._busy = False

    def watch(self) -> None:
        """Wrap every way to save or show a figure. Showing opens no window, and switching backends has no effect."""
        self._watch(Figure, "savefig")
        self._watch(FigureCanvasPdf, "print_pdf")
        self._watch(FigureCanvasSVG, "print_svg")
        FigureCanvasBase.print_figure = self._printing(FigureCanvasBase.print_figure)
        FigureCanvasAgg._print_pil = self._printing_pixels(FigureCanvasAgg._print_pil)
        FigureCanvasAgg.print_raw = FigureCanvasAgg.print_rgba = self._printing_pixels(FigureCanvasAgg.print_raw)
        Figure.draw = self._drawing(Figure.draw)
        plt.savefig = lambda *args, **options: plt.gcf().savefig(*args, **options)  # pyplot's draws twice
        plt.show = lambda *args, **options: self._show(open_figure())
        Figure.show = lambda figure, *args, **options: self._show(figure)
        matplotlib.use = plt.switch_backend = lambda *args, **options: None

    def last_figure(self) -> Figure | None:
        """The open figure; if none is open, the figure that was drawn last."""
        return open_figure() or self._drawn

    def _watch(self, owner: type, name: str) -> None:
        real = getattr(owner, name)

        @functools.wraps(real)
        def save(thing, *args, **options):
            with self._saving(thing if isinstance(thing, Figure) else thing.figure):
                return real(thing, *args, **options)

        setattr(owner, name, save)

    def _printing(self, real: Callable) -> Callable:
        """A wrapper of `print_figure`, which `savefig` calls, that limits the resolution."""

        @functools.wraps(real)
        def print_figure(
            canvas, filename, dpi=None, facecolor=None, edgecolor=None, orientation="portrait", format=None, **options
        ):
            figure = canvas.figure
            with self._saving(figure):
                filename, format = _target(canvas, filename, format)
                if self._is_elsewhere(filename):
                    filename = io.BytesIO()
                if self._canvas and format in _PIXELS:
                    return _imsave(filename, self.picture.rows, format=format)
                dpi = affordable_dpi(figure, resolution(figure, dpi), self._max_pixels)
                result = real(canvas, filename, dpi, facecolor, edgecolor, orientation, format, **options)
                if not self._canvas and self._shows is not figure:
                    shown = {name: options[name] for name in _SHOWN if name in options}
                    real(canvas, io.BytesIO(), dpi, facecolor, edgecolor, format="rgba", **shown)
                return result

        return print_figure

    def _printing_pixels(self, real: Callable) -> Callable:
        """A wrapper of the last step of a pixel save, where the picture is on the canvas with all options applied."""

        @functools.wraps(real)
        def print_pixels(canvas, *args, **options):
            with self._saving(canvas.figure):
                result = real(canvas, *args, **options)
                if not self._canvas:
                    self._keep(canvas.figure, drawn(canvas, self._max_pixels))
                return result

        return print_pixels

    def _drawing(self, real: Callable) -> Callable:
        @functools.wraps(real)
        def draw_figure(figure, *args, **options):
            if not self._busy:  # drawing clears the flag that marks a changed figure
                self._drawn, self._shows = figure, None
            return real(figure, *args, **options)

        return draw_figure

    @contextmanager
    def _saving(self, figure: Figure) -> Iterator[None]:
        """Wraps one save with its nested calls. At its end, `picture` holds the saved figure."""
        if self._busy:
            yield
            return
        self._busy = True
        try:
            if self._canvas:
                self._draw(figure)  # before the options of the save take effect
            else:
                self._shows = None
            yield
            if self._shows is None:
                self._draw(figure)
            figure.stale = False
        finally:
            self._busy = False

    def _show(self, figure: Figure | None) -> None:
        if figure is not None:
            self._busy = True
            try:
                self._draw(figure)
            finally:
                self._busy = False

    def _draw(self, figure: Figure) -> None:
        """Keep the figure's current state, unless `picture` already shows it."""
        if self._shows is not figure or figure.stale:
            with as_it_was(figure):
                self._keep(figure, draw(figure, self._canvas, self._max_pixels))
            figure.stale = False

    def _keep(self, figure: Figure, picture: Picture) -> None:
        self._shows, self.picture = figure, picture

    def _is_elsewhere(self, file: object) -> bool:
        return isinstance(file, str) and not os.path.realpath(file).startswith(self._folder)


def open_figure() -> Figure | None:
    """The current figure, None if no figure is open."""
    manager = _active()
    return manager.canvas.figure if manager else None


def _target(canvas: FigureCanvasBase, filename: object, format: str | None) -> tuple[object, str]:
    """The file and the format of a save, resolved as matplotlib does."""
    if isinstance(filename, os.PathLike):
        filename = os.fspath(filename)
    named = isinstance(filename, str)
    if not format and named:
        format = os.path.splitext(filename)[1][1:]
    if not format:
        format = canvas.get_default_filetype()
        filename = f"{filename.rstrip('.')}.{format}" if named else filename
    return filename, format.lower()
