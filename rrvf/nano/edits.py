"""The second turn that an able policy would write: its draft, changed where the feedback asks for it and nowhere else.

A turn that reads the picture again and writes its program anew loses what was right in the draft, and its score says
little about the draft. Here a draft keeps its idiom, its parts, its texts and its lists, whether it ran or failed. Only
a list of the wrong length or a draft of the wrong kind is read again.

    edited(DOMAINS["chart"], spec, draft, "-**Text**- the title is missing.").thought  # edit; title.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, fields, replace

from rrvf.data.generated import charts, pages
from rrvf.domains import Domain
from rrvf.judge.embedded.feedback import NOTHING
from rrvf.nano.careless import Parts, written
from rrvf.nano.page_edits import page_parts, page_with_texts_of
from rrvf.nano.programs import kind_of, text_of

#: Parts of a program, and the judge's words that ask for them.
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
#: What a thought calls the parts: the judge's own words.
CALLED = {"xlabel": "x label", "ylabel": "y label", "colour": "colours", "marker": "marks", "cells": "text"}
_FAILED = "---Error"
_LABEL = re.compile(r"label='([^']*)'")
_COLOUR = re.compile(r"color='([^']*)'")


@dataclass(frozen=True)
class Edit:
    """A program, and what its thought says is changed; None where the picture has to be read again."""

    code: str
    thought: str | None


def edited(domain: Domain, spec: charts.Spec | pages.Spec, draft: str, feedback: str) -> Edit:
    """The next program: `draft`, changed as `feedback` on the picture of `spec` asks."""
    if feedback.startswith(NOTHING):
        return Edit(draft, _thought([]))
    if isinstance(spec, pages.Spec):
        return _edited_page(domain, spec, draft, feedback)
    return _edited_chart(domain, spec, draft, feedback)


def _edited_chart(domain: Domain, spec: charts.Spec, draft: str, feedback: str) -> Edit:
    failed = feedback.startswith(_FAILED)
    if not failed and kind_of(draft) != spec.kind:
        return Edit(written(domain, spec, Parts()), None)
    wanted = [] if failed else _asked(feedback, ASKED)
    parts = replace(_in_chart(draft), **dict.fromkeys(wanted, True))
    shown = _with_words_of(spec, draft, wanted)
    code = written(domain, shown, parts)
    if not _same_lists(spec, draft):
        return Edit(code, None)
    return Edit(_with_lists_of(draft, code), _thought(_changed(domain, shown, parts, wanted)))


def _edited_page(domain: Domain, spec: pages.Spec, draft: str, feedback: str) -> Edit:
    there = page_parts(spec, draft)
    if there is None:
        return Edit(written(domain, spec, Parts()), None)
    wanted = _asked(feedback, ASKED_OF_PAGES)
    parts = replace(there, **dict.fromkeys(wanted, True))
    shown = page_with_texts_of(spec, draft, wanted)
    return Edit(written(domain, shown, parts), _thought(_changed(domain, shown, parts, wanted)))


def _asked(feedback: str, asked: dict[str, str]) -> list[str]:
    return [name for name, words in asked.items() if re.search(words, feedback)]


def _changed(domain: Domain, spec: charts.Spec | pages.Spec, parts: Parts, wanted: list[str]) -> list[str]:
    """Those of the parts `wanted` that the picture has."""
    whole = written(domain, spec, parts)
    return [name for name in wanted if written(domain, spec, replace(parts, **{name: False})) != whole]


def _thought(changed: list[str]) -> str:
    """Ends in a full stop, which no reading does: `gaze.looks` tells the two apart by it."""
    return f"edit; {', '.join(CALLED.get(name, name) for name in changed) or 'no'}."


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


def _with_words_of(spec: charts.Spec, draft: str, wanted: list[str]) -> charts.Spec:
    """`spec` in the draft's idiom, with its texts and colours, but for those that are asked for."""
    own = {name: text_of(draft, name) for name in ("title", "xlabel", "ylabel")}
    kept: dict = {name: text for name, text in own.items() if text and name not in wanted}
    kept["style"] = "set" if "ax.set(" in draft else "ax" if "ax" in draft else "plt"
    labels, colours = _LABEL.findall(draft), _COLOUR.findall(draft)
    if len(labels) == 2 and "legend" not in wanted:
        kept["names"] = tuple(labels)
    if colours and "colour" not in wanted:
        kept |= dict(zip(("colour", "second_colour"), colours, strict=False))
    return replace(spec, **kept)


def _same_lists(spec: charts.Spec, draft: str) -> bool:
    """Whether the draft's lists are as long as the picture's. How many values a histogram or box had cannot be read."""
    true = _lists(charts.code(spec))
    own = _lists(draft)
    if spec.kind in charts.UNORDERED:
        return set(own) == set(true) and -1 not in own.values()
    return own == true


def _lists(code: str) -> dict[str, int]:
    return {name: _length(values) for name, values in re.findall(r"^([xyze]) = (\[.*)$", code, re.MULTILINE)}


def _with_lists_of(draft: str, code: str) -> str:
    """`code` with the draft's lists."""
    for name in "xyze":
        mine, right = (re.search(rf"^{name} = \[.*\]$", text, re.MULTILINE) for text in (draft, code))
        if mine and right:
            code = code.replace(right[0], mine[0], 1)
    return code


def _length(text: str) -> int:
    try:
        return len(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return -1


assert set(ASKED) | set(ASKED_OF_PAGES) <= {field.name for field in fields(Parts)}
