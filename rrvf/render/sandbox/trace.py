"""What the chart metrics see of a script: texts, layout, calls and colours (metrics_spec 1.3 to 1.6, 2.3).

Runs in the sandboxed child, beside the foreign script; standard library and plotting libraries only. One run serves all
four ChartMimic metrics. `Tracer.prepare` cuts the source as the benchmark does, `start` puts wrappers around the plotting
functions, `finish` draws once more into a PDF that is thrown away and gives the items as plain JSON values.

Protocols: `fixed` keeps the wrapped functions' names. `official` and `july2025` lose them as the original wrappers do,
which changes what seaborn draws inside the tracer (metrics_spec T2); for scripts that use seaborn the calls and the
colours are therefore traced in two further runs with nameless wrappers, each allowed to fail half-way.
"""

from __future__ import annotations

import io
import random
import re
import types
from collections.abc import Iterator
from numbers import Real

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from faults import Fault
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backends.backend_pdf import PdfFile, RendererPdf
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text
from matplotlib.ticker import Locator
from trace_calls import CallTrace
from trace_colors import ColorTrace

_SAVE = re.compile(r"plt\.savefig\(.*", re.DOTALL)
_SHOW = re.compile(r"plt.show\(.*", re.DOTALL)
_PYPLOT_SAVE = plt.savefig
_FONT = FontProperties()
_NOTHING: dict = {"text": [], "layout": [], "axes": 0, "type": {}, "color": []}
#: What the original puts before the first `plt.savefig` of a script. A script may use `ax` after it.
_NO_TICKS = "\nfor ax in plt.gcf().axes:\n    ax.set_xticks([])\n    ax.set_yticks([])\n"


class Tracer:
    """Traces one script under one protocol. Not reusable."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self._source = ""
        self._texts: list[str] = []
        self._settings = dict(matplotlib.rcParams)
        self._calls = CallTrace(named=True, protocol=protocol)
        self._colors = ColorTrace(named=True, protocol=protocol)

    def prepare(self, code: str) -> str:
        """The source that is run: for ChartMimic, all from the first save or show on is cut off (metrics_spec 1.2)."""
        if self.protocol != "plot2code":
            code = _SHOW.sub("", _SAVE.sub("", code)).strip() + "\n"
        self._source = code
        return code

    def start(self) -> None:
        """Put the wrappers in place; the script runs next."""
        if self.protocol == "plot2code":
            _remember_resolution()
            return
        _log_texts(self._texts)
        self._calls.install()
        self._colors.install()

    def finish(self, figure: Figure | None, namespace: dict) -> dict:
        """The items, once the script has run. `figure` is the current one or None.

        Raises what the line `plt.savefig(...)`, which the benchmark adds to the script, would raise there. Where that
        happens after the file was begun, the original protocols take the script for run, without what is read later.
        """
        if self.protocol == "plot2code":
            return plot2code_items(plt.gcf())
        save = eval("plt.savefig", namespace)  # a script that calls pyplot by another name fails here
        if save is _PYPLOT_SAVE:
            save = plt.gcf().savefig  # the same file, without a second drawing for a window
        _write_nothing()
        ticks = [(axis, axis.get_major_locator()) for axes in plt.gcf().axes for axis in (axes.xaxis, axes.yaxis)]
        removed, file, items = _remove_ticks(plt.gcf()), io.BytesIO(), dict(_NOTHING)
        try:
            save(file, format="pdf")  # also settles colours that are mapped from numbers
            items["text"] = list(self._texts) if removed else []
            _format_ticks(ticks)
        except Exception:
            if self.protocol == "fixed" or not (file.getbuffer() and _opens_at_once(plt.gcf())):
                raise
            return items
        items |= {"layout": layout_items(figure), "axes": len(figure.axes) if figure else 0}
        items |= {"type": self._calls.items(), "color": self._colors.items()}
        return items if self.protocol == "fixed" else items | self._seen_by_the_original()

    def _seen_by_the_original(self) -> dict:
        """The kinds of items that the original's own interference with a script changes."""
        self._colors.remove()
        self._calls.remove()
        items = {}
        if "seaborn" in self._source:
            items["type"] = self._again(CallTrace(named=False, protocol=self.protocol))
            items["color"] = self._again(ColorTrace(named=False, protocol=self.protocol))
        if "plt.savefig" in self._source:
            items["text"] = self._texts_of_broken_source()
        return items

    def _texts_of_broken_source(self) -> list[str]:
        """The texts where the original, which takes away the ticks ahead of the first save, breaks into the script."""
        before, name, after = self._source.partition("plt.savefig")
        self._texts.clear()
        return list(self._texts) if self._ran(before + _NO_TICKS + name + after) else []

    def _again(self, trace: CallTrace | ColorTrace) -> dict | list:
        """Run the script once more under `trace` alone. One that fails gives nothing, as its crashed evaluator does."""
        trace.install()
        ran = self._ran(self._source)
        trace.remove()
        return trace.items() if ran else trace.nothing

    def _ran(self, source: str) -> bool:
        """Run `source` as the script was run, and save; whether that raised nothing."""
        plt.close("all")
        dict.update(matplotlib.rcParams, self._settings)
        np.random.seed(0)
        random.seed(0)
        try:
            module = types.ModuleType("__main__")
            exec(compile(source, "script.py", "exec", dont_inherit=True), module.__dict__)
            plt.gcf().savefig(io.BytesIO(), format="pdf")
        except Exception:
            return False
        return True


