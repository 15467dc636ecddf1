"""Tailwind 2's stylesheet (2.9 MB), cut down to the rules that a page can use: about 10 kB, which parse quickly."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import groupby

from rrvf.places import CACHE

NPM = CACHE / "assets" / "npm"
SHEET = NPM / "tailwindcss-2.2.19/package/dist/tailwind.min.css"
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CLASS = re.compile(r"\.((?:\\[0-9a-fA-F]{1,6}\s?|\\.|[\w-])+)")
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))")
_BETWEEN_WORDS = re.compile(r"[\s\"'<>=`]+")
_MEDIA = "@media"


class Tailwind:
    """`whole` is the sheet as it ships. `used_by` returns the part that one page can use."""

    def __init__(self, css: str) -> None:
        self.whole = css
        self._rules = list(_rules(_COMMENT.sub("", css)))
        self._always: set[int] = set()
        self._by_class: dict[str, set[int]] = defaultdict(set)
        for number, (_, text) in enumerate(self._rules):
            names = class_names(text.partition("{")[0])
            for name in names:
                self._by_class[name].add(number)
            if not names:
                self._always.add(number)

    @staticmethod
    @cache
    def load() -> Tailwind | None:
        """The sheet that `make assets` downloaded. None if that was not run."""
        return Tailwind(SHEET.read_text()) if SHEET.is_file() else None

    def used_by(self, page: str) -> str:
        """In sheet order, the rules that name no class or a class of the page. Only for pages without scripts."""
        words = set(_BETWEEN_WORDS.split(html.unescape(page)))
        used = self._always.union(*(self._by_class[w] for w in words & self._by_class.keys()))
        parts = []
        for media, numbers in groupby(sorted(used), key=lambda n: self._rules[n][0]):
            text = "".join(self._rules[n][1] for n in numbers)
            parts.append(f"{media}{{{text}}}" if media else text)
        return "".join(parts)


def class_names(selectors: str) -> set[str]:
    """The classes that a selector list names, unescaped."""
    if selectors.startswith("@"):
        return set()
    return {_ESCAPE.sub(_unescaped, name) for name in _CLASS.findall(selectors)}


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """(media query or "", rule) for every rule of the sheet. A keyframes block counts as one rule."""
    at = 0
    while (brace := css.find("{", at)) >= 0:
        end = _closing(css, brace)
        prelude = css[at:brace].strip()
        if prelude.startswith(_MEDIA):
            yield from ((prelude, text) for _, text in _rules(css[brace + 1 : end]))
        else:
            yield "", css[at : end + 1].strip()
        at = end + 1


def _closing(css: str, brace: int) -> int:
    """The position where the block that opens at `brace` ends. Tailwind has no braces inside strings."""
    depth = 1
    at = brace
    while depth:
        opens, closes = css.find("{", at + 1), css.find("}", at + 1)
        at = opens if 0 <= opens < closes else closes
        depth += 1 if at == opens else -1
    return at
