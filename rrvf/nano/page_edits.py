"""Reads from a draft which parts of a generated page it has: its parts and its texts, read back from the HTML."""

from __future__ import annotations

import re
from dataclasses import replace

from rrvf.data.generated import pages
from rrvf.nano.careless import Parts

#: How each body's cells are written.
_CELLS = {
    "cards": r"margin:4px'>([^<]*)<",
    "table": r"<td>([^<]*)<",
    "form": r"placeholder='([^']*)'",
    "list": r"<li>([^<]*)<",
    "sidebar": r"height:90px[^>]*'>([^<]*)<",
}
#: What only one body has.
_SIGNS = {"cards": "margin:4px", "table": "<table", "form": "<input", "list": "<ul", "sidebar": "float:left"}
#: A text, how it is written, and the parts that ask for it to be read again.
_TEXTS = {
    "brand": (r"<b>([^<]*)</b>", "header"),
    "title": (r"<h2[^>]*>([^<]*)</h2>", "title"),
    "text": (r"<p>([^<]*)</p>", "cells"),
    "button": (r"<button[^>]*>([^<]*)</button>", "cells"),
    "footer": (r"padding:4px'>([^<]*)</div>", "footer"),
    "paper": (r"font:12px Arial;background:([a-z]*)'", "colour"),
    "colour": (r"background:([a-z]*);color:white;padding:8px|<h2 style='color:([a-z]*)'", "colour"),
    "accent": (r"(?:background:([a-z]*);color:white(?:;padding:4px)?'|solid ([a-z]*);)", "colour"),
}


def page_parts(spec: pages.Spec, draft: str) -> Parts | None:
    """The parts of the page of `spec` that are in the draft; None where its body is of another kind."""
    if any((sign in draft) != (body == spec.body) for body, sign in _SIGNS.items()):
        return None
    return Parts(
        title="<h2" in draft,
        header="padding:8px'><b>" in draft,
        footer="padding:4px'>" in draft,
        colour=";color:white" in draft,
        grid="text-align:center" in draft,
        cells=len(_cells(spec, draft)) >= len(spec.cells),
    )


def page_with_texts_of(spec: pages.Spec, draft: str, wanted: list[str]) -> pages.Spec:
    """`spec` with the draft's texts and colours, but for those of the parts `wanted`."""
    kept: dict = {}
    for name, (pattern, part) in _TEXTS.items():
        found = re.search(pattern, draft)
        if found and part not in wanted:
            kept[name] = next(group for group in found.groups() if group is not None)
    if (links := re.findall(r"<a>([^<]*)</a>", draft)) and "header" not in wanted:
        kept["links"] = tuple(links)
    if (cells := _cells(spec, draft)) and "cells" not in wanted:
        # A draft that left cells out is written with as many as it has.
        kept["cells"] = (*cells, *spec.cells[len(cells) :])[: len(spec.cells)]
    return replace(spec, **kept)


def _cells(spec: pages.Spec, draft: str) -> list[str]:
    return re.findall(_CELLS[spec.body], draft) if spec.body in _CELLS else []
