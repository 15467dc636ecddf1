"""Static pages around hostile text: policy output is shown, never run.

Three layers: Jinja2 escapes every value; a content security policy allows only this page's own script and style, by
hash; control and direction characters, which could hide or reorder what is read, are written out.
"""

from __future__ import annotations

import base64
import hashlib
import io
import unicodedata
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

#: Longer texts are cut on the page; the records keep them whole.
MAX_TEXT = 20_000
#: Direction marks and overrides that reorder text on screen ("Trojan Source").
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def page(template: str, **values) -> str:
    """Render one of `templates/` with shared style, script and security policy."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; img-src 'self' file: data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return _environment().get_template(template).render(style=style, script=script, policy=policy, **values)


def visible(text: str | None) -> str:
    """Text with control, direction and lone surrogate characters written as \\uXXXX, cut at MAX_TEXT."""
    text = text or ""
    shown = "".join(map(_visible, text[:MAX_TEXT]))
    return shown if len(text) <= MAX_TEXT else f"{shown}\n… ({len(text) - MAX_TEXT} more characters are in the record)"


def _visible(char: str) -> str:
    hidden = char in _BIDI or (char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cs"))
    return f"\\u{ord(char):04x}" if hidden else char


def thumbnail(png: bytes | Path, width: int = 640) -> bytes | None:
    """A WebP no wider than `width` pixels and no higher than eight times that, so that a long page can still be read.

    None where the bytes are no picture.
    """
    try:
        with Image.open(io.BytesIO(png) if isinstance(png, bytes) else png) as image:
            small = image.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    small.thumbnail((width, 8 * width))
    out = io.BytesIO()
    small.save(out, "WEBP", quality=82)
    return out.getvalue()


def data_uri(picture: bytes | None) -> str | None:
    """A picture as a data URI of a small WebP; None stays None."""
    small = thumbnail(picture) if picture else None
    return f"data:image/webp;base64,{base64.b64encode(small).decode()}" if small else None


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rrvf.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = visible
    return environment


def _asset(name: str) -> str:
    return files("rrvf.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
