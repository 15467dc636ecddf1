"""The items that a traced run reports of a script. They are validated, since the reporting process ran foreign code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat, NonNegativeInt, ValidationError

from rrvf import places
from rrvf.chromium import find_chromium
from rrvf.records import Record, Render
from rrvf.render import Trace

_RENDER = Path(__file__).parents[1] / "render"
_TRACER = _RENDER / "sandbox"
#: The most items of one kind that a script may report, since the time of scoring grows with them. A script that reports
#: more counts as not run.
_MOST = 20_000

Texts = Annotated[list[str], Field(max_length=_MOST)]
Places = Annotated[list[Annotated[list[int], Field(min_length=6, max_length=6)]], Field(max_length=_MOST)]
Count = Annotated[NonNegativeInt, Field(le=10**9)]
Axes = Annotated[NonNegativeInt, Field(le=_MOST)]
Calls = Annotated[dict[str, Count], Field(max_length=1_000)]
Colors = Annotated[list[tuple[str, str]], Field(max_length=_MOST)]


class Guarded(Record):
    """`official`: what was traced before the original's own tracer stopped the script."""

    type: Calls = {}
    color: Colors = []


class Drawn(Record):
    """`fixed`: everything drawn, visible or not."""

    text: Texts
    layout: Places
    axes: Axes
    type: Calls
    color: Colors


class ChartItems(Drawn):
    """The items of a ChartMimic run.

    text: in drawing order. layout: positions of axes in grids. axes: their number, with and without a grid. type: calls
    by label. color: pairs (group, colour).
    """

    guarded: Guarded | None = None
    drawn: Drawn | None = None


class TextItems(Record):
    """The items of a Plot2Code run.

    texts: (string, x, y) of every text; x or y is None where it is not a number. size: of the figure, in inches.
    """

    texts: list[tuple[str, FiniteFloat | None, FiniteFloat | None]] = Field(max_length=5_000)
    size: tuple[FiniteFloat, FiniteFloat]


def ran(render: Render) -> bool:
    """Whether a script counts as executed in ChartMimic.

    A script with items does: they are read where its PDF exists (metrics_spec 1.2). Its figure may still be blank or
    outside the bounds of a picture. The judge's score is then 0.
    """
    return render.ok or render.items is not None


def items_of(render: Render, trace: Trace = "fixed") -> dict | None:
    """The items of a traced render; None where the script did not run or its report is malformed.

    Plot2Code fails a blank figure too (metrics_spec 2.2). A page's blocks are our own measurement, so they are not
    validated.
    """
    if render.items is None or not (render.ok if trace in ("plot2code", "blocks") else ran(render)):
        return None
    if trace == "blocks":
        return render.items
    shape = TextItems if trace == "plot2code" else ChartItems
    try:
        shape.model_validate_json(json.dumps(render.items), strict=True)
    except ValidationError:
        return None
    return render.items


@cache
def tracer_version(trace: Trace) -> str:
    """Hashes what decides a script's items besides the script. Items of another version are not taken from a cache.

    For charts: the tracer's files and the pinned plotting libraries. For pages: our renderer's files, and the browser
    with its date and size.
    """
    if trace != "blocks":
        return _version([*_TRACER.glob("trace*.py"), places.PLOT_PINS])
    browser = Path(find_chromium()).resolve()
    file = browser.stat()
    return f"{_version(_RENDER.glob('*.py'))} {browser} {file.st_size} {file.st_mtime_ns}"


@cache
def scoring_version() -> str:
    """Twelve hex digits of a hash over the files of tracer and scoring.

    A killed run is not continued under other rules.
    """
    return _version([*_TRACER.glob("trace*.py"), *Path(__file__).parent.glob("*.py"), places.PACKAGE / "pictures.py"])


def _version(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:12]
