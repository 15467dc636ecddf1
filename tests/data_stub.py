"""Stand-ins for the data tests: a renderer that draws a program's hash, and tables in the hub's format."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import ClassVar

import datasets
import numpy as np
from PIL import Image

from rrvf.data import Item
from rrvf.records import Render


def png(text: str, mode: str = "RGB", kind: str = "PNG") -> bytes:
    """A picture of coloured blocks, drawn from the hash of `text`."""
    blocks = np.frombuffer(hashlib.sha256(text.encode()).digest() * 6, np.uint8).reshape(8, 8, 3)
    out = io.BytesIO()
    Image.fromarray(blocks).resize((64, 64), Image.Resampling.NEAREST).convert(mode).save(out, kind)
    return out.getvalue()


def render_many(codes: list[str]) -> list[Render]:
    """A renderer that draws the hash of each program's text."""
    return [Render(status="ok", png=png(code)) for code in codes]


class StubRenderer:
    """Replaces `Renderer` in `prepare` and counts its programs."""

    rendered: ClassVar[list[str]] = []

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> StubRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def render_many(self, codes: list[str]) -> list[Render]:
        self.rendered.extend(codes)
        return render_many(codes)


def item(name: str, code: str | None = "print(1)") -> Item:
    return Item(name, png(name), code, "made for a test", "Apache-2.0")


def table(path: Path, rows: list[dict], images: tuple[str, ...] = ("image",)) -> Path:
    """A parquet file in the hub's format: encoded pictures, and the feature types in its schema."""
    data = datasets.Dataset.from_list(rows)
    for column in images:
        data = data.cast_column(column, datasets.Image())
    path.parent.mkdir(parents=True, exist_ok=True)
    data.to_parquet(path)
    return path
