"""Code in an answer: in a fence of its language, in any fence, or bare."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from itertools import islice

from rrvf.domains import Domain
from rrvf.records import storable

_OPEN = re.compile(r"(?P<fence>(?<!`)`{3,}+|^[ \t]*+~{3,}+)[ \t]*\{?(?P<language>[\w+#.-]*)[^\n`]*\n", re.MULTILINE)
#: The words that open a fence of the domain's language.
_LANGUAGE = {
    "chart": re.compile(r"i?py(?:thon)?[\d.]*", re.IGNORECASE),
    "web": re.compile(r"x?html?[\d.]*", re.IGNORECASE),
}
#: What begins like this is code from its first line; a fence inside is its own text.
_BARE = {"chart": re.compile(r"\s*(?:import |from [\w.]+ import |\"\"\"|''')"), "web": re.compile(r"\s*<")}
#: Text inside code, in which a fence closes nothing. What is not closed runs to the end.
_QUOTED = {
    "chart": r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*(?:"""|\Z)'
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*(?:'''|\Z)"
    r'|"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'|\\.|#[^\n]*",
    "web": r"<!--.*?(?:-->|\Z)|<(?P<tag>pre|script|style|textarea)\b.*?(?:</(?P=tag)|\Z)",
}
_PAGE = re.compile(r"<!doctype html|<html\b", re.IGNORECASE), re.compile(r"</html\s*>", re.IGNORECASE)
#: Blocks of one text that are looked at: a reply of fences alone must not take long.
_BLOCKS = 32


def code_in(text: str, domain: Domain) -> str:
    """The code that a text holds, without empty lines around it; of a text without any, the text.

    The first fenced block in the domain's language; else the first that names no language, else the first. Without a
    fence all is code; of a page, what stands between `<!DOCTYPE` or `<html>` and `</html>`.
    """
    text = storable(text).replace("\r\n", "\n")
    blocks = [] if _BARE[domain.name].match(text) else list(islice(_blocks(text, domain.name), _BLOCKS))
    ours = [code for language, code in blocks if _LANGUAGE[domain.name].fullmatch(language)]
    unnamed = [code for language, code in blocks if not language]
    code = next((found[0] for found in (ours, unnamed, [code for _, code in blocks]) if found), None)
    if code is None:
        code = _page(text) if domain.name == "web" else text
    code = code.lstrip("\n").rstrip()
    return textwrap.dedent(code) if domain.name == "chart" and code[:1] in (" ", "\t") else code


def _blocks(text: str, domain: str) -> Iterator[tuple[str, str]]:
    """Language and code of each fenced block, in order; one that is not closed runs to the end."""
    place = 0
    while opened := _OPEN.search(text, place):
        end, place = _close(text, opened.end(), opened["fence"].strip(), domain)
        yield opened["language"], text[opened.end() : end]


def _close(text: str, start: int, fence: str, domain: str) -> tuple[int, int]:
    """Where a block's code ends and where the text goes on."""
    line_end = rf"{fence}{fence[0]}*+[ \t]*$"
    # Code that is broken may quote to its end: then the first fence closes.
    for pattern in (f"{_QUOTED[domain]}|(?P<close>{line_end})", f"(?P<close>{line_end})", f"(?P<close>{fence})"):
        found = re.compile(pattern, re.DOTALL | re.MULTILINE | re.IGNORECASE).finditer(text, start)
        if closed := next((m for m in found if m["close"] is not None), None):
            return closed.start(), closed.end()
    return len(text), len(text)


def _page(text: str) -> str:
    """What stands between the first `<!DOCTYPE html>` or `<html>` and the last `</html>`; all, where there is no such page."""
    first, ends = _PAGE[0].search(text), [m.end() for m in _PAGE[1].finditer(text)]
    return text[first.start() : ends[-1]] if first and ends and ends[-1] > first.start() else text
