"""What is visible in a figure: which texts, axes, and objects that traced calls drew (protocol `fixed` only).

Agg draws the figure twice, at no more than 100 dots per inch and a million pixels: once as it is, and once without its
texts and the traced objects. The picture is the whole figure, or the tight box if the script saves itself that way. For
each text and object, a sample of the pixels that its drawing changes by `_CONTRAST` or more is recorded.

A text or object is visible
- if it has such pixels. It has none if it is invisible, transparent, of the background's colour, outside the picture,
  clipped away or without extent;
- and if some of them (a quarter, for a text) survive to the end: later drawing left them unchanged, or they shine
  through, so that they differ from the second drawing;
- and, for a text, if its letters are at least two pixels high, at least half of its box lies in the picture and in its
  clip box, and the same words do not already stand at the same place.

Objects of other figures count as the benchmark counts them, and so do objects that seaborn draws to find a colour. Axes
are visible if their drawing leaves pixels that survive to the end; axes with neither frame nor content are not.

Not distinguished: which part of an object is visible, so an object with a transparent face and a visible edge counts
with its face; an object hidden below another of exactly its colour. If comparing a figure's objects would take more
than a second, the objects drawn after that point count as visible.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

_CONTRAST = 12  # of 255, in the channel that differs most
_LETTER_PIXELS = 2.0
_PIXELS, _DPI = 1e6, 100.0
_SAMPLE = 512
_COMPARED = 1e9  # pixels, over all objects
_SAVE, _DRAW_TEXT = Figure.savefig, RendererAgg.draw_text


class Sight:
    """What `look` has found: visible texts by count; objects and axes through `seen`."""

    def __init__(self) -> None:
        self.texts: Counter[str] = Counter()
        self.looked = False
        self._seen: set[int] = set()

    def look(self, figure: Figure, objects: Iterable[Artist], tight: bool) -> None:
        """Draw `figure` and find which of its texts, axes and `objects` are visible."""
        tight = tight or matplotlib.rcParams["savefig.bbox"] == "tight"
        artists = {id(artist): artist for artist in objects if not isinstance(artist, Axes | Text)}
        first, second = Watch(), Watch()
        _draw(figure, tight, first, artists.values(), figure.axes)
        _draw(figure, tight, second, artists.values(), None)
        self._seen = {key for key, trail in first.trails.items() if first.still_there(trail, second.picture)}
        for place, key in first.places.items():
            self.texts[place[0]] += key in self._seen
        self.texts += Counter()  # drops texts with count 0
        self.looked = True

    def seen(self, artist: object) -> bool:
        """Whether an object or axes is visible; for a text, whether one of its lines is."""
        if isinstance(artist, Text):
            return any(line in self.texts for line in artist.get_text().split("\n"))
        return id(artist) in self._seen


class Trail:
    """A sample of the pixels that one drawing changed.

    pixels: their positions. colors: their new colours. owner: whose they are, 0 for nobody. least: how many must
    survive.
    """

    def __init__(self, pixels: np.ndarray, colors: np.ndarray, owner: int, least: float) -> None:
        self.pixels, self.colors, self.owner, self.least = pixels, colors, owner, least


class Watch:
    """One drawing, recorded: which object owns which pixel."""

    def __init__(self) -> None:
        self._renderer: RendererAgg | None = None
        self._reset(None)

    def _reset(self, renderer: RendererAgg | None) -> None:
        self._renderer = renderer
        self.trails: dict[int, Trail] = {}
        self.places: dict[tuple, int] = {}
        self.picture: np.ndarray | None = None  # (n, 3), on white; set when the drawing is finished
        self._left = _COMPARED
        self._owners = np.zeros(self._view().shape if renderer else 0, np.int32)

    def _view(self) -> np.ndarray:
        return np.asarray(self._renderer.buffer_rgba()).reshape(-1).view(np.uint32)

    def end(self) -> None:
        """Keep the finished picture, because the next drawing may reuse its memory."""
        if self._renderer:
            self.picture = _on_white(self._view())

    def meet(self, renderer: RendererAgg) -> None:
        """Start over when the drawing does: matplotlib finds a tight box by drawing once before."""
        if renderer is not self._renderer:
            self._reset(renderer)

    def follow(self, key: int, draw: Callable[[], None], owns: bool) -> None:
        """Draw an object and record the pixels that it changes. `owns`: what it covers is no longer visible."""
        if self._left < 0:
            draw()
            self.trails[key] = Trail(np.zeros(0, int), np.zeros((0, 3)), 0, 0)
        else:
            self._note(key, draw, owns, slice(None), 1)

    def read(self, key: int, draw: Callable[[], None], owns: bool, rows: slice) -> None:
        """Draw a text that lies within `rows` and record the pixels that it changes.

        A quarter of its ink must survive to the end.
        """
        width = int(self._renderer.width)
        band = slice(rows.start * width, rows.stop * width)
        before = self._view()[band].copy()
        self._view()[band] = 0
        draw()
        ink = np.count_nonzero(self._view()[band])
        self._view()[band] = before
        self._note(key, draw, owns, band, ink / 4)

    def _note(self, key: int, draw: Callable[[], None], owns: bool, band: slice, least: float) -> None:
        before, owners = self._view()[band].copy(), self._owners[band].copy()
        self._left -= len(before)
        draw()
        after = self._view()[band]
        if len(after) != len(before):
            return
        changed = np.flatnonzero(after != before)
        colors = _on_white(after[changed])
        clear = _differ(colors, _on_white(before[changed]))
        changed, colors = changed[clear], colors[clear]
        if not len(changed):
            return
        own = changed[self._owners[band][changed] == owners[changed]]  # objects drawn inside it keep their own pixels
        if owns:
            self._owners[band][own] = len(self.trails) + 1
        step = -(-len(changed) // _SAMPLE)
        pixels = changed[::step] + (band.start or 0)
        self.trails[key] = Trail(pixels, colors[::step], len(self.trails) + 1 if owns else 0, least / step)

    def still_there(self, trail: Trail, bare: np.ndarray | None) -> bool:
        """Whether enough of a trail survives in the finished picture. `bare`: the picture without watched objects."""
        if not trail.least:
            return True
        final = self.picture[trail.pixels]
        there = ~_differ(final, trail.colors)
        if bare is not None and len(bare) == len(self.picture):
            there |= _differ(final, bare[trail.pixels])
        if trail.owner:
            there &= self._owners[trail.pixels] == trail.owner
        return bool(there.any()) and there.sum() >= trail.least


def _on_white(pixels: np.ndarray) -> np.ndarray:
    rgba = pixels.view(np.uint8).reshape(-1, 4).astype(np.int16)
    return (rgba[:, :3] * rgba[:, 3:].astype(np.int32) // 255 + 255 - rgba[:, 3:]).astype(np.int16)


def _differ(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.abs(ones - others).max(axis=-1, initial=0) >= _CONTRAST


def _draw(figure: Figure, tight: bool, watch: Watch, artists: Iterable[Artist], axes: list[Axes] | None) -> None:
    """Draw under `watch`. With `axes` None, leave out texts and `artists`."""

    def following(artist: Artist, owns: bool) -> Callable:
        draw = artist.draw

        def follow(renderer, *args, **kwargs):
            watch.meet(renderer)
            if axes is None:
                return
            watch.follow(id(artist), lambda: draw(renderer, *args, **kwargs), owns)

        return follow

    def draw_text(renderer, gc, x, y, s, prop, angle, *args, **kwargs):
        watch.meet(renderer)
        if axes is None:
            return
        key = len(watch.places)
        place = (str(s), round(float(x)), round(float(y)), round(float(angle)))
        drawing = lambda: _DRAW_TEXT(renderer, gc, x, y, s, prop, angle, *args, **kwargs)  # noqa: E731
        box = _Box(renderer, x, y, s, prop, angle, *args)
        if place in watch.places or not box.readable(gc):
            drawing()
        else:
            watch.places[place] = -1 - key
            watch.read(-1 - key, drawing, (gc.get_alpha() or 1.0) == 1.0, box.rows)

    changed = [(artist, _opaque(artist)) for artist in artists] + [(each, False) for each in axes or []]
    hooks = [(artist, following(artist, owns)) for artist, owns in changed]
    for artist, hook in hooks:
        artist.draw = hook
    RendererAgg.draw_text = draw_text
    try:
        box = "tight" if tight else None
        _SAVE(figure, io.BytesIO(), format="rgba", dpi=_resolution(figure, tight), bbox_inches=box)
        watch.end()
    finally:
        RendererAgg.draw_text = _DRAW_TEXT
        for artist, _ in hooks:
            vars(artist).pop("draw", None)


def _resolution(figure: Figure, tight: bool) -> float:
    width, height = figure.get_tightbbox().size if tight else figure.get_size_inches()
    area = float(width) * float(height)
    return min(_DPI, np.sqrt(_PIXELS / area)) if np.isfinite(area) and area > 0 else _DPI


def _opaque(artist: Artist) -> bool:
    """Whether an object's own settings make it fully opaque."""
    if artist.get_alpha() is not None and np.min(artist.get_alpha()) < 1:
        return False
    faces = getattr(artist, "get_facecolor", lambda: (1.0,))()
    return bool(np.min(np.atleast_2d(faces)[:, -1], initial=1.0) == 1.0)


