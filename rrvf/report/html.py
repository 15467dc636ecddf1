"""Static pages that show hostile text: policy output is shown, never run.

Three layers: Jinja2 escapes every value. A content security policy allows only this page's own script and style, by
hash. Control and direction characters, which could hide or reorder text, are written out.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

#: Longer texts are cut on the page; the records keep them whole.
MAX_TEXT = 20_000
#: Control characters except tab and newline, lone surrogates, and direction marks and overrides that reorder text on
#: the screen ("Trojan Source").
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def page(template: str, scripts: Sequence[str] = (), **values) -> str:
    """Render one of `templates/` with the shared style, the theme switch, `scripts` and the security policy."""
    style, theme, script = _asset("page.css"), _asset("theme.js"), "".join(map(_asset, scripts))
    policy = (
        f"default-src 'none'; img-src 'self' file: data:; style-src {_hash(style)}; "
        f"script-src {_hash(theme)} {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    shared = {"style": style, "theme": theme, "script": script, "policy": policy}
    return _environment().get_template(template).render(**shared, **values)


def visible(text: str | None) -> str:
    r"""Text with control, direction and lone surrogate characters written as \uXXXX, cut at MAX_TEXT."""
    text = text or ""
    shown = _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text[:MAX_TEXT])
    return shown if len(text) <= MAX_TEXT else f"{shown}\n… ({len(text) - MAX_TEXT} more characters are in the record)"


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
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
