"""What a traced run reports of a script, checked: the process that reports it ran foreign code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat, NonNegativeInt, ValidationError

from rrvf.records import Record, Render
from rrvf.render import Trace

_TRACER = Path(__file__).parents[1] / "render" / "sandbox"
#: What a script may report of any kind; scoring is linear in it. A script that reports more counts as one that did not
#: run.
_MOST = 20_000

Texts = Annotated[list[str], Field(max_length=_MOST)]
Places = Annotated[list[Annotated[list[int], Field(min_length=6, max_length=6)]], Field(max_length=_MOST)]
Count = Annotated[NonNegativeInt, Field(le=10**9)]
Axes = Annotated[NonNegativeInt, Field(le=_MOST)]
Calls = Annotated[dict[str, Count], Field(max_length=1_000)]
Colors = Annotated[list[tuple[str, str]], Field(max_length=_MOST)]


class Guarded(Record):
    """`official`: of a script that the original's own tracer stops half-way, what it had seen until then."""

    type: Calls = {}
    color: Colors = []


class Drawn(Record):
    """`fixed`: all that was drawn, seen or not."""

    text: Texts
    layout: Places
    axes: Axes
    type: Calls
    color: Colors


class ChartItems(Drawn):
    """Texts in drawing order, places in grids, number of axes with and without one, calls by label, [group, colour]."""

    guarded: Guarded | None = None
    drawn: Drawn | None = None


class TextItems(Record):
    """Of a Plot2Code run: [string, x, y] of every text, a place None where it is no number; the figure's inches."""

    texts: list[tuple[str, FiniteFloat | None, FiniteFloat | None]] = Field(max_length=5_000)
    size: tuple[FiniteFloat, FiniteFloat]


def ran(render: Render) -> bool:
    """Whether a script counts as executed in ChartMimic.

    One with items does, since they are read where its PDF exists (metrics_spec 1.2). Its figure may be blank, or of a
    size that nobody can look at: its picture scores 0.
    """
    return render.ok or render.items is not None


def items_of(render: Render, trace: Trace = "fixed") -> dict | None:
    """The items of a render that was traced; None where the script did not run or reported what no tracer reports.

    Plot2Code fails a blank figure too (metrics_spec 2.2).
    """
    if render.items is None or not (render.ok if trace == "plot2code" else ran(render)):
        return None
    shape = TextItems if trace == "plot2code" else ChartItems
    try:
        shape.model_validate_json(json.dumps(render.items), strict=True)
    except ValidationError:
        return None
    return render.items


@cache
def tracer_version() -> str:
    """Twelve hex digits over the tracer's own files: items of another version are not taken from a cache."""
    return _version(_TRACER.glob("trace*.py"))


@cache
def scoring_version() -> str:
    """The same over tracer and scores: a killed run is not continued by other rules."""
    return _version([*_TRACER.glob("trace*.py"), *Path(__file__).parent.glob("*.py")])


def _version(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:12]
