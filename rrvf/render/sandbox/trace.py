"""What the chart metrics extract from a script: texts, layout, calls and colours (metrics_spec 1.3 to 1.6, 2.3).

Runs in the sandboxed child, in one process with the untrusted script; standard library and plotting libraries only. One
run serves all four ChartMimic metrics. `Tracer.prepare` cuts the source as the benchmark does. `start` wraps the
plotting functions. `finish` draws once more into a PDF that is discarded, and returns the items as plain JSON values.

Protocols. `fixed` keeps the names of the wrapped functions. `official` and `july2025` lose them, as the original
wrappers do, which changes what seaborn draws inside the tracer (metrics_spec T2). So these two protocols trace the
calls and colours of a script that uses seaborn in two further runs with nameless wrappers; each run may fail half-way.
They also trace the colours again for a script that draws an object that the original tracer cannot read, because the
original stops the script there. In `official` the items then also have `guarded`: the items of a generated script,
which the original runs inside a try block.
"""

from __future__ import annotations

import io
import random
import re
import types
from collections.abc import Callable

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_pdf import PdfFile, RendererPdf
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.mathtext import MathTextParser
from matplotlib.ticker import NullFormatter
from trace_calls import CallTrace
from trace_colors import ColorTrace
from trace_plot2code import plot2code_items, remember_resolution
from trace_seen import Sight, artists_in

_SAVE = re.compile(r"plt\.savefig\(.*", re.DOTALL)
_SHOW = re.compile(r"plt.show\(.*", re.DOTALL)
_TIGHT = re.compile(r"bbox_inches\s*=\s*['\"]tight")
_PYPLOT_SAVE = plt.savefig
_PARSER, _FONT = MathTextParser("path"), FontProperties()
_NOTHING: dict = {"text": [], "layout": [], "axes": 0, "type": {}, "color": []}
#: The code that the original inserts before the first `plt.savefig` of a script. A script may use `ax` after it.
_NO_TICKS = "\nfor ax in plt.gcf().axes:\n    ax.set_xticks([])\n    ax.set_yticks([])\n"


