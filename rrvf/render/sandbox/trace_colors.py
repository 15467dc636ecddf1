"""Collects the colours of drawn objects by group (metrics_spec 1.6.1).

An object is stored under the colour that it has when it is drawn, and read again at the end: of several objects drawn
in one colour the last one wins, and its later colour counts. That is the benchmark's own rule, in every protocol.
"""

from __future__ import annotations

from collections.abc import Callable

import matplotlib_venn
import networkx
import squarify
from matplotlib.axes import Axes
from matplotlib.axes._base import _process_plot_var_args
from matplotlib.colors import to_hex
from matplotlib.image import NonUniformImage
from matplotlib.patches import Circle, Ellipse, Patch
from matplotlib.projections.polar import PolarAxes
from mpl_toolkits.mplot3d import Axes3D
from networkx.drawing import nx_pylab
from trace_wrap import Wrapping, is_kind


class GivenByName(Exception):
    """A bar's colour that was last given as a string: the official read-out cannot read it."""


def _hex(color) -> str:
    return to_hex(color, keep_alpha=False).upper()


def line(artist) -> list[str]:
    """The colour of a line or a text."""
    return [_hex(artist.get_color())]


def face(artist) -> list[str]:
    """A patch's face."""
    return [_hex(artist.get_facecolor())]


def bar_face(artist) -> list[str]:
    """A bar's face as it was last given; the original cannot read one given as a string."""
    given = artist._original_facecolor
    if given is None or isinstance(given, str):
        raise GivenByName
    return [_hex(given)]


def first_face(artist) -> list[str]:
    """The first face of a collection; none where it is hollow."""
    colors = artist.get_facecolor()
    return [_hex(colors[0])] if len(colors) else []


def faces(artist) -> list[str]:
    """Every face of a collection."""
    return [_hex(c) for c in artist.get_facecolor()]


def edges(artist) -> list[str]:
    """Every edge of a collection, or an arrow's edge."""
    if isinstance(artist, Patch):
        return [_hex(artist.get_edgecolor())]
    return [_hex(c) for c in artist.get_edgecolor()]


def map_name(artist) -> list[str]:
    """A colour map's name, whatever is drawn with it."""
    return [artist.get_cmap().name]


class ColorTrace(Wrapping):
    """Objects by (group, colour when drawn). Polar and ellipse mean exactly these classes in the official protocol."""

    nothing: list = []

    def __init__(self, named: bool, protocol: str) -> None:
        super().__init__(named, keep_flag=protocol != "fixed")
        self._protocol = protocol
        self._exact = protocol == "official"
        self._stored: dict[tuple[str, str], tuple[object, Callable]] = {}

    def _keep(self, group: str, artists, read: Callable) -> None:
        for artist in artists:
            for token in self._read(read, artist)[-1:]:
                self._stored[group, token] = (artist, read)

    def _read(self, read: Callable, artist) -> list[str]:
        try:
            return read(artist)
        except GivenByName:
            if self._protocol == "july2025":
                return []
            if self._protocol == "fixed":
                return face(artist)
            raise

    def items(self) -> list[list[str]]:
        """Sorted unique [group, colour], colours read now. Where the original read-out crashes there are none at all."""
        found: set[tuple[str, str]] = set()
        for (group, _), (artist, read) in self._stored.items():
            try:
                found |= {(group, token) for token in self._read(read, artist)}
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

    def _group(self, owner: object, name: str, group: str, read: Callable, pick: Callable = lambda r: [r]) -> None:
        self.wrap(owner, name, lambda result, args, kwargs: self._keep(group, pick(result), read))

    def _lines(self) -> None:
        # On polar axes `plot` itself is seen, so the line builder inside it is not; elsewhere the builder is.
        self.wrap(Axes, "plot", lambda r, args, kw: self._keep("plot@polar", r, line), when=self._polar)
        self._group(_process_plot_var_args, "_makeline", "line", line, lambda r: [r[0]])
        for name in ("axhline", "axvline"):
            self._group(Axes, name, name, line)
        for name in ("hlines", "vlines"):
            self._group(Axes, name, name, edges)

    def _polar(self, axes: object) -> bool:
        return is_kind(axes, PolarAxes, self._exact)

    def _patches(self) -> None:
        self._group(Axes, "bar", "bar", bar_face, lambda r: r.patches)
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
        group = "scatter@polar" if self._polar(args[0]) else "scatter"
        self._keep(group, [result], map_name if kwargs.get("cmap") is not None else first_face)

    def _maps(self) -> None:
        for name in ("imshow", "pcolor", "contour", "contourf", "tripcolor"):
            self._group(Axes, name, name, map_name)
        self.wrap(NonUniformImage, "__init__", lambda r, args, kw: self._keep("non_uniform_image", [args[0]], map_name))

    def _three_d(self) -> None:
        def mapped(group: str, plain: Callable) -> Callable:
            return lambda r, args, kw: self._keep(group, [r], map_name if kw.get("cmap") is not None else plain)

        self._group(Axes3D, "plot", "plot@3d", line, lambda r: r)
        self._group(Axes3D, "bar", "bar@3d", face, lambda r: r)
        self.wrap(Axes3D, "scatter", mapped("scatter@3d", faces))
        self.wrap(Axes3D, "plot_surface", mapped("plot_surface@3d", first_face))
        self._group(Axes3D, "bar3d", "bar3d@3d", first_face)
        self.wrap(Axes3D, "add_collection3d", lambda r, args, kw: self._keep("add_collection3d@3d", args[1:2], faces))

    def _packages(self) -> None:
        for module in (nx_pylab, networkx):
            self._group(module, "draw_networkx_nodes", "nx_nodes", faces)
            self._group(module, "draw_networkx_edges", "nx_edges", edges, lambda r: r if isinstance(r, list) else [r])
            self._group(module, "draw_networkx_labels", "nx_labels", line, lambda r: r.values())
        rectangles = lambda axes: [p for container in axes.containers for p in container.patches]  # noqa: E731
        self._group(squarify, "plot", "squarify", face, rectangles)
        self.wrap(
            matplotlib_venn._common.VennDiagram,
            "__init__",
            lambda r, args, kw: self._keep("venn", [p for p in args[0].patches if p is not None], face),
        )


def _flat(patches) -> list:
    """The bars or polygons of a histogram of one or several data sets."""
    if isinstance(patches, Patch):
        return [patches]
    return [p for part in patches for p in _flat(part)]
