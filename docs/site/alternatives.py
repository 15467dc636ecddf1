"""Alternative text of the notebooks' figures on the site: nbconvert's template leaves out what they carry."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the test of this file needs no site builder
    from mkdocs.structure.pages import Page

_IMAGE = re.compile(r'<img src="data:image/png;base64,([^"]*)"')


def on_page_content(content: str, page: Page, **_: object) -> str:
    """Give each figure of a notebook the `alt` of its output."""
    if not page.file.src_uri.endswith(".ipynb"):
        return content
    cells = json.loads(Path(page.file.abs_src_path).read_text(encoding="utf-8"))["cells"]
    figures = [o for cell in cells for o in cell.get("outputs", ()) if "image/png" in o.get("data", {})]
    words = {"".join(o["data"]["image/png"]).strip(): o["metadata"].get("image/png", {}).get("alt") for o in figures}
    return _IMAGE.sub(lambda image: f'{image[0]} alt="{html.escape(words.get(image[1].strip()) or "")}"', content)