class Tracer:
    """Traces one script under one protocol. Not reusable."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self._source = ""
        self._file, self._tight = "script.py", False
        self._sight = Sight()
        self._texts: list[str] = []
        self._settings = dict(matplotlib.rcParams)
        self._calls = CallTrace(named=True, protocol=protocol)
        self._colors = ColorTrace(named=True, protocol=protocol)

    def prepare(self, code: str) -> str:
        """The source to run. For ChartMimic it is cut off at the first save or show (metrics_spec 1.2)."""
        if self.protocol != "plot2code":
            whole, code = code, _SHOW.sub("", _SAVE.sub("", code)).strip() + "\n"
            self._tight = _TIGHT.search(whole[len(code) - 1 :]) is not None
        self._source = code.removeprefix("\ufeff")
        return code

    def start(self) -> None:
        """Install the wrappers. The script runs next."""
        if self.protocol == "plot2code":
            remember_resolution()
            return
        _log_texts(self._texts)
        self._calls.install()
        self._colors.install()

    def finish(self, figure: Figure | None, namespace: dict) -> dict:
        """The items, after the script has run. `figure` is the current figure or None.

        Raises what the line `plt.savefig(...)`, which the benchmark appends to the script, would raise. If that error
        comes after the file was started, the original protocols count the script as executed, without the items that
        are read later.
        """
        if self.protocol == "plot2code":
            return plot2code_items(plt.gcf())
        self._file = namespace.get("__file__", self._file)
        save = eval("plt.savefig", namespace)  # a script that imports pyplot under another name fails here
        if save is _PYPLOT_SAVE:
            save = plt.gcf().savefig  # the same file, without drawing again for a window
        _write_nothing()
        ticks = [Ticks(axis) for axes in plt.gcf().axes for axis in (axes.xaxis, axes.yaxis)]
        texts = self._texts_without_ticks(save, ticks)
        items, file = _NOTHING | {"text": texts or []}, io.BytesIO()
        try:
            if texts is None:
                save(file, format="pdf")
            else:
                for each in ticks:
                    each.format()
        except Exception:
            begun = file.getbuffer() or (texts is not None and _opens_at_once(plt.gcf()))
            if self.protocol == "fixed" or not begun:
                raise
            return items
        axes = figure.axes if figure is not None else []
        items |= {"layout": layout_items(axes), "axes": len(axes)}
        items |= {"type": self._calls.items(), "color": self._colors.items()}
        return items | (self._seen(items, axes) if self.protocol == "fixed" else self._seen_by_the_original())

    def _texts_without_ticks(self, save: Callable, ticks: list[Ticks]) -> list[str] | None:
        """The texts of the figure without its major ticks.

        None if it cannot be drawn that way (for example a date formatter without a date): then only the texts are lost.
        Drawing also resolves colours that are mapped from numbers.
        """
        try:
            for axes in plt.gcf().axes:
                axes.set_xticks([])
                axes.set_yticks([])
            for each in ticks if self.protocol == "fixed" else []:
                each.axis.set_major_formatter(NullFormatter())
            save(io.BytesIO(), format="pdf")
            texts = list(self._texts)
            if self.protocol == "fixed":
                self._look()
            return texts
        except Exception:
            return None
        finally:
            for each in ticks:
                each.put_back()

    def _look(self) -> None:
        objects = [a for thing in self._colors.objects() for a in artists_in(thing)] + self._calls.objects()
        self._sight.look(plt.gcf(), objects, self._tight)

    def _seen(self, drawn: dict, axes: list[Axes]) -> dict:
        """The items that are visible. If they differ from what was drawn, `drawn` holds all drawn items.

        A string counts as often as it is visible.
        """
        if not self._sight.looked:
            self._look()
        left = self._sight.texts.copy()
        texts = []
        for text in drawn["text"]:
            left[text] -= 1
            texts += [text] if left[text] >= 0 else []
        axes = [each for each in axes if self._sight.seen(each)]
        items = {"text": texts, "layout": layout_items(axes), "axes": len(axes)}
        shows = lambda thing: any(map(self._shows, artists_in(thing)))  # noqa: E731
        items |= {"type": self._calls.items(self._shows), "color": self._colors.items(shows)}
        return items if items == drawn else items | {"drawn": drawn}

    def _shows(self, artist: Artist) -> bool:
        """Whether an object is visible, or counts although it is not.

        Objects of another figure count, and so do objects that seaborn draws empty or removes again.
        """
        empty = isinstance(artist, Line2D) and not len(artist.get_xdata())
        if "seaborn" in self._source and (artist.axes is None or empty):
            return True
        return self._sight.seen(artist) or (artist.axes is not None and artist.axes.figure.figure is not plt.gcf())

    def _seen_by_the_original(self) -> dict:
        """The kinds of items that change because the original interferes with the script."""
        self._colors.remove()
        self._calls.remove()
        items, guarded, seaborn = {}, {}, "seaborn" in self._source
        if seaborn:
            items["type"], guarded["type"] = self._again(CallTrace)
        if seaborn or self._colors.broken:
            items["color"], guarded["color"] = self._again(ColorTrace)
        if "plt.savefig" in self._source:
            items["text"] = self._texts_of_broken_source()
        guarded = {kind: found for kind, found in guarded.items() if found != items[kind]}
        return items | ({"guarded": guarded} if guarded and self.protocol == "official" else {})

    def _texts_of_broken_source(self) -> list[str]:
        """The texts of the source into which the original inserts `_NO_TICKS` before the first save."""
        before, name, after = self._source.partition("plt.savefig")
        self._texts.clear()
        return list(self._texts) if self._ran(before + _NO_TICKS + name + after) else []

    def _again(self, kind: type[CallTrace] | type[ColorTrace]) -> tuple[dict | list, dict | list]:
        """Run the script again under one trace, which may stop it. Returns (items of a full run, items up to the stop).

        A run that was stopped has no items of a full run, because the original evaluator crashes there.
        """
        trace = kind(named=False, protocol=self.protocol, stops=True)
        trace.install()
        ran = self._ran(self._source)
        trace.remove()
        items = trace.items()
        return (items if ran else trace.nothing), items

    def _ran(self, source: str) -> bool:
        """Run `source` as the script was run, then save, even if the run raised. Returns whether neither raised."""
        plt.close("all")
        dict.update(matplotlib.rcParams, self._settings)
        np.random.seed(0)
        random.seed(0)
        return all([_raises_nothing(lambda: self._run(source)), _raises_nothing(_save)])

    def _run(self, source: str) -> None:
        module = types.ModuleType("__main__")
        module.__file__ = self._file
        exec(compile(source, "script.py", "exec", dont_inherit=True), module.__dict__)


def _save() -> None:
    plt.gcf().savefig(io.BytesIO(), format="pdf")


def _raises_nothing(do: Callable[[], None]) -> bool:
    try:
        do()
    except Exception:
        return False
    return True


def _write_nothing() -> None:
    """Draw PDFs but do not write them: compression and font embedding take a third of a small script's time."""
    matplotlib.rcParams["pdf.compression"] = 0
    PdfFile.finalize = lambda self: None


def _opens_at_once(figure: Figure) -> bool:
    """Whether saving opens the file before anything is drawn. A layout engine or a tight box draws once first."""
    return figure.get_layout_engine() is None and matplotlib.rcParams["savefig.bbox"] != "tight"


class Ticks:
    """The major ticks of one axis, as the script left them."""

    def __init__(self, axis: Axis) -> None:
        self.axis, self._locator, self._formatter = axis, axis.get_major_locator(), axis.get_major_formatter()

    def put_back(self) -> None:
        """Restore the axis after its texts were read without ticks."""
        self.axis.set_major_locator(self._locator)
        self.axis.set_major_formatter(self._formatter)

    def format(self) -> None:
        """Format the labels, which the benchmark draws when it checks whether a script runs.

        Raises what a locator or formatter raises, or the error of mathtext that does not parse.
        """
        axes = self.axis.axes
        if self.axis.get_visible() and axes.get_visible() and axes.axison:
            labels = self._formatter.format_ticks(self.axis.get_majorticklocs())
            for label in filter(is_math_text, map(str, labels)):
                _PARSER.parse(label, 72, _FONT)


def _log_texts(log: list[str]) -> None:
    """Log every string that a PDF renderer draws as text, in order."""
    original = RendererPdf.draw_text

    def draw_text(self, gc, x, y, s, *args, **kwargs):
        log.append(str(s))
        return original(self, gc, x, y, s, *args, **kwargs)

    RendererPdf.draw_text = draw_text


def layout_items(axes_list: list[Axes]) -> list[list[int]]:
    """[nrows, ncols, row_start, row_end, col_start, col_end] of each axes in a grid (metrics_spec 1.4)."""
    items = []
    for axes in axes_list:
        spec = axes.get_subplotspec()
        if spec is not None:
            grid, rows, columns = spec.get_gridspec(), spec.rowspan, spec.colspan
            items.append([grid.nrows, grid.ncols, rows.start, rows.stop - 1, columns.start, columns.stop - 1])
    return items
