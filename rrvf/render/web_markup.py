"""Reads a page's markup in linear time before a browser sees it: elements, text, pasted data, addresses.

The parser is libxml2's, through lxml. It splits a page into tags and text as the HTML standard says, and here builds no
tree, so it takes milliseconds for 200 kB. Python's `html.parser` takes minutes for some pages and raises on others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from lxml import etree

#: The elements of the HTML standard, its obsolete elements, and the roots `svg` and `math`.
ELEMENTS = frozenset(
    """html head title base link meta style body article section nav aside h1 h2 h3 h4 h5 h6 hgroup header footer
    address p hr pre blockquote ol ul menu li dl dt dd figure figcaption main search div a em strong small s cite q dfn
    abbr ruby rt rp rb rtc data time code var samp kbd sub sup i b u mark bdi bdo span br wbr ins del picture source img
    iframe embed object param video audio track map area table caption colgroup col tbody thead tfoot tr td th form
    label input button select datalist optgroup option textarea output progress meter fieldset legend details summary
    dialog script noscript template slot canvas svg math acronym applet basefont bgsound big blink center dir font frame
    frameset image isindex keygen listing marquee menuitem multicol nextid nobr noembed noframes plaintext spacer strike
    tt xmp""".split()
)
#: Elements whose content the parser reads as text. Inside `svg` or `math`, browsers read tags in them.
_RAW = frozenset("style script title textarea xmp iframe noembed noframes plaintext".split())
#: Attributes by which an element, not a stylesheet, requests a picture.
_PICTURES = ("src", "srcset", "poster", "href", "xlink:href", "data")
_ANCHORS = ("a", "area", "link", "base", "script")
_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})\s?")
#: The places of an address in a stylesheet: a string, or bare in brackets. Comments are matched to be skipped.
_CSS_ADDRESS = re.compile(
    r"""/\*.*?(?:\*/|\Z)|"((?:\\.|[^"\\\n])*)|'((?:\\.|[^'\\\n])*)|"""
    r"""\(\s*((?:\\[0-9a-fA-F]{1,6}\s?|\\.|[^"'()\\\s])+)""",
    re.DOTALL,
)
_FIRST_TAG = re.compile(r"\s*<([a-zA-Z][^\s/>]*)")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DOCUMENT = re.compile(r"<(?:html|head|body|frameset)(?![\w-])", re.IGNORECASE)
#: Characters of text that a fragment may have outside all elements, unless it has more inside them. A fragment with
#: more is prose or a program.
_LOOSE_TEXT = 200
_WRAPPERS = 8


@dataclass
class Markup:
    """The findings, and the parser target that collects them."""

    #: Characters in all `data:` addresses, in attributes and stylesheets.
    address_bytes: int = 0
    #: Characters of the tags and texts inside `<svg>`.
    svg_bytes: int = 0
    #: Characters of text inside HTML elements except `<html>` and `<body>`, and outside them.
    inside: int = 0
    outside: int = 0
    #: Whether there is any HTML element except `<html>`, `<head>` and `<body>`, which parsers insert.
    elements: bool = False
    #: Addresses of pictures that elements request, and of scripts.
    pictures: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    _known: int = 0
    _svg: int = 0
    _foreign: int = 0
    _raw: list[str] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """A start tag."""
        if tag in ELEMENTS and tag not in ("html", "head", "body"):
            self._known += 1
            self.elements = True
        self._svg += tag == "svg"
        self._foreign += tag in ("svg", "math")
        if tag in _RAW:
            self._raw.append(tag)
        for name, value in attributes.items():
            self.address_bytes += (css_bytes if name == "style" else address_bytes)(value)
            if name in _PICTURES and tag not in _ANCHORS:
                self.pictures.append(value)
        if self._svg:
            self.svg_bytes += len(tag) + 2 + sum(len(name) + len(value) + 4 for name, value in attributes.items())
        if tag == "script" and "src" in attributes:
            self.scripts.append(attributes["src"])

    def end(self, tag: str) -> None:
        """The end of an element, explicit or implied."""
        if self._raw and self._raw[-1] == tag:
            self._end_raw()
        self._known -= tag in ELEMENTS and tag not in ("html", "head", "body")
        self._svg -= tag == "svg"
        self._foreign -= tag in ("svg", "math")

    def data(self, text: str) -> None:
        """A piece of text."""
        if self._svg:
            self.svg_bytes += len(text)
        if self._raw:
            self._text.append(text)
        elif self._known:
            self.inside += len(text.strip())
        else:
            self.outside += len(text.strip())

    def _end_raw(self) -> None:
        text, tag = "".join(self._text), self._raw.pop()
        self._text.clear()
        if tag == "style":
            self.address_bytes += css_bytes(text)
        if self._foreign:
            self.address_bytes += address_bytes(text)

    def comment(self, text: str) -> None:
        """Comments are ignored."""

    def close(self) -> Markup:
        """The findings."""
        return self


@lru_cache(maxsize=8)
def read_markup(code: str) -> Markup:
    """The findings in `code`, read as HTML. Never raises."""
    parser = etree.HTMLParser(target=Markup(), huge_tree=True)
    parser.feed(code.encode(errors="replace").decode())
    return parser.close()


def is_html(code: str) -> bool:
    """Whether `code` is a document or a fragment of HTML, as opposed to prose, a program or other markup.

    An unknown first element (`<think>`) is skipped: what follows its end must be HTML.
    """
    for _ in range(_WRAPPERS):
        first = _FIRST_TAG.match(code)
        if not first or first[1].lower() in ELEMENTS or "-" in first[1]:
            break
        _, end, rest = code.partition(f"</{first[1]}>")
        if not end:
            return False
        code = rest if rest.strip() else code[first.end() :].partition(">")[2]
    document = _DOCUMENT.search(code)
    if document and len(_COMMENT.sub("", code[: document.start()]).strip()) <= _LOOSE_TEXT:
        return True
    found = read_markup(code)
    return found.elements and found.outside <= max(_LOOSE_TEXT, found.inside)


def css_bytes(css: str) -> int:
    """Characters in the `data:` addresses of a stylesheet."""
    if ":" not in css and "\\" not in css:
        return 0
    return sum(address_bytes(unescaped("".join(groups))) for groups in _CSS_ADDRESS.findall(css))


def unescaped(css: str) -> str:
    """CSS with its numeric escapes resolved."""
    return _CSS_ESCAPE.sub(lambda m: _character(m[1]), css) if "\\" in css else css


def address_bytes(value: str) -> int:
    """Characters of an address from `data:` on. Like browsers, the search ignores tabs and line ends."""
    if ":" not in value:
        return 0
    at = re.sub(r"[\t\n\r]", "", value).lower().find("data:")
    return len(value) - at if at >= 0 else 0


def _character(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number < 0x110000 else ""
