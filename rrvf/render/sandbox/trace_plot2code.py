"""What Plot2Code extracts from a script: every visible text with its raw position (metrics_spec 2.3)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from numbers import Real

import numpy as np
from faults import Fault
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.text import Text


def remember_resolution() -> None:
    """Make a figure remember its own save resolution when the harness draws it at another one."""
    set_dpi = Figure.set_dpi

    def remembering(figure: Figure, value: float) -> None:
        figure._dpi_before = getattr(figure, "_original_dpi", figure.dpi)
        set_dpi(figure, value)

    Figure.set_dpi = remembering


def plot2code_items(figure: Figure) -> dict:
    """Every visible text with its raw position, and the figure's size in inches.

    The figure is first saved with its own settings, as the original does: this creates the ticks and places the labels,
    some of them in pixels. Raises Fault(blank) if the picture is all white.
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
    """A position as a number. None for strings and dates, which match nothing."""
    return float(value) if isinstance(value, Real) and np.isfinite(value) else None
