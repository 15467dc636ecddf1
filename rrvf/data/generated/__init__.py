"""Seeded, versioned generators of chart scripts and pages: the CPU profile's training pictures and in-domain tests.

A generator is a pure function of its seed. Seed ranges keep the sets apart: 0 to 999,999 pre-training, from 1,000,000
training pictures, from 2,000,000 tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rrvf.data.generated import charts, pages
from rrvf.data.manifest import Item
from rrvf.records import Render

GENERATORS = {"chart": charts, "web": pages}
_BLOCK = 50


def items(domain: str, seed: int, count: int, render_many: Callable[[list[str]], list[Render]]) -> Iterator[Item]:
    """`count` pictures of the generator from `seed` on."""
    generator = GENERATORS[domain]
    for start in range(0, count, _BLOCK):
        seeds = range(seed + start, seed + min(count, start + _BLOCK))
        codes = [generator.generate(s) for s in seeds]
        for s, code, render in zip(seeds, codes, render_many(codes), strict=True):
            if not render.ok:
                raise RuntimeError(f"generated {domain} {s} does not render: {render.message}")
            yield Item(f"{domain}_{s}", render.png, code, f"generated, version {generator.VERSION}, seed {s}", "Apache-2.0")
