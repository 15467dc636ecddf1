"""The share of a figure under artists that can carry a picture: images, meshes, filled contours, many small artists.

This measures only where such artists are, not whether they are honest: `rrvf.render.pasted` compares the share with the
data in the code. Measured after the figure is drawn. A hidden artist, or one without a known extent, counts as nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection, QuadMesh, TriMesh
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import FigureImage, _ImageBase
from matplotlib.lines import Line2D

#: From this count on, bars, points, lines, words or axes side by side can tile a picture.
_MANY = 64
#: Fewer than twice this many artists of a group are measured. Tiles are spread evenly, so a sample is enough.
_ASKED = 500
#: Cells per side of the grid that the figure is divided into.
_GRID = 64

Box = tuple[float, float, float, float]


def coverage(figure: Figure) -> float:
    """The share of the figure, 0 to 1, that artists able to carry a picture cover."""
    grid = np.zeros((_GRID, _GRID), bool)
    width, height = figure.bbox.size
    for x0, y0, x1, y1 in _places(figure):
        scaled = np.clip(
            np.rint([x0 / width * _GRID, x1 / width * _GRID, y0 / height * _GRID, y1 / height * _GRID]), 0, _GRID
        )
        left, right, low, high = scaled.astype(int)
        grid[low:high, left:right] = True
    return round(float(grid.mean()), 4)


def _places(figure: Figure) -> Iterator[Box]:
    lone = [*figure.findobj(_ImageBase), *(c for c in figure.findobj(Collection) if _pieces(c) >= _MANY)]
    yield from filter(None, map(_box, lone))
    axes = figure.findobj(Axes)
    owned = [[a for owner in (figure, *axes) for a in getattr(owner, kind)] for kind in ("patches", "texts", "lines")]
    for group in (axes, *owned):
        if sum(map(_pieces, group)) >= _MANY:
            yield from _hull(group)


def _pieces(artist: object) -> int:
    """How many parts an artist draws."""
    if isinstance(artist, QuadMesh | TriMesh | ContourSet):
        return _MANY
    if isinstance(artist, Collection):
        return max(len(artist.get_paths()), len(artist.get_offsets()))
    return len(artist.get_xdata(orig=False)) if isinstance(artist, Line2D) else 1


def _hull(group: list) -> Iterator[Box]:
    boxes = np.array([box for box in map(_box, group[:: max(1, len(group) // _ASKED)]) if box])
    if len(boxes):
        yield (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0))


def _box(artist) -> Box | None:
    """The extent of a visible artist in pixels, without clipped parts. None if hidden or unknown."""
    try:
        frame = artist.axes.bbox.extents if artist.axes is not None else artist.figure.bbox.extents
        if isinstance(artist, FigureImage):  # matplotlib gives no extent for these
            size = artist.magnification * np.array(artist.get_size()[::-1])
            found = np.array([artist.ox, artist.oy, artist.ox + size[0], artist.oy + size[1]])
        else:
            found = artist.get_window_extent().extents
        if not np.isfinite(found).all():  # nor for some collections of points
            found = frame
        if not artist.get_visible():
            return None
        if artist.get_clip_on():
            found = (*np.maximum(found[:2], frame[:2]), *np.minimum(found[2:], frame[2:]))
        return tuple(map(float, found))
    except Exception:
        return None
