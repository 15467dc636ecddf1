"""What the chart metrics see of a script: texts, layout, calls and colours (metrics_spec 1.3 to 1.6, 2.3).

Runs in the sandboxed child, beside the foreign script; standard library and plotting libraries only. One run serves all
four ChartMimic metrics. `Tracer.prepare` cuts the source as the benchmark does, `start` puts wrappers around the plotting
functions, `finish` draws once more into a PDF that is thrown away and gives the items as plain JSON values.

Protocols: `fixed` keeps the wrapped functions' names. `official` and `july2025` lose them as the original wrappers do,
which changes what seaborn draws inside the tracer (metrics_spec T2); for scripts that use seaborn the calls and the
colours are therefore traced in two further runs with nameless wrappers, each allowed to fail half-way.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import types
from collections.abc import Iterator
from numbers import Real

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_pdf import RendererPdf
from matplotlib.figure import Figure
from matplotlib.text import Text
from trace_calls import CallTrace
from trace_colors import ColorTrace

_SAVE = re.compile(r"plt\.savefig\(.*", re.DOTALL)
_SHOW = re.compile(r"plt.show\(.*", re.DOTALL)
_PYPLOT_SAVE = plt.savefig


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
        if self.protocol != "plot2code":
            _log_texts(self._texts)
            self._calls.install()
            self._colors.install()

    def finish(self, figure: Figure | None, namespace: dict) -> dict:
        """The items, once the script has run. `figure` is the current one or None.

        Raises what the line `plt.savefig(...)`, which the benchmark adds to the script, would raise there.
        """
        if self.protocol == "plot2code":
            return plot2code_items(figure)
        save = eval("plt.savefig", namespace)  # a script that calls pyplot by another name fails here
        for axes in plt.gcf().axes:
            axes.set_xticks([])
            axes.set_yticks([])
        if save is _PYPLOT_SAVE:
            save = plt.gcf().savefig  # the same file, without a second drawing for a window
        save(io.BytesIO(), format="pdf")  # also settles colours that are mapped from numbers
        items = {"text": self._text_items(), "layout": layout_items(figure)}
        if self.protocol == "fixed" or "seaborn" not in self._source:
            return {**items, "type": self._calls.items(), "color": self._colors.items()}
        self._colors.remove()
        self._calls.remove()
        items["type"] = self._again(CallTrace(named=False, protocol=self.protocol))
        items["color"] = self._again(ColorTrace(named=False, protocol=self.protocol))
        return items

    def _text_items(self) -> list[str]:
        # The original inserts its tick removal before the first of these characters, which breaks a comment or a string.
        broken = self.protocol != "fixed" and "plt.savefig" in self._source
        return [] if broken else list(self._texts)

    def _again(self, trace: CallTrace | ColorTrace) -> dict | list:
        """Run the script once more under `trace` alone. One that fails gives nothing, as its crashed evaluator does."""
        plt.close("all")
        dict.update(matplotlib.rcParams, self._settings)
        np.random.seed(0)
        random.seed(0)
        trace.install()
        try:
            module = types.ModuleType("__main__")
            exec(compile(self._source, "script.py", "exec", dont_inherit=True), module.__dict__)
            with contextlib.suppress(Exception):
                plt.gcf().savefig(io.BytesIO(), format="pdf")
            return trace.items()
        except Exception:
            return trace.nothing
        finally:
            trace.remove()


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


def plot2code_items(figure: Figure | None) -> dict:
    """Every visible text with its raw position, and the figure's size in inches (metrics_spec 2.3)."""
    if figure is None:
        return {"texts": [], "size": [0.0, 0.0]}
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
