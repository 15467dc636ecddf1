"""Stops pages that move: the picture shows one defined moment, however long the browser took.

What is shown
- CSS animations and transitions: their end state if they end, else the page without them; `<marquee>`: its text at rest
- SMIL, GIF, APNG, WebP, AVIF: the first frame; CSS animations inside an SVG picture: the picture without them
- a `<progress>` without a value: an empty bar; video and audio: a grey box if they have controls, with the poster over
  it. The controls are not drawn, because Chromium sets their size and state some time after the page has loaded
- `content-visibility: auto`: all of it, as on a page that was scrolled through
- scrolling: none; the page is shown from its top, even if it has a field with `autofocus`

How: each document's clock stands still from the start (`Blank.session`), and the browser animates no pictures
(`browser.ARGUMENTS`). What has a clock of its own is stopped by `stand_still`, or by `still` before the browser sees
it. Not covered: a moving SVG picture whose address is hidden behind CSS escapes.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from urllib.parse import unquote_to_bytes

from playwright.async_api import Page

# Repeats are bounded, so that a search takes no longer than the page is long.
#: An address that holds an SVG picture, with its delimiters: quotes, or none up to a blank, bracket or end of tag.
_PICTURE = re.compile(
    r"""(?P<quote>["']|&quot;|&#3[49];)?(?P<head>data:image/svg\+xml[^,"'<>()]{0,200}),"""
    r"""(?P<body>(?(quote)(?:(?!(?P=quote)).)*|[^\s"')>]*))""",
    re.IGNORECASE | re.DOTALL,
)
_MOVING = re.compile(
    r"(?<![\w-])(-webkit-)?(animation|transition)(?=[-\w]*+(?:\s|/\*(?:(?!\*/).){0,200}+\*/)*+:)",
    re.IGNORECASE | re.DOTALL,
)
#: Depth to which pictures inside pictures are searched. Browsers show only the first two levels.
_NESTED = 3
_CLOSED = re.compile(r"(?<=shadowrootmode=)closed|(?<=shadowrootmode=[\"'])closed", re.IGNORECASE)
_REWRITTEN = re.compile(r"svg\+xml|shadowrootmode", re.IGNORECASE)
#: Elements and properties that `stand_still` handles. A frame with a page in it may hold any of them.
_OWN_CLOCK = re.compile(r"<marquee|<progress|<audio|<video|autofocus|scroll|content-visibility")
_INNER = ("about:srcdoc", "data:text/html")
#: A marquee that moved cannot go back; a copy that is stopped at once never moves. A medium's copy without a source
#: loads nothing. Focus is given here, as the browser scrolls there when it does.
_STAND_STILL = """() => {
    const controls = new CSSStyleSheet();
    controls.replaceSync(`::-webkit-media-controls{display:none!important}
        :is(audio,video)[controls]{background:#f1f3f4}`);
    const stop = root => {
        root.adoptedStyleSheets.push(controls);
        for (const bar of root.querySelectorAll('progress:not([value])'))
            if (getComputedStyle(bar).appearance !== 'none') bar.value = 0;
        for (const moving of root.querySelectorAll('marquee')) {
            const copy = moving.cloneNode(true);
            moving.replaceWith(copy);
            copy.stop();
        }
        for (const media of root.querySelectorAll('audio, video')) {
            const copy = media.cloneNode(false);
            copy.removeAttribute('src');
            media.replaceWith(copy);
        }
        for (const element of root.querySelectorAll('*')) {
            if (element.shadowRoot) stop(element.shadowRoot);
            if (getComputedStyle(element).contentVisibility === 'auto')
                element.style.setProperty('content-visibility', 'visible', 'important');
        }
    };
    stop(document);
    if (document.activeElement === document.body) document.querySelector('[autofocus]')?.focus({preventScroll: true});
    scrollTo({top: 0, left: 0, behavior: 'instant'});
}"""


def still(code: str, nested: int = 0) -> str:
    """The page without CSS animations and transitions in the SVG pictures of its `data:` addresses.

    Closed shadow roots become open ones, which look the same and can be reached.
    """
    if nested > _NESTED or not _REWRITTEN.search(code):
        return code
    return _PICTURE.sub(lambda match: _still_address(match, nested + 1), _CLOSED.sub("open", code))


def _still_address(match: re.Match, nested: int) -> str:
    head, body = match["head"], match["body"]
    data = unquote_to_bytes(html.unescape(body))
    try:
        picture = (base64.b64decode(data) if head.lower().rstrip().endswith("base64") else data).decode()
    except (binascii.Error, UnicodeDecodeError):
        return match[0]
    stopped = _MOVING.sub("still", still(picture, nested))
    if stopped == picture:
        return match[0]
    return f"{match['quote'] or ''}data:image/svg+xml;base64,{base64.b64encode(stopped.encode()).decode()}"


async def stand_still(page: Page, code: str) -> None:
    """Stop everything in a loaded page that has its own clock, and scroll the page to its top."""
    text = html.unescape(code).lower()
    inner = [frame for frame in page.frames[1:] if frame.url.startswith(_INNER)]
    if _OWN_CLOCK.search(text) or inner:
        for frame in [page.main_frame, *inner]:
            await frame.evaluate(_STAND_STILL)
