"""Does a program give the same bytes again, with another worker and in another order?

    python bench/render_repeats.py [--charts 100] [--pages 30]

The programs are scripts of matplotlib's gallery and real pages of npm packages, without scripts. The first pass has one
worker, the second has two and the reverse order. Prints the names of those that differ; a chart that shows the time of
day always does.
"""

from __future__ import annotations

import argparse
import json
import random
from itertools import islice
from pathlib import Path

from rrvf.data.gallery import scripts
from rrvf.data.npm_pages import in_turn, one_file, pages
from rrvf.render import Limits, Renderer

LIMITS = Limits(wall_s=120, cpu_s=40)


def gallery() -> dict[str, str]:
    """Scripts by name, in a fixed order."""
    paths = scripts()
    random.Random(0).shuffle(paths)
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def real_pages() -> dict[str, str]:
    """Pages by name, alternating between the packages."""
    found = ((path, one_file(path, package)) for package, path in in_turn(pages(), 0))
    return {str(Path(*path.parts[-4:])): code for path, code in islice(((p, c) for p, c in found if c), 60)}


def differing(domain: str, codes: dict[str, str], count: int) -> tuple[int, list[str]]:
    """The number of programs drawn twice, at most `count`, and the names of those whose bytes differ."""
    with Renderer(domain, 1, LIMITS) as one:
        rendered = ((name, one.render(code).png) for name, code in codes.items())
        first = dict(islice(((name, png) for name, png in rendered if png), count))
    names = list(reversed(first))
    with Renderer(domain, 2, LIMITS) as two:
        second = two.render_many([codes[name] for name in names])
    return len(first), [name for name, render in zip(names, second, strict=True) if render.png != first[name]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--charts", type=int, default=100)
    parser.add_argument("--pages", type=int, default=30)
    options = parser.parse_args()
    for domain, codes, count in (("chart", gallery(), options.charts), ("web", real_pages(), options.pages)):
        drawn, differ = differing(domain, codes, count)
        print(json.dumps({"domain": domain, "drawn_twice": drawn, "identical": drawn - len(differ), "differ": differ}))


if __name__ == "__main__":
    main()
