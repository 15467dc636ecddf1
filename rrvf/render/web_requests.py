"""What a page may ask for: everything is answered from memory or refused; nothing leaves the machine.

Served: the page itself; Tailwind 2's stylesheet, which WebSight's pages link to; a flat placeholder for any picture, its
size and colour taken from the address, in place of the photo services that those pages point to.
"""

from __future__ import annotations

import hashlib
import io
import re
from functools import cache
from pathlib import Path

from PIL import Image

#: Where the page itself is found; `.invalid` never resolves.
ADDRESS = "http://page.invalid/"
TAILWIND = Path(__file__).parents[2] / ".cache/assets/npm/tailwindcss-2.2.19/package/dist/tailwind.min.css"
_TAILWIND_URL = re.compile(r"tailwindcss@\^?2|tailwind(\.min)?\.css")
_SIZE = re.compile(r"(\d{1,4})[x/](\d{1,4})")


class Requests:
    """Answers one page's requests. `code` is served once, as the page; a later navigation is refused."""

    def __init__(self, code: str) -> None:
        self._code: str | None = code

    async def answer(self, route) -> None:
        """Playwright's route handler."""
        request = route.request
        if request.is_navigation_request():
            code, self._code = self._code, None
            if code is None or request.url != ADDRESS:
                await route.abort("aborted")
            else:
                await route.fulfill(body=code, content_type="text/html; charset=utf-8")
        elif request.resource_type == "stylesheet" and _TAILWIND_URL.search(request.url) and TAILWIND.is_file():
            await route.fulfill(body=_tailwind(), content_type="text/css")
        elif request.resource_type == "image":
            await route.fulfill(body=placeholder(request.url), content_type="image/png")
        else:
            await route.abort("blockedbyclient")


@cache
def _tailwind() -> str:
    return TAILWIND.read_text()


@cache
def placeholder(url: str) -> bytes:
    """A flat picture as PNG: the size that stands in the address (else 300x200), a muted colour from its hash."""
    found = _SIZE.search(url)
    width, height = (min(2000, max(1, int(n))) for n in found.groups()) if found else (300, 200)
    colour = tuple(96 + b // 2 for b in hashlib.sha256(url.encode()).digest()[:3])
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()
