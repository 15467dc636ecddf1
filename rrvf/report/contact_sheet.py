"""Contact sheets for the notebooks: pictures side by side, each with a caption above."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from rrvf.records import picture_name

INK, LINE = "#1b1f24", "#c3cad1"

#: PNG bytes, a picture file, pixels, or None where there is no picture.
Picture: TypeAlias = bytes | Path | np.ndarray | None


def contact_sheet(
    pictures: Sequence[Picture], captions: Sequence[str] = (), columns: int = 6, width: float = 12.0, title: str = ""
) -> Figure:
    """`pictures` in rows of `columns`, in a figure `width` inches wide. A missing picture is an empty, labelled frame.

    The first picture sets the height of all rows; taller pictures are scaled to it.
    """
    shown = [_pixels(p) for p in pictures]
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    first = next((p for p in shown if p is not None), np.zeros((3, 4)))
    cell = width / columns
    top = 0.3 if title else 0
    height = rows * (cell * first.shape[0] / first.shape[1] + 0.36) + top
    figure = Figure(figsize=(width, height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).ravel()):
        axes.set(xticks=[], yticks=[], visible=i < len(shown))
        if i < len(shown):
            _draw(axes, shown[i], _short(captions[i] if i < len(captions) else "", round(13 * cell)))
    figure.suptitle(title, x=0.01, y=1 - 0.05 / height, ha="left", va="top", weight="bold", size=11)
    figure.tight_layout(pad=0.4, h_pad=1.4, rect=(0, 0, 1, 1 - top / height))
    return figure


def _draw(axes, pixels: np.ndarray | None, caption: str) -> None:
    axes.set_title(caption, size=9, color=INK, parse_math=False)
    for spine in axes.spines.values():
        spine.set_color(LINE)
    if pixels is None:
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", color=LINE, transform=axes.transAxes)
    else:
        axes.imshow(pixels, interpolation="lanczos")


def _short(caption: str, room: int) -> str:
    """The caption cut to `room` characters. The end is kept, because it says more than the beginning."""
    return caption if len(caption) <= room else "…" + caption[1 - room :]


def _pixels(picture: Picture) -> np.ndarray | None:
    if picture is None or isinstance(picture, np.ndarray):
        return picture
    with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as image:
        return np.asarray(image.convert("RGB"))


def answers_figure(folders: Mapping[str, Path], targets: Mapping[str, Path | None], title: str) -> Figure:
    """A row per sample: the target, then its render in each evaluation's folder. An empty frame: the code did not run.

    folders: evaluation folders by caption. targets: target pictures by sample id.
    """
    drawn = lambda i: (folder / "renders" / picture_name(i) for folder in folders.values())  # noqa: E731
    paths = [path for i, target in targets.items() for path in (target, *drawn(i))]
    captions = ["target", *folders] * len(targets)
    return contact_sheet([p if p and p.is_file() else None for p in paths], captions, 1 + len(folders), 9, title)
