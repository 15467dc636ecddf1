"""Collects the colours of drawn objects by group (metrics_spec 1.6.1).

An object is stored under the colour that it has when it is drawn, and read again at the end. Of several objects drawn
in one colour the last one wins, and its final colour counts. This is the benchmark's own rule, in every protocol. A
call that draws one object (a collection, the arrows of a graph, a Venn diagram) stores it once, under the last of its
colours. An object that cannot be read crashes the original's read-out, and the script loses all its colours; `fixed`
skips only that object.
"""

from __future__ import annotations

from collections.abc import Callable

import matplotlib_venn
import networkx
import numpy as np
import squarify
from matplotlib.axes import Axes
from matplotlib.axes._base import _process_plot_var_args
from matplotlib.colors import to_hex, to_rgba
from matplotlib.image import NonUniformImage
from matplotlib.patches import Circle, Ellipse, Patch
from matplotlib.projections.polar import PolarAxes
from mpl_toolkits.mplot3d import Axes3D
from networkx.drawing import nx_pylab
from trace_wrap import Wrapping, is_kind

Read = Callable[[object], list[str]]


class Unreadable(Exception):
    """A colour in a form that the original cannot read, or an object without the colour that it asks for."""


def token(color: object) -> str:
    """Upper-case hex. A string of 6 or 8 hex digits stays as given; every other colour loses its alpha."""
    try:
        if isinstance(color, str):
            return (color if color.startswith("#") and len(color) in (7, 9) else to_hex(to_rgba(color))).upper()
        if isinstance(color, list | tuple | np.ndarray) and len(color) in (3, 4):
            return to_hex(color).upper()
    except ValueError:
        pass
    raise Unreadable


def line(artist) -> list[str]:
    """The colour of a line or a text."""
    return [token(artist.get_color())]


def face(artist) -> list[str]:
    """The face colour of a patch."""
    return [token(artist.get_facecolor())]


def given_face(bar) -> list[str]:
    """A bar's face colour as it was last set. The original splits a string into letters and cannot read them."""
    return [token(list(bar._original_facecolor))]


def faces(artist) -> list[str]:
    """Every face colour of a collection."""
    return [token(c) for c in artist.get_facecolor()]


def first_face(artist) -> list[str]:
    """The first face colour of a collection. Raises Unreadable if it is hollow."""
    return visible_face(artist) or _unreadable()


def visible_face(artist) -> list[str]:
    """The first face colour of a collection; empty if it is hollow."""
    return [token(c) for c in artist.get_facecolor()[:1]]


def edges(artist) -> list[str]:
    """Every edge colour of a collection, or the face colour of every arrow in a list."""
    if isinstance(artist, list):
        return [token(arrow.get_facecolor()) for arrow in artist]
    return [token(c) for c in artist.get_edgecolor()]


def map_name(artist) -> list[str]:
    """The name of the colour map, whatever the artist draws with it."""
    return [artist.get_cmap().name]


def _unreadable() -> list[str]:
    raise Unreadable


