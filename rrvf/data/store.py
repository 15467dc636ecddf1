"""One folder per recipe: equal splits are stored once, whatever name profiles give them.

`STORE/<hash of the recipe>/` holds a split; `<root>/<name>` is a link to it. A split from before this store is a folder
where the link should be. It is moved into the store and linked; it is never rebuilt or deleted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rrvf.data.manifest import RECIPE, recipe_of, verify_split
from rrvf.errors import UserError
from rrvf.folders import owned


def shared(name: str, recipe: str, root: Path, store: Path, build: Callable[[str], None]) -> None:
    """Make `<root>/<name>` a link to the split of `recipe`.

    If no such split is found, `build(key)` writes it to `STORE/<key>`. Processes that want the same split wait for the
    one that builds it.
    """
    key = _key(recipe)
    root.mkdir(parents=True, exist_ok=True)
    store.mkdir(parents=True, exist_ok=True)
    with owned(store / key, wait=True, lock=store / f".{key}.lock"):
        if (root / name).is_dir() and not (root / name).is_symlink():
            _move_in(root / name, store)
        if recipe_of(key, store) != recipe and (found := _made_before(recipe, store)):
            _move_in(found, store)
        if recipe_of(key, store) != recipe:
            build(key)
        _link(root / name, store / key)


def _key(recipe: str) -> str:
    return hashlib.sha256(recipe.encode()).hexdigest()[:16]


def _made_before(recipe: str, store: Path) -> Path | None:
    """A complete split of `recipe` in a profile's folder beside the store that is not a link yet, or None."""
    for path in sorted(store.parent.glob(f"*/*/{RECIPE}")):
        folder = path.parent
        if folder.is_symlink() or folder.parent == store or path.read_text(encoding="utf-8") != recipe:
            continue
        with suppress(UserError):
            verify_split(folder.name, folder.parent)
            return folder
    return None


def _move_in(folder: Path, store: Path) -> None:
    """Move a split into the store, under the hash of its own recipe, and leave a link."""
    key = _key(recipe_of(folder.name, folder.parent) or "")
    target, number = store / key, 1
    while target.exists():  # keep another split of the same recipe
        target, number = store / f"{key}-{number}", number + 1
    folder.rename(target)
    _link(folder, target)


def _link(link: Path, target: Path) -> None:
    """Make `link` point to `target`, atomically. The link is relative, so the data folder can be moved."""
    partial = link.with_name(f".{link.name}.link")
    partial.unlink(missing_ok=True)
    partial.symlink_to(os.path.relpath(target, link.parent))
    partial.replace(link)
