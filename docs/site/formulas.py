"""Formulas of the notebooks as MathML when the site is built: browsers draw it, and no script is loaded."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert
from mkdocs.structure.pages import Page

_CODE = re.compile(r"(<(pre|code|script|style)\b.*?</\2>)", re.DOTALL)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(?=\S)([^$\n]+?)(?<=\S)\$(?!\w)", re.DOTALL)


def on_page_content(content: str, page: Page, **_: object) -> str:
    """Replace what stands between dollars, in text and not in code."""
    if not page.file.src_uri.endswith(".ipynb"):
        return content
    parts = _CODE.split(content)  # text, code, the code's tag, and so on
    return "".join(part if i % 3 else _FORMULA.sub(_drawn, part) for i, part in enumerate(parts) if i % 3 != 2)


def _drawn(found: re.Match) -> str:
    display = "block" if found[1] else "inline"
    return convert(html.unescape(found[1] or found[2]), display=display)
