"""Reads a judge's feedback leniently: lines in many forms are brought into the one form of the prompts.

---Comments:
-**Layout**- the legend is missing
"""

from __future__ import annotations

import re

_ASPECTS = "layout|type|text|colou?r|data|all"
_MARK = r"[ \t>|]*+(?:[-•·–—]++|\*(?!\*)|\d++[.)]|#{1,6})?+[ \t]*+"
_HEAD = re.compile(rf"{_MARK}[-*_#\s]*+comments?[ \t]*(?:[:*_\-–—]+[ \t]*(?P<words>.*))?$", re.IGNORECASE)
#: `-**Layout**- words`, `1. **Layout**: words`, `### Layout`, `Layout - words`, `| Layout | words |`, ...
_LINE = re.compile(
    rf"{_MARK}(?:(?:\*\*|__)(?P<bold>[\w /&()-]{{1,40}}?)[ \t]*:?(?:\*\*|__)"
    rf"|(?P<plain>{_ASPECTS})(?:[ \t]*\([^)]*\))?(?=[ \t]*(?:[-–—:|]|$)))"
    r"[ \t]*+[-–—:|]*+[ \t]*+(?P<words>.*)$",
    re.IGNORECASE,
)
_KNOWN = re.compile(rf"(?:{_ASPECTS})\b", re.IGNORECASE)


def plain_feedback(text: str) -> str | None:
    """The feedback of a reply, one line per aspect, in the form of the prompts; None where there is no feedback.

    Text before the head `Comments` or the first aspect is a preface and left out. Text under the head that names no
    aspect goes to `All`. A line without an aspect continues the aspect before it.
    """
    aspects: list[tuple[str, list[str]]] = []
    headed = False
    for line in map(str.strip, text.splitlines()):
        if head := _HEAD.match(line):
            headed = True
            line = head["words"] or ""
        if (found := _LINE.match(line)) and (headed or aspects or _KNOWN.match(_name(found))):
            aspects.append((_name(found), [found["words"].strip(" \t|")]))
        elif words := line.strip(" \t-*•|`"):
            if headed and not aspects:
                aspects.append(("All", []))
            if aspects:
                aspects[-1][1].append(words)
    lines = [f"-**{name}**- {' '.join(filter(None, words))}" for name, words in aspects if any(words)]
    return "\n".join(["---Comments:", *lines]) if lines else None


def _name(found: re.Match[str]) -> str:
    name = (found["bold"] or found["plain"]).strip()
    return "Colour" if name.lower() == "color" else name[:1].upper() + name[1:]
