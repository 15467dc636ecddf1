"""The second turn that an able policy would write: its draft, changed where the tool's words say so and nowhere else.

A turn that writes its program anew says little of the draft, and loses what was right in it. Here a draft that ran
keeps its idiom, its parts and its lists; a draft that failed is repaired and otherwise left as it was.
"""

from __future__ import annotations

import ast
import re
from dataclasses import fields, replace

from rrvf.data.generated import charts, pages
from rrvf.domains import Domain
from rrvf.nano.careless import Parts, written
from rrvf.nano.programs import kind_of, text_of

#: Parts of a program, and the words of the judge that ask for them.
ASKED = {
    "title": r"\btitle\b",
    "xlabel": r"\bx label\b",
    "ylabel": r"\by label\b",
    "legend": r"\blegend\b",
    "colour": r"\*\*Colour\*\*",
    "grid": r"\bgrid\b",
    "marker": r"\*\*Data\*\*|\*\*Type\*\*",
}
ASKED_OF_PAGES = {
    "title": r"\btext at (?:top|middle)\b",
    "header": r"\bheader\b|\b(?:text|block) at top\b",
    "footer": r"\bfooter\b|\b(?:text|block) at bottom\b",
    "cells": r"\b(?:text|block) at (?:middle|bottom)\b",
    "grid": r"\b(?:text|block) at\b",
    "colour": r"\*\*Colour\*\*",
}
#: Words that say that the values are wrong.
_VALUES = re.compile(r"\*\*Data\*\*|\bplot area\b|\btick text\b")
_FAILED = "---Error"


def edited(domain: Domain, spec: charts.Spec | pages.Spec, draft: str, feedback: str) -> str:
    """The program after `draft` for the picture of `spec`, once `feedback` was heard.

    A chart of the wrong kind is begun anew.
    """
    if isinstance(spec, pages.Spec):
        return written(domain, spec, _parts(_in_page(draft), feedback, ASKED_OF_PAGES))
    failed = feedback.startswith(_FAILED)
    if not failed and kind_of(draft) != spec.kind:
        return written(domain, spec, Parts())
    parts = _parts(_in_chart(draft), feedback, ASKED)
    code = written(domain, replace(_reworded(spec, draft, feedback), style=_style(draft)), parts)
    return code if failed or _VALUES.search(feedback) else _with_lists_of(draft, code)


def _parts(there: Parts, feedback: str, asked: dict[str, str]) -> Parts:
    """The draft's parts and those that the words ask for."""
    return replace(there, **{name: True for name, words in asked.items() if re.search(words, feedback)})


def _in_chart(draft: str) -> Parts:
    return Parts(
        title=text_of(draft, "title") is not None,
        xlabel=text_of(draft, "xlabel") is not None,
        ylabel=text_of(draft, "ylabel") is not None,
        legend=".legend(" in draft,
        colour="color=" in draft,
        grid=".grid(" in draft,
        marker="marker=" in draft or "linestyle=" in draft,
    )


def _in_page(draft: str) -> Parts:
    return Parts(
        title="<h2" in draft,
        header="padding:8px'><b>" in draft,
        footer="padding:4px'>" in draft,
        colour=";color:white" in draft,
        grid="text-align:center" in draft,
        cells=False,
    )


def _style(draft: str) -> str:
    if "ax.set(" in draft:
        return "set"
    return "ax" if "ax" in draft else "plt"


def _reworded(spec: charts.Spec, draft: str, feedback: str) -> charts.Spec:
    """`spec` with the draft's words where it has some and nobody complained of them."""
    own = {name: text_of(draft, name) for name in ("title", "xlabel", "ylabel")}
    kept = {name: text for name, text in own.items() if text and not re.search(ASKED[name], feedback)}
    return replace(spec, **kept)


def _with_lists_of(draft: str, code: str) -> str:
    """`code` with the draft's lists, where they are as long as its own."""
    for name in "xyze":
        mine, right = (re.search(rf"^{name} = (\[.*\])$", text, re.MULTILINE) for text in (draft, code))
        if mine and right and _length(mine[1]) == _length(right[1]):
            code = code.replace(right[0], mine[0], 1)
    return code


def _length(text: str) -> int:
    try:
        return len(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return -1


assert set(ASKED) | set(ASKED_OF_PAGES) <= {field.name for field in fields(Parts)}
