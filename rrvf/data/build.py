"""Builds and checks the splits of a profile: `rrvf data prepare` and `rrvf data verify`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rrvf.data import gallery, seeded
from rrvf.data.config import (
    AnySplit,
    ChartMimic,
    ColdStart,
    DataConfig,
    Folder,
    Gallery,
    Generated,
    NpmPages,
    Plot2Code,
    WebSight,
)
from rrvf.data.manifest import Item, recipe_of, verify_split, write_split
from rrvf.data.store import shared
from rrvf.errors import UserError
from rrvf.render import Renderer

#: Increased when a rule in this package changes the content of a split. Finished splits are then built again.
VERSION = 1
#: Returns `seeded.programs` of the profile.
Programs = Callable[[], dict[str, list[tuple[int, str]]]]


def prepare(
    section: DataConfig | dict[str, Any],
    root: Path,
    progress: bool = True,
    names: Collection[str] | None = None,
    store: Path | None = None,
) -> dict[str, int]:
    """Build the splits `names` (None: all) that do not exist yet, then check all of them. Returns their sizes.

    `<root>/<name>` becomes a link into `store` (default `<root>/.splits`), where equal splits are stored once. A kill
    at any point leaves only complete splits, and the next call continues with the first missing one.
    """
    config = DataConfig.read(section)
    names = [name for name in config.root if names is None or name in names]
    programs = cache(lambda: seeded.programs(config))  # takes seconds and serves every generated split
    store = store or root / ".splits"

    def build(name: str, made_by: str, key: str) -> None:
        split = config.root[name]
        with tqdm(desc=f"data {name}", total=split.count, unit="picture", disable=not progress) as bar:
            items = _counted(name, split, _items(name, split, programs), bar)
            write_split(name, split.domain, items, store, made_by, key)

    for name in names:
        made_by = recipe(name, config)
        shared(name, made_by, root, store, partial(build, name, made_by))
    return verify(config, root, names)


def verify(section: DataConfig | dict[str, Any], root: Path, names: Collection[str] | None = None) -> dict[str, int]:
    """Check the splits `names` (None: all) of a profile, file by file. Returns their sizes.

    The UserError names the first bad file or split.
    """
    config = DataConfig.read(section)
    names = [name for name in config.root if names is None or name in names]
    sizes = {name: verify_split(name, root) for name in names}
    for name in names:
        if not is_ready(name, config, root):
            raise UserError(f"{root / name} was made by another recipe than the profile's: run `rrvf data prepare`")
    return sizes


def is_ready(name: str, config: DataConfig, root: Path) -> bool:
    """Whether the finished split `name` was built by the profile's recipe."""
    return recipe_of(name, root) == recipe(name, config)


def recipe(name: str, config: DataConfig) -> str:
    """All that decides a split's content, as JSON. A generated split also lists the earlier ones that it avoids."""
    split = config.root[name]
    made: dict[str, Any] = {"version": VERSION, "split": split.model_dump()}
    if isinstance(split, Generated):
        alike = seeded.generated(config, split.domain)
        before = list(alike.values())[: list(alike).index(name)]
        made |= {"generator": seeded.GENERATORS[split.kind].VERSION, "avoids": [s.model_dump() for s in before]}
        # A later split may name more pre-training pictures to avoid than those that stand here.
        if (avoided := seeded.avoided(alike)) > max(s.pretraining for s in (*before, split)):
            made |= {"pretraining": avoided}
    if isinstance(split, Folder):
        from rrvf.data import folder

        made |= {"files": folder.fingerprint(split)}
    return json.dumps(made, default=asdict, sort_keys=True) + "\n"


def _counted(name: str, split: AnySplit, items: Iterator[Item], bar: tqdm) -> Iterator[Item]:
    """The items. Raises UserError at their end if there are fewer than `count`, or than the data set has."""
    found = 0
    for item in items:
        yield item
        found += 1
        bar.update()
    wanted = split.count or getattr(split, "size", 0)
    if found < wanted:
        raise UserError(f"split {name}: {found} found where there should be {wanted}: check its source, or set `count`")


def _items(name: str, split: AnySplit, programs: Programs) -> Iterator[Item]:
    """The items of one split. Renders programs where the split has no pictures of its own."""
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
    from rrvf.data import chartmimic, cold_start, folder, plot2code, websight

    if isinstance(split, ChartMimic):
        return chartmimic.items(split)
    if isinstance(split, Plot2Code):
        return plot2code.items(split)
    if isinstance(split, ColdStart):
        return cold_start.items(split)
    if isinstance(split, Folder):
        return folder.items(split)
    assert isinstance(split, WebSight)
    return websight.items(split)
