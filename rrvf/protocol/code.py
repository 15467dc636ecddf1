"""Finds the code in an answer: in a fence of its language, in any fence, or bare."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from itertools import islice

from rrvf.domains import Domain
from rrvf.records import storable

_OPEN = re.compile(r"(?P<fence>(?<!`)`{3,}+|^[ \t]*+~{3,}+)[ \t]*\{?(?P<language>[\w+#.-]*)[^\n`]*\n", re.MULTILINE)
#: Fenced blocks that are read per text, so that a reply of nothing but fences takes little time.
_BLOCKS = 32


def code_in(text: str, domain: Domain) -> str:
    """The code in a text, without blank lines around it; the whole text if it holds no code.

    The first fenced block in the domain's language, else the first without a language, else the first. Without a fence,
    the whole text is code; in a domain whose code is a document, only the part from its begin to its end.
    """
    text = storable(text).replace("\r\n", "\n")
    if not domain.document:
        text = _before_stray_fence(text, domain)
    blocks = [] if re.match(domain.begins, text) else list(islice(_blocks(text, domain.quoted), _BLOCKS))
    ours = [code for language, code in blocks if re.fullmatch(domain.languages, language, re.IGNORECASE)]
    unnamed = [code for language, code in blocks if not language]
    code = next((found[0] for found in (ours, unnamed, [code for _, code in blocks]) if found), None)
    if code is None:
        code = _between(text, *domain.document) if domain.document else text
    code = code.lstrip("\n").rstrip()
    return textwrap.dedent(code) if domain.dedented and code[:1] in (" ", "\t") else code


def _before_stray_fence(text: str, domain: Domain) -> str:
    """The text before a closing fence whose opening one is missing; the whole text if there is none.

    The only fence of a text closes if it is bare and code begins before it and not after it.
    """
    found = re.finditer(rf"{domain.quoted}|(?P<fence>`{{3,}})", text, re.DOTALL)
    fences = list(islice((m for m in found if m["fence"]), 2))
    if len(fences) != 1:
        return text
    before, after = text[: fences[0].start()], text[fences[0].end() :]
    bare = not before.rpartition("\n")[2].strip() and not after.partition("\n")[0].strip()
    return before if bare and _begins(before, domain) and not _begins(after, domain) else text


def _begins(text: str, domain: Domain) -> bool:
    """Whether a line of the text begins code."""
    return any(re.match(domain.begins, line) for line in text.splitlines())


def _blocks(text: str, quoted: str) -> Iterator[tuple[str, str]]:
    """Language and code of each fenced block, in order. An unclosed block runs to the end."""
    place = 0
    while opened := _OPEN.search(text, place):
        end, place = _close(text, opened.end(), opened["fence"].strip(), quoted)
        yield opened["language"], text[opened.end() : end]


def _close(text: str, start: int, fence: str, quoted: str) -> tuple[int, int]:
    """The positions where a block's code ends and where the text continues."""
    line_end = rf"{fence}{fence[0]}*+[ \t]*$"
    # In broken code a quote may run to the end. Then the first fence closes the block.
    for pattern in (f"{quoted}|(?P<close>{line_end})", f"(?P<close>{line_end})", f"(?P<close>{fence})"):
        found = re.compile(pattern, re.DOTALL | re.MULTILINE | re.IGNORECASE).finditer(text, start)
        if closed := next((m for m in found if m["close"] is not None), None):
            return closed.start(), closed.end()
    return len(text), len(text)


def _between(text: str, begin: str, end: str) -> str:
    """The part from the first `begin` to the last `end`, both included; the whole text if there is none."""
    first = re.search(begin, text, re.IGNORECASE)
    ends = [m.end() for m in re.finditer(end, text, re.IGNORECASE)]
    return text[first.start() : ends[-1]] if first and ends and ends[-1] > first.start() else text
