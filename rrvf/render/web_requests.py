"""What a page may ask for: everything is answered from memory or refused; nothing leaves the machine.

Served: an empty page at ADDRESS, when we visit it, into which the code is written (each time with another query, which
the page's own addresses lack: for the browser it is a page that it never saw); Tailwind 2 and Bootstrap, see
`web_styles`; a flat placeholder for any picture, its size and colour taken from the address, in place of the photo
services that WebSight's pages point to. A picture that a stylesheet asks for beside the page (`url(logo.png)`) is not
there, and nothing is painted, as in any browser. A context has one `Requests`.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from urllib.parse import unquote, urlsplit

from playwright.async_api import Route

from rrvf.render.web_markup import read_markup
from rrvf.render.web_styles import is_served, stylesheet

#: Where the page is found; `.invalid` never resolves.
ADDRESS = "http://page.invalid/"
#: A page that asks for more is refused the rest: each answer costs time.
REQUESTS = 1_000
_SIZE = re.compile(r"(\d{1,4})[x/](\d{1,4})")
_MAX_SIDE = 2_000
#: What stands for every picture in Design2Code's pages, a file of its own, and that file's size.
_STAND_IN, _STAND_IN_SIZE = "/rick.jpg", (1920, 1080)
#: Scripts that style a page: where scripts do not run, it stays unstyled.
_STYLING_SCRIPT = re.compile(r"tailwind|unocss|twind|windicss", re.IGNORECASE)
#: The policy holds for what is written into the page, and for its frames: nothing plays, from a `data:` address either;
#: without scripts nothing happens by itself (`<meta http-equiv=refresh>` in a frame).
_HTML = {"content-type": "text/html; charset=utf-8"}
_MUTE, _SANDBOX = "media-src 'none'", "media-src 'none'; sandbox allow-same-origin"


class Requests:
    """Answers the requests of one context. `whole`: serve stylesheets uncut, as scripts may add classes."""

    def __init__(self, whole: bool = False) -> None:
        self._whole = whole
        self._visited = ADDRESS
        self._code: str | None = None
        self._count = 0
        self._refused: list[str] = []

    def visit(self) -> str:
        """Where the next empty page is found; pages with scripts could read a query, and get none."""
        self._visited = ADDRESS if self._whole else f"{ADDRESS}?{uuid.uuid4().hex}"
        self._code = None
        return self._visited

    def begin(self, code: str) -> None:
        """From now on the requests are those of `code`, which is written into the empty page."""
        self._code, self._count = code, 0
        scripts = [] if self._whole else read_markup(code).scripts
        self._refused = [url for url in scripts if _STYLING_SCRIPT.search(url)]

    def unstyled(self) -> str:
        """Which styles the page asked for and did not get, in words; nothing where it got all."""
        shown = ", ".join(dict.fromkeys(url.strip()[:100] for url in self._refused))
        return f"drawn without styles that were not served: {shown}" if shown else ""

    async def answer(self, route: Route) -> None:
        """Playwright's route handler."""
        request = route.request
        url = request.url.replace(self._visited, ADDRESS)
        self._count += 1
        if self._code is None and request.url == self._visited:
            policy = _MUTE if self._whole else _SANDBOX
            await route.fulfill(body="", headers={**_HTML, "content-security-policy": policy})
        elif request.is_navigation_request():
            await route.fulfill(status=204)  # no content: the page stays; a refusal would leave it loading for ever
        elif self._count > REQUESTS:
            await route.abort("blockedbyclient")
        elif request.resource_type == "image" and self._has(url):
            await route.fulfill(body=placeholder(url), content_type="image/svg+xml")
        elif request.resource_type == "stylesheet":
            await self._style(route, url)
        else:
            if request.resource_type == "script" and _STYLING_SCRIPT.search(url):
                self._refused.append(url)
            await route.abort("blockedbyclient")

    async def _style(self, route: Route, url: str) -> None:
        css = stylesheet(url, self._code or "", self._whole) if is_served(url) else None
        if css is None:
            self._refused.append(url.removeprefix(ADDRESS))
            return await route.abort("blockedbyclient")
        await route.fulfill(body=css, headers={"content-type": "text/css", "cache-control": "no-store"})

    def _has(self, url: str) -> bool:
        """Whether there would be a picture: elsewhere, or where an element, and not only a stylesheet, names it."""
        if self._whole or not url.startswith(ADDRESS):
            return True
        name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
        return any(name in unquote(address) for address in read_markup(self._code or "").pictures)


def placeholder(url: str) -> str:
    """A flat picture as SVG: the size that stands in the address (else 300x200), a muted colour from its hash."""
    found = _SIZE.search(url)
    width, height = (min(_MAX_SIDE, max(1, int(n))) for n in found.groups()) if found else (300, 200)
    if url.endswith(_STAND_IN):
        width, height = _STAND_IN_SIZE
    colour = "".join(f"{96 + b // 2:02x}" for b in hashlib.sha256(url.encode(errors="replace")).digest()[:3])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'preserveAspectRatio="none"><rect width="100%" height="100%" fill="#{colour}"/></svg>'
    )
