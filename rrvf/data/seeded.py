"""Splits of the generators: a seed in, a program and its picture out, and no program in two splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from rrvf.data.config import DataConfig, Generated
from rrvf.data.generated import charts, pages, wide_charts
from rrvf.data.manifest import Item
from rrvf.errors import UserError
from rrvf.records import DomainName, Render

#: Renders programs in order: `Renderer.render_many`, or a stand-in in tests.
RenderMany = Callable[[list[str]], list[Render]]
GENERATORS = {"generated_charts": charts, "generated_wide_charts": wide_charts, "generated_pages": pages}
#: By domain, what the shipped policy was pre-trained on.
PRETRAINED = {"chart": charts, "web": pages}
_BLOCK = 32


def programs(config: DataConfig) -> dict[str, list[tuple[int, str]]]:
    """Seed and program of every sample of every generated split, by the split's name.

    A pure function of the profile: a seed whose program stands in an earlier split, or in what the shipped policy was
    pre-trained on, gives way to the next.
    """
    chosen = {}
    seen: dict[str, set[str]] = {}
    for name, split in config.root.items():
        if isinstance(split, Generated):
            if split.domain not in seen:
                seen[split.domain] = _pretraining(config, split.domain)
            chosen[name] = list(_fresh(split, seen[split.domain]))
    return chosen


def _pretraining(config: DataConfig, domain: DomainName) -> set[str]:
    splits = [s for s in config.root.values() if isinstance(s, Generated) and s.domain == domain]
    generate = PRETRAINED[domain].generate
    return {generate(seed) for seed in range(max(s.pretraining for s in splits))}


def _fresh(split: Generated, seen: set[str]) -> Iterator[tuple[int, str]]:
    """The first `count` seeds with programs that are not in `seen`; adds them to it."""
    left = split.count
    for seed in count(split.seed):
        code = GENERATORS[split.kind].generate(seed)
        if code not in seen:
            seen.add(code)
            yield seed, code
            left -= 1
        if not left:
            return


def items(split: Generated, chosen: list[tuple[int, str]], render_many: RenderMany) -> Iterator[Item]:
    """The pictures of `chosen`. UserError where one does not render: leaving it out would change the set."""
    generator = GENERATORS[split.kind]
    source = f"rrvf {generator.__name__.rsplit('.', 1)[1]} generator {generator.VERSION}"
    for start in range(0, len(chosen), _BLOCK):
        block = chosen[start : start + _BLOCK]
        for (seed, code), render in zip(block, render_many([code for _, code in block]), strict=True):
            if not render.ok:
                why = f"{render.reason} ({render.message})"
                raise UserError(
                    f"generated {split.domain} {seed} did not render: {why}: run `rrvf doctor`, then prepare again"
                )
            yield Item(f"{split.domain}-{seed}", render.png, code, f"{source}, seed {seed}", "Apache-2.0")
