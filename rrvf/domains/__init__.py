"""The domains: the paper's charts (Python, matplotlib) and web pages (HTML, Chromium), and SVG.

Each domain is one file, which registers it; `docs/add_a_domain.md` shows how to add one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rrvf.domains.chart import CHART
from rrvf.domains.record import DOMAINS, Canvas, Domain, domain
from rrvf.domains.svg import SVG
from rrvf.domains.web import WEB

if TYPE_CHECKING:
    DomainName = str
else:
    DomainName = Literal[*DOMAINS]

#: The two domains of the paper.
PAPER = tuple(name for name, known in DOMAINS.items() if known.of_paper)

#: One small picture size for all domains of the nano profile: 20 x 16 patches of 14 pixels.
NANO_CANVAS = Canvas(width=280, height=224, dpi=100, font_size=8.0)

__all__ = ["CHART", "DOMAINS", "NANO_CANVAS", "PAPER", "SVG", "WEB", "Canvas", "Domain", "DomainName", "domain"]
