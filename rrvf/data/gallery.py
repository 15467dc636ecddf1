"""Matplotlib's own gallery as an unseen test set: scripts of exactly the version that draws the charts.

    python -m rrvf.data.gallery          (prints every script with the rule that refuses it, then the counts)

A script is usable if
1. it is neither animated nor interactive: no animation, widget, event, pause or window of its own;
2. it is self-contained: it reads no sample data of matplotlib's, which a picture cannot show;
3. it runs in the sandbox at its own size, within the default limits except for time;
4. it leaves exactly one figure open;
5. it gives the same PNG twice.

Rules 1 and 2 are checked on the code, rules 3 to 5 on two renders, the second with a count of the figures appended.
Plot2Code's charts come from this gallery: use it for evaluation and examples, never for training.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rrvf.data.manifest import Item
from rrvf.data.seeded import RenderMany
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.places import CACHE
from rrvf.records import Render
from rrvf.render import Limits, Renderer

ASSETS = CACHE / "assets"
VERSION = "matplotlib-3.8.4"
_MOVING = re.compile(
    r"matplotlib\.animation|FuncAnimation|matplotlib\.widgets|mpl_connect|\.connect\(|ginput\(|waitforbuttonpress|"
    r"plt\.pause|new_timer|set_picker|matplotlib\.backends|matplotlib\.backend_|plt\.ion\(|matplotlib\.use\("
)
_SAMPLES = re.compile(r"get_sample_data|sample_data|cbook")
_ONE_FIGURE = """
import matplotlib.pyplot as _plt
if len(_plt.get_fignums()) != 1:
    raise RuntimeError(f"{len(_plt.get_fignums())} figures")
"""
#: More time than elsewhere, so that a busy machine does not change the set.
LIMITS = Limits(wall_s=120, cpu_s=40)
_BLOCK = 16


def items(count: int | None, seed: int, render_many: RenderMany, assets: Path = ASSETS) -> Iterator[Item]:
    """The first `count` usable scripts, in an order drawn by `seed`. Their ids are their paths."""
    paths = scripts(assets)
    random.Random(seed).shuffle(paths)
    return islice((item for *_, item in survey(paths, render_many) if item), count)


def scripts(assets: Path = ASSETS) -> list[Path]:
    """Every script of the gallery in name order. Raises UserError if the gallery was not downloaded."""
    folder = assets / VERSION / "galleries" / "examples"
    if not folder.is_dir():
        raise UserError(f"no matplotlib gallery in {assets}: run `make assets`")
    return sorted(folder.rglob("*.py"))


def survey(paths: list[Path], render_many: RenderMany) -> Iterator[tuple[Path, str | None, Item | None]]:
    """Each script with the rule that refuses it, or with None and its item. Renders a block of scripts at a time."""
    for start in range(0, len(paths), _BLOCK):
        block = [(path, path.read_text(encoding="utf-8")) for path in paths[start : start + _BLOCK]]
        codes = [code for _, code in block if refused_by_code(code) is None]
        renders = render_many([text for code in codes for text in (code, code + _ONE_FIGURE)])
        pairs = dict(zip(codes, zip(renders[::2], renders[1::2], strict=True), strict=True))
        for path, code in block:
            refusal = refused_by_code(code) or refused_by_render(*pairs[code])
            yield path, refusal, None if refusal else _item(path, code, pairs[code][0].png)


def refused_by_code(code: str) -> str | None:
    """The reason by rules 1 and 2; None if the code passes."""
    if _MOVING.search(code):
        return "moves or waits for a person"
    return "reads sample data" if _SAMPLES.search(code) else None


def refused_by_render(plain: Render, counted: Render) -> str | None:
    """The reason by rules 3 to 5, from the script's render and the render with its figures counted."""
    if not plain.ok:
        return f"does not render: {plain.reason}"
    if not counted.ok:
        return "not one figure" if counted.reason == "exception" else f"does not render: {counted.reason}"
    return None if plain.png == counted.png else "another picture each time"


def _item(path: Path, code: str, png: bytes) -> Item:
    name = f"{path.parent.name}/{path.stem}"
    return Item(name, png, code, f"{VERSION}, galleries/examples/{name}.py", "matplotlib licence (BSD style)")


def main() -> None:
    """Print the verdict on every script of the gallery and the counts."""
    counts: Counter[str] = Counter()
    with Renderer(CHART.name, workers=2, limits=LIMITS) as renderer:
        for path, refusal, _ in survey(scripts(), renderer.render_many):
            counts[refusal or "usable"] += 1
            print(f"{path.parent.name}/{path.stem}: {refusal or 'usable'}", flush=True)
    for verdict, n in counts.most_common():
        print(f"{n:4} {verdict}")


if __name__ == "__main__":
    main()