def _write_nothing() -> None:
    """Have PDFs drawn but not written: compressing them and embedding fonts takes a third of a small script's time."""
    matplotlib.rcParams["pdf.compression"] = 0
    PdfFile.finalize = lambda self: None


def _opens_at_once(figure: Figure) -> bool:
    """Whether saving opens the file before anything is drawn; a layout engine and a tight box draw once ahead."""
    return figure.get_layout_engine() is None and matplotlib.rcParams["savefig.bbox"] != "tight"


def _remove_ticks(figure: Figure) -> bool:
    """Take the major ticks of x and y away; False where an axes refuses, which costs the script its texts alone."""
    try:
        for axes in figure.axes:
            axes.set_xticks([])
            axes.set_yticks([])
    except Exception:
        return False
    return True


def _format_ticks(ticks: list[tuple[Axis, Locator]]) -> None:
    """Put the locators back and make the tick labels, which the benchmark draws when it asks whether a script runs.

    Raises what a locator or a formatter raises, or mathematics that does not parse.
    """
    parser = MathTextParser("path")
    for axis, locator in ticks:
        axis.set_major_locator(locator)
    for axis, _ in ticks:
        if axis.get_visible() and axis.axes.get_visible() and axis.axes.axison:
            labels = axis.get_major_formatter().format_ticks(axis.get_majorticklocs())
            for label in filter(is_math_text, map(str, labels)):
                parser.parse(label, 72, _FONT)


def _log_texts(log: list[str]) -> None:
    """Log the string of every text that any PDF renderer draws as text, in order."""
    original = RendererPdf.draw_text

    def draw_text(self, gc, x, y, s, *args, **kwargs):
        log.append(str(s))
        return original(self, gc, x, y, s, *args, **kwargs)

    RendererPdf.draw_text = draw_text


def layout_items(figure: Figure | None) -> list[list[int]]:
    """[nrows, ncols, row_start, row_end, col_start, col_end] of each axes with a place in a grid (metrics_spec 1.4)."""
    items = []
    for axes in figure.axes if figure is not None else []:
        spec = axes.get_subplotspec()
        if spec is not None:
            grid, rows, columns = spec.get_gridspec(), spec.rowspan, spec.colspan
            items.append([grid.nrows, grid.ncols, rows.start, rows.stop - 1, columns.start, columns.stop - 1])
    return items


def _remember_resolution() -> None:
    """Let a figure keep the dots per inch that it saves itself with when the harness draws it at others."""
    set_dpi = Figure.set_dpi

    def remembering(figure: Figure, value: float) -> None:
        figure._dpi_before = getattr(figure, "_original_dpi", figure.dpi)
        set_dpi(figure, value)

    Figure.set_dpi = remembering


def plot2code_items(figure: Figure) -> dict:
    """Every visible text with its raw position, and the figure's size in inches (metrics_spec 2.3).

    The figure is saved first with its own settings, as the original does: that makes the ticks and places the labels,
    some of them in pixels. Raises Fault for one that is all white.
    """
    figure._original_dpi = getattr(figure, "_dpi_before", figure._original_dpi)
    pixels = io.BytesIO()
    figure.savefig(pixels, format="rgba")
    if not pixels.getvalue().strip(b"\xff"):
        raise Fault("blank", "the picture is white")
    texts = [
        [artist.get_text().strip().lower(), *(_number(v) for v in artist.get_position())]
        for artist in _descend(figure)
        if isinstance(artist, Text) and artist.get_visible() and artist.get_text().strip()
    ]
    return {"texts": texts, "size": [float(v) for v in figure.get_size_inches()]}


def _descend(artist: Artist) -> Iterator[Artist]:
    for child in artist.get_children():
        yield child
        yield from _descend(child)


def _number(value: object) -> float | None:
    """A position as a number; None for words and dates, which match nothing."""
    return float(value) if isinstance(value, Real) and np.isfinite(value) else None