class ColorTrace(Wrapping):
    """Objects by (group, colour when drawn). In `official`, polar axes and ellipses match by exact class only."""

    nothing: list = []

    def __init__(self, named: bool, protocol: str, stops: bool = False) -> None:
        super().__init__(named, keep_flag=protocol != "fixed", stops=stops)
        self._protocol = protocol
        self._exact = protocol == "official"
        self._stored: dict[tuple[str, str], list[tuple[object, Read]]] = {}

    def _keep(self, group: str, artists, read: Read, hollow: bool = False) -> None:
        """Store objects. Raises Unreadable if one has no colour, unless it may be `hollow`."""
        for artist in artists:
            tokens = read(artist) or ([] if hollow else _unreadable())
            if tokens:
                self._stored.setdefault((group, tokens[-1]), []).append((artist, read))

    def objects(self) -> list:
        """Every stored object."""
        return [thing for stored in self._stored.values() for thing, _ in stored]

    def items(self, seen: Callable[[object], bool] | None = None) -> list[list[str]]:
        """Sorted unique [group, colour] pairs, with colours read now. Empty if the original's read-out would crash.

        With `seen`, the last object that it accepts counts.
        """
        found: set[tuple[str, str]] = set()
        for (group, _), stored in self._stored.items():
            shown = stored if seen is None else [pair for pair in stored if seen(pair[0])]
            if not shown:
                continue
            artist, read = shown[-1]
            try:
                found |= {(group, color) for color in read(artist)}
            except Unreadable:
                self.broken |= not (group == "bar" and self._protocol == "july2025")  # skipped there
            except Exception:
                self.broken = True
        crashed = self.broken and self._protocol != "fixed"
        return [] if crashed else [list(item) for item in sorted(found)]

    def install(self) -> None:
        """Wrap every function whose colours count."""
        self._lines()
        self._patches()
        self._collections()
        self._maps()
        self._three_d()
        self._packages()

    def _group(self, owner: object, name: str, group: str, read: Read, pick: Callable = lambda r: [r]) -> None:
        self.wrap(owner, name, lambda result, args, kwargs: self._keep(group, pick(result), read))

    def _lines(self) -> None:
        # On polar axes `plot` itself is traced, so the line builder inside it is not; on other axes the builder is
        # traced.
        self.wrap(PolarAxes, "plot", self._polar_plot)
        self._group(_process_plot_var_args, "_makeline", "line", line, lambda r: [r[0]])
        for name in ("axhline", "axvline"):
            self._group(Axes, name, name, line)
        for name in ("hlines", "vlines"):
            self._group(Axes, name, name, edges)

    def _polar_plot(self, result, args, kwargs) -> None:
        if is_kind(args[0], PolarAxes, self._exact):
            self._keep("plot@polar", result, line)

    def _patches(self) -> None:
        bar = face if self._protocol == "fixed" else given_face
        self._group(Axes, "bar", "bar", bar, lambda r: r.patches)
        self._group(Axes, "pie", "pie", face, lambda r: r[0])
        self._group(Axes, "hist", "hist", face, lambda r: _flat(r[2]))
        self._group(Axes, "fill", "fill", face, lambda r: r)
        self._group(Axes, "boxplot", "boxplot", face, lambda r: [b for b in r["boxes"] if isinstance(b, Patch)])
        for name in ("axhspan", "axvspan"):
            self._group(Axes, name, name, face)
        for kind in (Ellipse, Circle):
            self.wrap(kind, "__init__", self._ellipse)

    def _ellipse(self, _, args, kwargs) -> None:
        if is_kind(args[0], Ellipse, self._exact) or type(args[0]) is Circle:
            self._keep("ellipse_or_circle", [args[0]], face)

    def _collections(self) -> None:
        self.wrap(Axes, "scatter", self._scatter)
        self._group(Axes, "_fill_between_x_or_y", "fill_between", first_face)
        self._group(Axes, "violinplot", "violinplot", first_face, lambda r: r["bodies"])
        self._group(Axes, "quiver", "quiver", faces)
        self._group(Axes, "broken_barh", "broken_barh", faces)

    def _scatter(self, result, args, kwargs) -> None:
        group = "scatter@polar" if is_kind(args[0], PolarAxes, self._exact) else "scatter"
        self._keep(group, [result], _asked_map(kwargs) or visible_face, hollow=True)

    def _maps(self) -> None:
        for name in ("imshow", "pcolor", "contour", "contourf", "tripcolor"):
            self._group(Axes, name, name, map_name)
        self.wrap(NonUniformImage, "__init__", lambda r, args, kw: self._keep("non_uniform_image", [args[0]], map_name))

    def _three_d(self) -> None:
        def mapped(group: str, plain: Read) -> Callable:
            return lambda r, args, kw: self._keep(group, [r], _asked_map(kw) or plain)

        self._group(Axes3D, "plot", "plot@3d", line, lambda r: r)
        self._group(Axes3D, "bar", "bar@3d", face, lambda r: r)
        self.wrap(Axes3D, "scatter", mapped("scatter@3d", faces))
        self.wrap(Axes3D, "plot_surface", mapped("plot_surface@3d", first_face))
        self._group(Axes3D, "bar3d", "bar3d@3d", first_face)
        self._group(Axes3D, "add_collection3d", "add_collection3d@3d", faces)

    def _packages(self) -> None:
        for module in (nx_pylab, networkx):
            self._group(module, "draw_networkx_nodes", "nx_nodes", faces)
            self.wrap(module, "draw_networkx_edges", self._graph_edges)
            self._group(module, "draw_networkx_labels", "nx_labels", line, lambda r: r.values())
        rectangles = lambda axes: [p for container in axes.containers for p in container.patches]  # noqa: E731
        self._group(squarify, "plot", "squarify", face, rectangles)
        diagram = matplotlib_venn._common.VennDiagram
        self.wrap(diagram, "__init__", lambda r, args, kw: self._keep("venn", [args[0]], self._venn))

    def _graph_edges(self, result, args, kwargs) -> None:
        self._keep("nx_edges", [result], edges, hollow=not self._exact)

    def _venn(self, diagram) -> list[str]:
        """The face colours of a diagram. A region without area has no patch, which the original cannot read."""
        patches = [p for p in diagram.patches if p is not None or self._protocol != "fixed"]
        return [token(p.get_facecolor()) for p in patches]


def _asked_map(kwargs: dict) -> Read | None:
    """A reader that returns the name of the colour map in the call's arguments, used or not. None if there is none."""
    asked = kwargs.get("cmap")
    name = asked if asked is None or isinstance(asked, str) else asked.name
    return None if name is None else lambda artist: [name]


def _flat(patches) -> list:
    """The bars or polygons of a histogram of one or several data sets."""
    if isinstance(patches, Patch):
        return [patches]
    return [p for part in patches for p in _flat(part)]
