"""Builds and checks the splits that a profile names: `rrvf data prepare` and `rrvf data verify`."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rrvf.data import gallery, seeded
from rrvf.data.config import AnySplit, ChartMimic, ColdStart, DataConfig, Gallery, Generated, NpmPages, Plot2Code
from rrvf.data.manifest import Item, recipe_of, verify_split, write_split
from rrvf.errors import UserError
from rrvf.render import Renderer

#: Raised when a rule of this folder changes what a split holds: finished splits are then built again.
VERSION = 1
#: Gives `seeded.programs` of the profile.
Programs = Callable[[], dict[str, list[tuple[int, str]]]]


def prepare(section: DataConfig | dict[str, Any], root: Path, progress: bool = True) -> dict[str, int]:
    """Build the splits that are missing under `root` or were made by another recipe; check all; gives their sizes.

    Killed at any point, it leaves whole splits only, and the next call goes on with the first that is missing. A second
    process waits for the first.
    """
    config = DataConfig.read(section)
    root.mkdir(parents=True, exist_ok=True)
    programs = cache(lambda: seeded.programs(config))  # seconds, and the same for every generated split
    with _alone(root):
        for name, split in config.root.items():
            made_by = recipe(name, config)
            if recipe_of(name, root) != made_by:
                with tqdm(desc=f"data {name}", total=split.count, unit="picture", disable=not progress) as bar:
                    write_split(
                        name, split.domain, _counted(name, split, _items(name, split, programs), bar), root, made_by
                    )
        return verify(config, root)


def verify(section: DataConfig | dict[str, Any], root: Path) -> dict[str, int]:
    """Check every split of a profile file by file; gives their sizes. UserError names the first that is bad."""
    config = DataConfig.read(section)
    sizes = {name: verify_split(name, root) for name in config.root}
    for name in config.root:
        if recipe_of(name, root) != recipe(name, config):
            raise UserError(f"{root / name} was made by another recipe than the profile's: run `rrvf data prepare`")
    return sizes


def recipe(name: str, config: DataConfig) -> str:
    """Everything that decides what a split holds, as JSON: of generated ones, also those before it, which it avoids."""
    split = config.root[name]
    made: dict[str, Any] = {"version": VERSION, "split": split.model_dump()}
    if isinstance(split, Generated):
        before = list(config.root.values())[: list(config.root).index(name)]
        made |= {"generator": seeded.GENERATORS[split.kind].VERSION}
        made |= {"avoids": [s.model_dump() for s in before if isinstance(s, Generated) and s.domain == split.domain]}
    return json.dumps(made, default=asdict, sort_keys=True) + "\n"


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    with open(root / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _counted(name: str, split: AnySplit, items: Iterator[Item], bar: tqdm) -> Iterator[Item]:
    """The items, and a UserError at their end where there were fewer than the split asks for, or than its set has."""
    found = 0
    for item in items:
        yield item
        found += 1
        bar.update()
    wanted = split.count or getattr(split, "size", 0)
    if found < wanted:
        raise UserError(f"split {name}: {found} found where there should be {wanted}: check its source, or set `count`")


def _items(name: str, split: AnySplit, programs: Programs) -> Iterator[Item]:
    """The items of one split, with a renderer for those that are rendered here."""
    own = isinstance(split, Generated | Gallery | NpmPages)
    limits = replace(gallery.LIMITS, canvas=getattr(split, "canvas", None))
    with Renderer(split.domain, workers=2, limits=limits) if own else nullcontext() as renderer:
        yield from _rendered(name, split, programs, renderer) if own else _shipped(split)


def _rendered(name: str, split: AnySplit, programs: Programs, renderer: Renderer) -> Iterator[Item]:
    from rrvf.data import npm_pages

    if isinstance(split, Generated):
        return seeded.items(split, programs()[name], renderer.render_many)
    source = gallery if isinstance(split, Gallery) else npm_pages
    return source.items(split.count, split.seed, renderer.render_many)


def _shipped(split: AnySplit) -> Iterator[Item]:
    from rrvf.data import chartmimic, cold_start, plot2code, websight

    if isinstance(split, ChartMimic):
        return chartmimic.items(split)
    if isinstance(split, Plot2Code):
        return plot2code.items(split)
    return cold_start.items(split) if isinstance(split, ColdStart) else websight.items(split)
