"""The stylesheets that most pages link to, served from memory: Tailwind 2 and Bootstrap 3, 4 and 5."""

from __future__ import annotations

import re
import warnings
from functools import cache

from rrvf.render.tailwind import NPM, Tailwind

#: The address of a Bootstrap sheet on any of its servers. Without a version in the address, the newest is served.
_BOOTSTRAP = re.compile(
    r"//[^?#]*/(?:twitter-)?bootstrap(?:[@/]v?(\d)[^/]*)?/(?:dist/)?css/(bootstrap[a-z.-]*?)(?:\.min)?\.css(?:[?#]|$)"
)
_TAILWIND = re.compile(r"tailwindcss@\^?2|/tailwind(\.min)?\.css")
_INTEGRITY = re.compile(r"""(<link\b[^<>]{0,2000}?)\sintegrity\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)
_VERSIONS = {"3": "3.4.1", "4": "4.6.2", "5": "5.3.8"}


def without_digests(page: str) -> str:
    """The page without the digests of its stylesheets.

    They are those of other versions and of uncut sheets, and a browser does not use a sheet with another digest.
    """
    return _INTEGRITY.sub(r"\1", page)


def is_served(url: str) -> bool:
    """Whether `url` is the address of a stylesheet that is served here."""
    return bool(_TAILWIND.search(url) or _bootstrap_file(url))


def stylesheet(url: str, page: str, whole: bool) -> str | None:
    """The sheet at `url`; Tailwind is cut to what `page` uses, unless `whole`.

    None if its package was not downloaded.
    """
    if _TAILWIND.search(url):
        sheet = Tailwind.load()
        css = sheet and (sheet.whole if whole else sheet.used_by(page))
    else:
        css = _bootstrap(_bootstrap_file(url))
    if css is None:
        warnings.warn(f"a page asks for {url[:100]}, which is not here: run `make assets`", stacklevel=2)
    return css


def _bootstrap_file(url: str) -> str | None:
    found = _BOOTSTRAP.search(url)
    version = found and _VERSIONS.get(found[1] or max(_VERSIONS))
    return f"bootstrap-{version}/package/dist/css/{found[2]}.min.css" if version else None


@cache
def _bootstrap(file: str) -> str | None:
    path = NPM / file
    return path.read_text(encoding="utf-8") if path.is_file() else None
