"""How the pictures of a domain are read and compared: as a chart with its axes, or as a page with its blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rrvf.judge.embedded.chart import read_chart
from rrvf.judge.embedded.chart_pair import compare_charts
from rrvf.judge.embedded.feedback import GENERAL, GENERAL_PAGE, MATCH, MATCH_PAGE
from rrvf.judge.embedded.page import read_page
from rrvf.judge.embedded.page_pair import compare_pages
from rrvf.judge.embedded.picture import Picture


@dataclass(frozen=True)
class Reading:
    """read: takes a picture apart. compare: two such, and how their proportions agree, into parts and phrases.

    odds: what difference weighs beside agreement. general: what is said of an aspect below its `match`. cut: pictures
    of one width differ in length (`picture.fit`).
    """

    read: Callable[[Picture], Any]
    compare: Callable[[Any, Any, float], tuple[dict[str, float], dict[str, list[str]]]]
    odds: float
    general: Mapping[str, str]
    match: Mapping[str, float]
    cut: bool = False


CHARTS = Reading(read_chart, compare_charts, 3.1, GENERAL, MATCH)
#: Half a page agrees in more than half of a chart does, since much of a page is background: there difference weighs
#: more.
PAGES = Reading(read_page, compare_pages, 4.5, GENERAL_PAGE, MATCH_PAGE, cut=True)
#: A drawing has a size of its own, as a chart has, and neither axes nor panels.
DRAWINGS = replace(PAGES, cut=False)
