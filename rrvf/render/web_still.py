"""Pages that move, stopped: the picture shows one stated moment, however long the browser took to get there.

What is shown
- CSS animations and transitions: their end where they have one, else the page without them; `<marquee>`: its text at
  rest
- SMIL, GIF, APNG, WebP, AVIF: the first frame; an SVG picture's own CSS animations: the picture without them
- a `<progress>` without a value: an empty bar; video and audio: a grey box for what has controls, over it the poster.
  The controls are not drawn: Chromium settles their size and state some time after the page has loaded
- `content-visibility: auto`: all of it, as on a page that somebody scrolled through
- scrolling: none, the page from its top, also where it has a field with `autofocus`

How: each document's clock stands still from the start (`Blank.session`), the browser animates no pictures
(`browser.ARGUMENTS`), what has a clock of its own is stopped by `stand_still` or, before the browser sees it, by
`still`. Not covered: a moving SVG picture whose address is hidden behind CSS escapes.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from urllib.parse import unquote_to_bytes

from playwright.async_api import Page

# Repeats are bounded, so that a search takes no longer than the page is long.
#: An address with an SVG picture in it, and what it is written in: quotes, or bare up to a blank, bracket or end of
#: tag.
_PICTURE = re.compile(
    r"""(?P<quote>["']|&quot;|&#3[49];)?(?P<head>data:image/svg\+xml[^,"'<>()]{0,200}),"""
    r"""(?P<body>(?(quote)(?:(?!(?P=quote)).)*|[^\s"')>]*))""",
    re.IGNORECASE | re.DOTALL,
)
_MOVING = re.compile(
    r"(?<![\w-])(-webkit-)?(animation|transition)(?=[-\w]*+(?:\s|/\*(?:(?!\*/).){0,200}+\*/)*+:)",
    re.IGNORECASE | re.DOTALL,
)
#: Pictures in pictures in pictures are looked at so deep; browsers show but the first two.
_NESTED = 3
_CLOSED = re.compile(r"(?<=shadowrootmode=)closed|(?<=shadowrootmode=[\"'])closed", re.IGNORECASE)
_REWRITTEN = re.compile(r"svg\+xml|shadowrootmode", re.IGNORECASE)
#: Elements and properties that `stand_still` is for; a frame with a page in it may hold any of them.
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
    """The page with CSS animations and transitions taken out of the SVG pictures in its `data:` addresses.

    Its closed shadow roots become open ones, which look the same and can be reached.
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
    """Stop what has a clock of its own in a loaded page, and scroll it to its top."""
    text = html.unescape(code).lower()
    inner = [frame for frame in page.frames[1:] if frame.url.startswith(_INNER)]
    if _OWN_CLOCK.search(text) or inner:
        for frame in [page.main_frame, *inner]:
            await frame.evaluate(_STAND_STILL)
