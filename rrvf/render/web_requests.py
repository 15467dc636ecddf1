"""The requests of a page: each one is answered from memory or refused, and nothing leaves the machine.

Answered are:
- the empty page at ADDRESS into which the code is written. Each visit has another query, so for the browser it is a
  page that it has never seen; addresses in the page lack the query
- Tailwind 2 and Bootstrap, see `web_styles`
- any picture, with a flat placeholder whose size and colour derive from the address. It replaces the photo services
  that WebSight's pages link to

A picture that only a stylesheet requests from the page's own site (`url(logo.png)`) is refused, and nothing is painted,
as in any browser. A context has one `Requests`.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from urllib.parse import unquote, urlsplit

from playwright.async_api import Route

from rrvf.render.web_markup import read_markup
from rrvf.render.web_styles import is_served, stylesheet

#: The address of the page. `.invalid` never resolves.
ADDRESS = "http://page.invalid/"
#: Requests per page; any further one is refused, because each answer costs time.
REQUESTS = 1_000
#: The form in which our own sets of pages name a size (`rrvf.data.npm_pages`).
_OWN = re.compile(r"/placeholder/(\d{1,4})x(\d{1,4})/")
#: Sizes in other addresses: 300x200 anywhere, /300/200 at the end. For services that serve photos by size: /300/200
#: anywhere, and /300, which is a square. For services of placeholders: /300, what follows are colours.
_SIDE = r"([1-9]\d{1,3})"
_BY = re.compile(rf"(?<!\d){_SIDE}x{_SIDE}(?!\d)")
_LAST_TWO = re.compile(rf"/{_SIDE}/{_SIDE}/?$")
_PAIR = re.compile(rf"/{_SIDE}/{_SIDE}(?=[/.]|$)")
_SQUARE = re.compile(rf"^/{_SIDE}(?=[/.]|$)|/{_SIDE}(?:\.\w+)?/?$")
_FIRST = re.compile(rf"^/{_SIDE}(?=[/.]|$)")
_PLACEHOLDERS = re.compile(r"(?:^|\.)(?:placeholder\.com|placehold\.co|placehold\.it|dummyimage\.com)$")
_PHOTOS = re.compile(
    r"(?:^|\.)(?:picsum\.photos|placekitten\.com|loremflickr\.com|placeimg\.com|lorempixel\.com|baconmockup\.com"
    r"|placebear\.com)$"
)
_NAMED = re.compile(r"/(?:id|seed)/[^/]*")
_MAX_SIDE = 2_000
#: Design2Code's pages use one file as placeholder for every picture; this is its name and size.
_STAND_IN, _STAND_IN_SIZE = "/rick.jpg", (1920, 1080)
#: Scripts that style a page. If scripts do not run, the page stays unstyled.
_STYLING_SCRIPT = re.compile(r"tailwind|unocss|twind|windicss", re.IGNORECASE)
#: The content security policy covers what is written into the page, and its frames. Media do not play, not even from a
#: `data:` address. Without scripts, nothing happens by itself (such as `<meta http-equiv=refresh>` in a frame).
_HTML = {"content-type": "text/html; charset=utf-8"}
_MUTE, _SANDBOX = "media-src 'none'", "media-src 'none'; sandbox allow-same-origin"


class Requests:
    """Answers the requests of one context. `whole`: serve stylesheets uncut, because scripts may add classes."""

    def __init__(self, whole: bool = False) -> None:
        self._whole = whole
        self._visited = ADDRESS
        self._code: str | None = None
        self._count = 0
        self._refused: list[str] = []

    def visit(self) -> str:
        """The address of the next empty page. Pages with scripts could read a query, so theirs has none."""
        self._visited = ADDRESS if self._whole else f"{ADDRESS}?{uuid.uuid4().hex}"
        self._code = None
        return self._visited

    def begin(self, code: str) -> None:
        """Start a page: from now on the requests are those of `code`, which is written into the empty page."""
        self._code, self._count = code, 0
        scripts = [] if self._whole else read_markup(code).scripts
        self._refused = [url for url in scripts if _STYLING_SCRIPT.search(url)]

    def unstyled(self) -> str:
        """A message that lists the styles that the page requested and did not get. Empty if there are none."""
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
            await route.fulfill(status=204)  # no content: the page stays; a refusal would leave it loading forever
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
        """Whether a picture is answered. On the page's own site and without scripts: only if an element names it."""
        if self._whole or not url.startswith(ADDRESS):
            return True
        name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
        return any(name in unquote(address) for address in read_markup(self._code or "").pictures)


def placeholder(url: str) -> str:
    """A flat SVG picture of the size in the address (else 300x200), in a muted colour from the address's hash."""
    width, height = _STAND_IN_SIZE if url.endswith(_STAND_IN) else (min(_MAX_SIDE, n) for n in _size(url))
    colour = "".join(f"{96 + b // 2:02x}" for b in hashlib.sha256(url.encode(errors="replace")).digest()[:3])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'preserveAspectRatio="none"><rect width="100%" height="100%" fill="#{colour}"/></svg>'
    )


def _size(url: str) -> tuple[int, int]:
    """The width and height in pixels that an address names, else 300x200."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", _NAMED.sub("", parts.path)
    if found := _OWN.search(path) or _BY.search(f"{path}?{parts.query}"):
        return int(found[1]), int(found[2])
    forms = (_FIRST,) if _PLACEHOLDERS.search(host) else (_PAIR, _SQUARE) if _PHOTOS.search(host) else (_LAST_TWO,)
    found = next(filter(None, (form.search(path) for form in forms)), None)
    sides = [int(side) for side in found.groups() if side] if found else [300, 200]
    return sides[0], sides[-1]
