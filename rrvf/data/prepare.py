"""Builds the splits that a profile names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from tqdm import tqdm

from rrvf.data import assets, generated
from rrvf.data.manifest import Item, verify_split, write_split
from rrvf.domains import NANO_CANVAS
from rrvf.errors import UserError
from rrvf.render import Limits, Renderer


class DataConfig(BaseModel):
    """One split: where its pictures come from, how many, from which seed on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["generated_charts", "generated_pages", "gallery", "npm_pages"]
    count: int
    seed: int = 0

    @property
    def domain(self) -> Literal["chart", "web"]:
        return "chart" if self.kind in ("generated_charts", "gallery") else "web"


def prepare(config: dict, root: Path, progress: bool = True) -> None:
    """Build the missing splits of a profile's `data` section under `root` and check those that are there."""
    for name, split in parse(config).items():
        if (root / name).is_dir():
            verify_split(name, root)
            continue
        bar = tqdm(total=split.count, desc=f"data {name}", unit="picture", disable=not progress)
        write_split(name, split.domain, _counted(_items(name, split), split.count, bar), root)
        bar.close()


def parse(config: dict) -> dict[str, DataConfig]:
    """The `data` section of a profile, typed."""
    try:
        return TypeAdapter(dict[str, DataConfig]).validate_python(config)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"data.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _counted(items: Iterator[Item], count: int, bar: tqdm) -> Iterator[Item]:
    for number, item in enumerate(items, 1):
        bar.update()
        yield item
        if number == count:
            return


def _items(name: str, split: DataConfig) -> Iterator[Item]:
    if split.kind in ("generated_charts", "generated_pages"):
        with Renderer(split.domain, 2, Limits(canvas=NANO_CANVAS)) as renderer:
            yield from generated.items(split.domain, split.seed, split.count, renderer.render_many)
        return
    source = assets.gallery if split.kind == "gallery" else assets.npm_pages
    with Renderer(split.domain, 2, assets.LIMITS[split.domain]) as renderer:
        yield from source(split.seed, renderer.render_many)