class _Box:
    """The extent of a text, as a grid of points in pixels from the upper left."""

    def __init__(self, renderer, x, y, s, prop, angle, ismath=False, mtext=None) -> None:
        self._renderer = renderer
        self._letter = prop.get_size_in_points() * renderer.dpi / 72
        width, height, _ = renderer.get_text_width_height_descent(s, prop, ismath)
        along, up = np.meshgrid(np.linspace(0, width, 9), np.linspace(0, height, 5))
        turn = np.radians(angle)
        self._across = x + along * np.cos(turn) - up * np.sin(turn)
        self._down = y - along * np.sin(turn) - up * np.cos(turn)
        reach = int(np.hypot(width, height)) + 8
        bottom = int(renderer.height)
        self.rows = slice(*np.clip((int(y) - reach, int(y) + reach), 0, bottom).tolist())

    def readable(self, gc) -> bool:
        """Whether letters are high enough, and at least half of the box lies in the picture and in the clip box."""
        left, top, right, bottom = 0.0, 0.0, self._renderer.width, self._renderer.height
        if (box := gc.get_clip_rectangle()) is not None:
            left, right = max(left, box.x0), min(right, box.x1)
            top, bottom = max(top, self._renderer.height - box.y1), min(bottom, self._renderer.height - box.y0)
        across, down = self._across, self._down
        inside = (across >= left) & (across <= right) & (down >= top) & (down <= bottom)
        return self._letter >= _LETTER_PIXELS and bool(inside.mean() >= 0.5)


def artists_in(thing: object, depth: int = 4) -> Iterator[Artist]:
    """Every artist in the result of a plotting call, through lists, containers and dictionaries."""
    if isinstance(thing, Artist):
        yield thing
    elif depth and isinstance(thing, dict):
        for part in thing.values():
            yield from artists_in(part, depth - 1)
    elif depth and (isinstance(thing, list | tuple) or (isinstance(thing, np.ndarray) and thing.dtype.hasobject)):
        for part in thing:
            yield from artists_in(part, depth - 1)
    elif depth and hasattr(thing, "patches"):  # a Venn diagram
        yield from artists_in(list(thing.patches), depth - 1)
