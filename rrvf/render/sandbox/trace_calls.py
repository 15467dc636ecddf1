"""Counts plotting calls by label (metrics_spec 1.5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import matplotlib_venn
import networkx
import squarify
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.image import NonUniformImage
from matplotlib.patches import Circle, Ellipse
from matplotlib.projections.polar import PolarAxes
from mpl_toolkits.mplot3d import Axes3D
from networkx.drawing import nx_pylab
from trace_seen import artists_in
from trace_wrap import Wrapping, is_kind

#: Methods of ordinary axes. The label is the method's name.
_AXES = [
    "bar", "barh", "scatter", "axhline", "axvline", "axhspan", "axvspan", "hlines", "vlines", "errorbar", "boxplot",
    "violinplot", "violin", "hist", "fill_between", "fill_betweenx", "quiver", "pie", "fill", "imshow", "pcolor",
    "contour", "contourf", "broken_barh", "tripcolor",
]  # fmt: skip
#: Methods of 3-D axes and their labels. Aliases such as `plot3D` are separate attributes and stay unwrapped. `contour`
#: and `contourf` call the ordinary axes' methods and are counted there.
_AXES_3D = {
    "bar": "bar",
    "scatter": "scatter",
    "plot": "plot@3d",
    "plot_surface": "plot_surface@3d",
    "bar3d": "bar3d@3d",
    "add_collection3d": "add_collection3d@3d",
}
_NETWORKX = {"draw_networkx_nodes": "nx_nodes", "draw_networkx_edges": "nx_edges", "draw_networkx_labels": "nx_labels"}


class CallTrace(Wrapping):
    """How often each label was called from outside any other traced call."""

    nothing: dict = {}

    def __init__(self, named: bool, protocol: str, stops: bool = False) -> None:
        super().__init__(named, keep_flag=protocol != "fixed", stops=stops)
        self._exact = protocol == "official"
        self._calls: list[list] = []  # [label, result of the call]

    def install(self) -> None:
        """Wrap every traced function."""
        for name in _AXES:
            self._count(Axes, name, name)
        self._count_plot()
        for name, label in _AXES_3D.items():
            self._count(Axes3D, name, label)
        for patch in (Ellipse, Circle):
            self._count(patch, "__init__", "ellipse_or_circle")
        self._count(NonUniformImage, "__init__", "non_uniform_image")
        self._count(matplotlib_venn._common.VennDiagram, "__init__", "venn")
        self._count(squarify, "plot", "squarify")
        for name, label in _NETWORKX.items():
            # networkx's own functions look the name up in nx_pylab; scripts look it up in the package.
            self._count(nx_pylab, name, label)
            self._count(networkx, name, label)

    def _count(self, owner: object, name: str, label: str) -> None:
        self._wrap_call(owner, name, lambda args: label)

    def _count_plot(self) -> None:
        polar = lambda axes: is_kind(axes, PolarAxes, self._exact)  # noqa: E731
        self._wrap_call(Axes, "plot", lambda args: "plot@polar" if polar(args[0]) else "plot")

    def _wrap_call(self, owner: object, name: str, label: Callable[[tuple], str]) -> None:
        """Count a call at its start, because a failing call counts too, and keep its result at its end."""

        def begins(_, args: tuple, kwargs: dict) -> None:
            self._calls.append([label(args), None])

        def ends(result: object, args: tuple, kwargs: dict) -> None:
            self._calls[-1][1] = args[0] if name == "__init__" else result

        self.wrap(owner, name, ends, begins)

    def objects(self) -> list[Artist]:
        """Every artist that the counted calls drew."""
        return [artist for _, result in self._calls for artist in artists_in(result)]

    def items(self, seen: Callable[[object], bool] | None = None) -> dict[str, int]:
        """Counts by label. With `seen`, a call is left out if `seen` rejects everything that it drew."""
        return dict(Counter(label for label, result in self._calls if seen is None or _shown(result, seen)))


def _shown(result: object, seen: Callable[[object], bool]) -> bool:
    artists = [a for a in artists_in(result) if not isinstance(a, Axes)]
    return not artists or any(map(seen, artists))
