"""How pictures of a domain are read and compared: as charts with axes, or as pages with blocks."""

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
    """One way to read and compare pictures.

    read: takes a picture apart. compare: turns two readings, and the agreement of the pictures' proportions, into parts
    and phrases. odds: the weight of difference against agreement in the score. general: the phrase for an aspect whose
    part is below its `match`. cut: cut a longer picture instead of squeezing it (`picture.fit`).
    """

    read: Callable[[Picture], Any]
    compare: Callable[[Any, Any, float], tuple[dict[str, float], dict[str, list[str]]]]
    odds: float
    general: Mapping[str, str]
    match: Mapping[str, float]
    cut: bool = False


CHARTS = Reading(read_chart, compare_charts, 3.1, GENERAL, MATCH)
#: Much of a page is background, so half a page agrees more with the whole than half a chart does. Differences of pages
#: therefore weigh more.
PAGES = Reading(read_page, compare_pages, 4.5, GENERAL_PAGE, MATCH_PAGE, cut=True)
#: A drawing has a fixed size, like a chart, but neither axes nor panels.
DRAWINGS = replace(PAGES, cut=False)
