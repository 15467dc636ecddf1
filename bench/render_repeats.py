"""The same program again, by another worker and in another order: the same bytes?

    python bench/render_repeats.py [--charts 100] [--pages 30]

Scripts of matplotlib's gallery and real pages of npm packages, scripts off. The first pass has one worker, the second
two and the order reversed. Prints what differs by name; a chart that tells the time of day cannot be the same twice.
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
    """Scripts by name, in an order that is always the same."""
    paths = scripts()
    random.Random(0).shuffle(paths)
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def real_pages() -> dict[str, str]:
    """Pages by name, one package after the other."""
    found = ((path, one_file(path, package)) for package, path in in_turn(pages(), 0))
    return {str(Path(*path.parts[-4:])): code for path, code in islice(((p, c) for p, c in found if c), 60)}


def differing(domain: str, codes: dict[str, str], count: int) -> tuple[int, list[str]]:
    """How many of `codes` were drawn twice, `count` at most, and the names of those whose bytes differ."""
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
