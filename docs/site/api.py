"""Which names of the API pages have no docstring, read from the source: nothing is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import griffe


def undocumented(pages: Path) -> Iterator[str]:
    """Public functions, classes and methods without a docstring, behind each `::: NAME` of a folder's pages."""
    loader = griffe.GriffeLoader(search_paths=[pages.parents[1]])
    package = loader.load("rrvf")
    loader.resolve_aliases()
    for page in sorted(pages.glob("*.md")):
        for name in re.findall(r"^::: rrvf\.?(\S*)", page.read_text(encoding="utf-8"), re.MULTILINE):
            yield from _bare(package[name] if name else package)


def _bare(found: griffe.Object | griffe.Alias) -> Iterator[str]:
    if not found.has_docstring:
        yield found.path
    for name, member in found.members.items():
        imported = member.is_alias and name not in (found.exports or ())
        if name.startswith("_") or imported:
            continue
        if member.is_class or member.is_function or member.has_labels("property"):
            yield from _bare(member)
