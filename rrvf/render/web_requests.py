"""What a page may ask for: everything is answered from memory or refused; nothing leaves the machine.

Served: an empty page at ADDRESS, when we visit it, into which the code is written; Tailwind 2's stylesheet, which
WebSight's pages link to; a flat placeholder for any picture, its size and colour taken from the address, in place of
the photo services that those pages point to. A context has one `Requests`.
"""

from __future__ import annotations

import hashlib
import re
import warnings

from playwright.async_api import Route

from rrvf.render.tailwind import Tailwind

#: Where the page is found; `.invalid` never resolves.
ADDRESS = "http://page.invalid/"
#: A page that asks for more is refused the rest: each answer costs time.
REQUESTS = 1_000
_TAILWIND_URL = re.compile(r"tailwindcss@\^?2|/tailwind(\.min)?\.css")
_SIZE = re.compile(r"(\d{1,4})[x/](\d{1,4})")
_MAX_SIDE = 2_000
#: The policy holds for what is written into the page, and for its frames: nothing plays, from a `data:` address either.
_BLANK_PAGE = {"content-type": "text/html; charset=utf-8", "content-security-policy": "media-src 'none'"}


class Requests:
    """Answers the requests of one context. `whole`: serve stylesheets uncut, as scripts may add classes."""

    def __init__(self, whole: bool = False) -> None:
        self._whole = whole
        self._code: str | None = None
        self._count = 0

    def begin(self, code: str) -> None:
        """From now on the requests are those of `code`, which is written into the empty page."""
        self._code, self._count = code, 0

    async def answer(self, route: Route) -> None:
        """Playwright's route handler."""
        request = route.request
        self._count += 1
        if self._code is None and request.url == ADDRESS:
            await route.fulfill(body="", headers=_BLANK_PAGE)
        elif request.is_navigation_request():
            await route.fulfill(status=204)  # no content: the page stays; a refusal would leave it loading for ever
        elif self._count > REQUESTS:
            await route.abort("blockedbyclient")
        elif request.resource_type == "image":
            await route.fulfill(body=placeholder(request.url), content_type="image/svg+xml")
        elif request.resource_type == "stylesheet" and _TAILWIND_URL.search(request.url):
            await self._tailwind(route)
        else:
            await route.abort("blockedbyclient")

    async def _tailwind(self, route: Route) -> None:
        sheet = Tailwind.load()
        if sheet is None:
            warnings.warn("a page asks for Tailwind 2, which is not here: run `make assets`", stacklevel=2)
            return await route.abort("blockedbyclient")
        css = sheet.whole if self._whole else sheet.used_by(self._code or "")
        await route.fulfill(body=css, headers={"content-type": "text/css", "cache-control": "no-store"})


def placeholder(url: str) -> str:
    """A flat picture as SVG: the size that stands in the address (else 300x200), a muted colour from its hash."""
    found = _SIZE.search(url)
    width, height = (min(_MAX_SIDE, max(1, int(n))) for n in found.groups()) if found else (300, 200)
    colour = "".join(f"{96 + b // 2:02x}" for b in hashlib.sha256(url.encode(errors="replace")).digest()[:3])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'preserveAspectRatio="none"><rect width="100%" height="100%" fill="#{colour}"/></svg>'
    )
