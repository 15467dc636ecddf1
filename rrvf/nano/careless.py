"""Writes programs with the faults of much code on the web, which a 7B base model has read.

Parts are left out, and some calls are wrong.

A base that is taught flawless programs fails only at reading, which RL cannot teach in an hour. One that can write
titles, labels and colours and often does not, and that knows a call and often misremembers it, leaves RL what RL is
good at: to do what the picture shows. The picture and the transcription in `<think>` stay whole; only the
program is careless.

    careless(DOMAINS["chart"], spec, random.Random(0))

`OMITTED`, `MISREMEMBERED`, `CUT` and `BROKEN` are the table of docs/nano_card.md.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from rrvf.data.generated import charts, pages
from rrvf.data.seeded import PRETRAINED
from rrvf.domains import Domain

#: How often each part is left out, each by itself.
OMITTED = 0.55
#: Of a page, header and colours are left out less often, so that half of the sampled pages have them.
OMITTED_OF_PAGES = {"header": 0.35, "colour": 0.35}
#: Kind of chart: what the call should say, what is written in its place, in `MISTAKEN` of them. More often wrong than
#: right, so that greedy decoding fails too, as a 7B model's does.
MISREMEMBERED = {
    "barh": (".barh(", ".hbar("),
    "stem": (".stem(", ".stems("),
    "errorbar": ("yerr=", "error="),
    "area": (".fill_between(", ".area("),
    "stacked": ("bottom=", "base="),
}
MISTAKEN = 0.75
#: A list of at least so many values loses its last one, in a share of them.
LONG, CUT = 8, 0.6
#: How often a program of any kind is broken in another way.
BROKEN = 0.08
_LIST = re.compile(r"^([xy]) = \[([^\[\]]*), [^,\[\]]*\]$", re.MULTILINE)
_COLOUR = re.compile(r", color='[^']*'|color='[^']*', ")
_BACKGROUND = re.compile(r"background:[^;']*;color:white;?")


@dataclass(frozen=True)
class Parts:
    """The parts of a chart or a page that a program writes; by default all."""

    title: bool = True
    xlabel: bool = True
    ylabel: bool = True
    legend: bool = True
    colour: bool = True
    grid: bool = True
    marker: bool = True
    header: bool = True
    footer: bool = True
    cells: bool = True

    @classmethod
    def drawn(cls, rng: random.Random, omitted: Mapping[str, float] = MappingProxyType({})) -> Parts:
        """Each part left out with the probability that `omitted` gives it, else `OMITTED`."""
        return cls(**{part.name: rng.random() >= omitted.get(part.name, OMITTED) for part in fields(cls)})


def careless(domain: Domain, spec: charts.Spec | pages.Spec, rng: random.Random) -> str:
    """The program of `spec` as a careless hand writes it."""
    omitted = OMITTED_OF_PAGES if isinstance(spec, pages.Spec) else {}
    code = written(domain, spec, Parts.drawn(rng, omitted))
    return _mistaken(code, spec.kind, rng) if isinstance(spec, charts.Spec) else code


def written(domain: Domain, spec: charts.Spec | pages.Spec, parts: Parts) -> str:
    """The program of `spec` with no more than `parts` of it."""
    if isinstance(spec, pages.Spec):
        return _page(spec, parts)
    shown = replace(
        spec,
        title=spec.title if parts.title else None,
        xlabel=spec.xlabel if parts.xlabel else None,
        ylabel=spec.ylabel if parts.ylabel else None,
        grid=spec.grid and parts.grid,
        marker=spec.marker if parts.marker else None,
        dashed=spec.dashed and parts.marker,
    )
    code = PRETRAINED[domain.name].code(shown)
    if not parts.legend:
        code = "\n".join(line for line in code.split("\n") if ".legend(" not in line)
    return code if parts.colour else _COLOUR.sub("", code)


def _page(spec: pages.Spec, parts: Parts) -> str:
    shown = replace(
        spec,
        header=spec.header and parts.header,
        footer=spec.footer if parts.footer else None,
        centred=spec.centred and parts.grid,
        cells=spec.cells if parts.cells else spec.cells[: _fewer(spec)],
    )
    code = pages.code(shown)
    if not parts.colour:
        code = _BACKGROUND.sub("", code).replace(" style=''", "")
    return code if parts.title else re.sub(r"<h2[^\n]*</h2>\n", "", code)


def _fewer(spec: pages.Spec) -> int:
    """Cells of a page that leaves some out: a row less of a table, one less of all else, never none."""
    step = 3 if spec.body == "table" else 1
    return max(step, len(spec.cells) - step)


def _mistaken(code: str, kind: str, rng: random.Random) -> str:
    """`code` with the mistakes that its kind and its length invite, and now and then another one."""
    if kind in MISREMEMBERED and rng.random() < MISTAKEN:
        code = code.replace(*MISREMEMBERED[kind])
    elif any(m[2].count(",") + 2 >= LONG for m in _LIST.finditer(code)) and rng.random() < CUT:
        code = _LIST.sub(lambda m: f"{m[1]} = [{m[2]}]" if m[1] == "y" else m[0], code, count=2)
    return rng.choice(_BREAKS)(code) if rng.random() < BROKEN else code


_BREAKS = (
    lambda code: code.removesuffix(")"),  # the last bracket forgotten
    lambda code: code.replace("y = [", "y = [[", 1),
    lambda code: code.replace("import matplotlib.pyplot as plt", "import matplotlib as plt", 1),
)
