"""The two domains of the paper: charts (Python, matplotlib) and web pages (HTML, Chromium)."""

from __future__ import annotations

from dataclasses import dataclass

from rrvf.errors import UserError


@dataclass(frozen=True)
class Canvas:
    """The picture's size in pixels, owned by the harness and not by the policy's code.

    For charts also the resolution and the base font size; for pages the viewport. `full_page` makes `height` a
    minimum. A chart rendered with no canvas keeps the size that its script asks for, within the limits.
    """

    width: int
    height: int
    dpi: int = 100
    font_size: float = 10.0
    full_page: bool = False


@dataclass(frozen=True)
class Domain:
    """What differs between charts and pages: tool name and argument, code fence, file suffix."""

    name: str
    tool_name: str
    tool_argument: str
    fence: str
    suffix: str
    #: Whether the code says how large its picture is; else the canvas does.
    own_size: bool = True


#: The web tool's name stands in the official overview figure; its chart twin's name is ours.
CHART = Domain("chart", "chart_render_and_compare_tool", "python_code", "python", ".py")
WEB = Domain("web", "html_render_and_compare_tool", "html_code", "html", ".html", own_size=False)
DOMAINS = {d.name: d for d in (CHART, WEB)}

#: One small picture size for both domains of the nano profile: 20 x 16 patches of 14 pixels.
NANO_CANVAS = Canvas(width=280, height=224, dpi=100, font_size=8.0)


def domain(name: str) -> Domain:
    """The domain called `name`; raises UserError for any other word than chart or web."""
    if name not in DOMAINS:
        raise UserError(f"no domain called {name!r}: choose one of {', '.join(DOMAINS)}")
    return DOMAINS[name]
