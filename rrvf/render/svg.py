"""SVG: an `<img>` on an empty page in Chromium, where a drawing runs no script and loads nothing."""

import base64
import re
from collections.abc import Container

from lxml import etree

from rrvf.domains import SVG, Canvas
from rrvf.pictures import misfit
from rrvf.render.browser import Blank
from rrvf.render.limits import Failure, check_length
from rrvf.render.pasted import page_share
from rrvf.render.web import Drawn, WebRenderer
from rrvf.render.web_markup import unescaped

_OUTSIDE = r"""(?i)(?:^|[;,("'])\s*+data:|@import|image-set\(|(?:url|src)\(\s*+["']?+\s*+(?!#)"""
_TEXT = re.compile(r"(?:aria-|data-).*|id|class|role|title|alt|name|.*[}:]label")  # attributes that are never addresses
_N = r"(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)"
#: Pixels per unit.
_UNITS = {"": 1, "px": 1, "pt": 4 / 3, "pc": 16, "in": 96, "cm": 96 / 2.54, "mm": 96 / 25.4}
_PAGE = '<!DOCTYPE html><body style="margin:0"><img style="display:block" src="data:image/svg+xml;base64,{}">'


class SvgRenderer(WebRenderer):
    """A pool of `workers` browsers that draw SVG, on the canvas if there is one, else at the drawing's own size."""

    _control = SVG.sample

    def _check(self, code: str) -> None:
        check_length(code, self.limits, "drawing")
        fitted(parsed(code), self.limits.canvas)

    async def _shoot(self, blank: Blank, code: str, trace: None) -> Drawn:
        await blank.page.set_viewport_size(fitted(root := parsed(code), self.limits.canvas))
        return await super()._shoot(blank, _PAGE.format(base64.b64encode(etree.tostring(root)).decode()), trace)

    def _share(self, code: str, png: bytes) -> float:
        return page_share(re.sub(r"\b(?:d|points)\s*=\s*(?:\"[^\"]*\"|'[^']*')", "", code), png)  # shapes are not data


def parsed(code: str) -> etree._Element:
    """The root of a document. Failure if it is no SVG, declares entities, or refers to anything outside itself."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    if "<!ENTITY" in code:
        raise Failure("forbidden", "the drawing declares entities: write out what they stand for")
    try:
        root = etree.fromstring(re.sub(r"^\s*<\?xml\b[^>]*>", "", code).encode(errors="replace"), parser)
    except etree.XMLSyntaxError as error:
        raise Failure("syntax_error", f"this is no SVG document: {error.msg}") from None
    if root.tag != "{http://www.w3.org/2000/svg}svg" or any(True for _ in root.iter(etree.Entity)):
        raise Failure("syntax_error", 'write one <svg xmlns="http://www.w3.org/2000/svg"> without named entities')
    for element in root.iter():
        read = {name: value for name, value in element.items() if not _TEXT.fullmatch(name)}
        if element.tag.endswith("}a"):  # a picture follows no link
            read = {name: value for name, value in read.items() if not name.endswith("href")}
        links = [v for name, v in read.items() if name.endswith("href") and v.strip()[:1] != "#"]
        said = [*read.values(), _own_text(element) if element.tag.endswith("}style") else ""]
        if links or any(re.search(_OUTSIDE, re.sub(r"[\\\t\r\n]", "", unescaped(value))) for value in said):
            raise Failure("forbidden", "the drawing asks for a file, an address or embedded data: use shapes and text")
    return root


def _own_text(element: etree._Element) -> str:
    """The text that a browser reads as a stylesheet: an element's own text, without that of its child elements."""
    return "".join([element.text or "", *(child.tail or "" for child in element)])


def fitted(root: etree._Element, canvas: Canvas | None) -> dict[str, int]:
    """The width and height of the picture. Changes `root` to fill it. Raises Failure outside the picture bounds."""
    own = _own_size(root)
    width, height = (canvas.width, canvas.height) if canvas else own
    if problem := misfit(width, height):
        raise Failure("limit", problem)
    size, whole = {"width": round(width), "height": round(height)}, {"viewBox": f"0 0 {own[0]} {own[1]}"}
    root.attrib.update(whole | dict(root.attrib) | {name: str(side) for name, side in size.items()})
    return size


def _own_size(root: etree._Element) -> tuple[float, float]:
    """The drawing's size in pixels, by its width and height, else its viewBox, else a browser's 300x150.

    A side that is missing follows from the viewBox. A drawing with a viewBox and sides in other units is drawn in the
    size of its viewBox.
    """
    found = re.fullmatch(rf"[^\s,]+[\s,]+[^\s,]+[\s,]+{_N}[\s,]+{_N}", root.get("viewBox", "").strip())
    box = (float(found[1]), float(found[2])) if found else None
    width, height = (_pixels(root.get(name), ("", "px") if box else _UNITS) for name in ("width", "height"))
    if box and all(box) and (width is None) != (height is None):
        return (width, width * box[1] / box[0]) if height is None else (height * box[0] / box[1], height)
    if box and width is None:
        return box
    return 300 if width is None else width, 150 if height is None else height


def _pixels(length: str | None, units: Container[str]) -> float | None:
    """A length in pixels; None for one that is missing, in other units, or no length."""
    found = re.fullmatch(rf"{_N}([a-z]*)", (length or "").strip())
    return float(found[1]) * _UNITS[found[2]] if found and found[2] in units else None
