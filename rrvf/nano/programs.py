"""Reads kind, texts and values back from the text of a chart program of the nano policy."""

from __future__ import annotations

import ast
import re

from rrvf.data.generated import charts


def kind_of(code: str) -> str | None:
    """Which of the generator's kinds a chart program draws; None if it calls no known plotting method."""
    calls = [c for c in re.findall(r"\.(\w+)\(", code) if c != "subplots"]
    if "(1, 2)" in code:
        return "subplots"
    if calls.count("bar") > 1:
        return "stacked" if "bottom=" in code else "grouped"
    if calls.count("plot") > 1:
        return "multiline"
    names = {"plot": "line", "fill_between": "area", "boxplot": "box", "imshow": "heatmap"}
    return next((names.get(c, c) for c in calls if names.get(c, c) in charts.KINDS), None)


def text_of(code: str, what: str) -> str | None:
    """The text of a chart program's title, xlabel or ylabel; None if it sets none. what: which of the three."""
    found = re.search(rf"(?:\.|set_|sup|\(|, ){what}[(=]'([^']*)'", code)
    return found.group(1) if found else None


def values_of(code: str) -> list[float]:
    """The numbers of a program's list `y`; empty if there is none or it is no list of numbers."""
    found = re.search(r"^y = (\[[^\[\]]*\])$", code, re.MULTILINE)
    try:
        return [float(v) for v in ast.literal_eval(found.group(1))] if found else []
    except (ValueError, SyntaxError):
        return []
