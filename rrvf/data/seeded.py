"""Splits of the generators: from seeds to programs and pictures, with no program in two splits."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from types import ModuleType

from rrvf.data.config import DataConfig, Generated
from rrvf.data.manifest import Item
from rrvf.domains import DOMAINS, DomainName
from rrvf.errors import UserError
from rrvf.records import Render

#: Renders programs in order: `Renderer.render_many`, or a fake in tests.
RenderMany = Callable[[list[str]], list[Render]]
GENERATORS = {
    f"generated_{name}": import_module(f"rrvf.data.generated.{name}")
    for domain in DOMAINS.values()
    for name in domain.generators
}
_BLOCK = 32


@dataclass(frozen=True)
class Mixture:
    """A generator of `common` pictures, and of `rare` ones for a `share` of the seeds. Both use `common.code`."""

    common: ModuleType
    rare: ModuleType
    share: float = 0.1

    def spec(self, seed: int):
        """What picture number `seed` shows."""
        return (self.rare if self.is_rare(seed) else self.common).spec(seed)

    def is_rare(self, seed: int) -> bool:
        """Whether picture number `seed` is a rare one."""
        return random.Random(f"rare {seed}").random() < self.share

    def code(self, spec) -> str:
        """The program that draws `spec`."""
        return self.common.code(spec)

    def generate(self, seed: int) -> str:
        """The program of picture number `seed`."""
        return self.code(self.spec(seed))


#: The pre-training generator of the shipped policy, by domain.
PRETRAINED = {
    d.name: Mixture(*(GENERATORS[f"generated_{name}"] for name in d.generators))
    for d in DOMAINS.values()
    if d.generators
}


def programs(config: DataConfig) -> dict[str, list[tuple[int, str]]]:
    """(seed, program) of every sample of every generated split, by split name.

    A pure function of the profile. A seed is skipped if its program occurs in an earlier split or in the pre-training
    data of the shipped policy.
    """
    chosen = {}
    seen: dict[str, set[str]] = {}
    for name, split in config.root.items():
        if isinstance(split, Generated):
            if split.domain not in seen:
                seen[split.domain] = _pretraining(config, split.domain)
            chosen[name] = list(_fresh(split, seen[split.domain]))
    return chosen


def generated(config: DataConfig, domain: DomainName) -> dict[str, Generated]:
    """The generated splits of a domain, by name."""
    return {n: s for n, s in config.root.items() if isinstance(s, Generated) and s.domain == domain}


def avoided(splits: Mapping[str, Generated]) -> int:
    """How many pre-training pictures each of a domain's `splits` avoids: as many as any of them names."""
    return max(s.pretraining for s in splits.values())


def _pretraining(config: DataConfig, domain: DomainName) -> set[str]:
    seeds, mixture = range(avoided(generated(config, domain))), PRETRAINED[domain]
    # Earlier versions of the policy saw common pictures for the rare seeds too.
    common = {mixture.common.generate(seed) for seed in seeds}
    return common | {mixture.rare.generate(seed) for seed in seeds if mixture.is_rare(seed)}


def _fresh(split: Generated, seen: set[str]) -> Iterator[tuple[int, str]]:
    """The first `count` seeds whose programs are not in `seen`. Adds those programs to `seen`."""
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
    """The pictures of `chosen`. Raises UserError if one does not render, because skipping it would change the set."""
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
