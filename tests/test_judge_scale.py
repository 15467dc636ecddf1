"""One change costs as much as the rubric says: in charts of every style and without spines, and in pages."""

import numpy as np
import pytest

from rrvf.judge.embedded import Reference, judge_pair
from rrvf.judge.scale import chart_pairs, page_pairs
from rrvf.judge.styled import FORMS

#: One style of each kind: gray background, grid without spines, dark, tinted page, gray page, pale spines and grid.
STYLES = (
    "default",
    "ggplot",
    "fivethirtyeight",
    "dark_background",
    "Solarize_Light2",
    "classic",
    "seaborn-v0_8-whitegrid",
)
KINDS = ("bar", "line", "pie", "heat map")
CHARTS = [(kind, style, "full") for style, kind in zip(STYLES * 2, KINDS * 4, strict=False)]
CHARTS += [
    (kind, style, form) for style in ("default", "dark_background") for kind in ("bar", "grouped") for form in FORMS[1:]
]


@pytest.fixture(scope="module")
def charts():
    return {case: {change: judge_pair(a, b, "chart") for change, a, b in chart_pairs(*case)} for case in CHARTS}


@pytest.fixture(scope="module")
def pages():
    return [{change: judge_pair(a, b, "web") for change, a, b in page_pairs(seed)} for seed in range(6)]


@pytest.mark.parametrize("case", CHARTS, ids=" ".join)
def test_what_changed_costs_in_every_style_and_form(charts, case):
    assert {change for change, judged in charts[case].items() if judged.score > 0.99} <= {"hue turned 18"}


@pytest.mark.parametrize("case", CHARTS, ids=" ".join)
def test_a_foreign_hue_is_seen_and_costs_more_than_a_small_turn(charts, case):
    foreign, turned = charts[case]["hue foreign"], charts[case].get("hue turned 18")
    assert foreign.score < 0.7 and "Colour" in foreign.feedback
    assert turned is None or turned.score > foreign.score + 0.05


@pytest.mark.parametrize("form", FORMS)
def test_the_colour_of_bars_counts_the_same_with_and_without_spines(form):
    (a, b) = next((a, b) for change, a, b in chart_pairs("bar", "default", form) if change == "hue foreign")
    judged = judge_pair(a, b, "chart")
    assert judged.parts["colour"] < 0.2 and 0.35 < judged.score < 0.5
    assert len(Reference(a, "chart").reading.panels) == 1


@pytest.mark.parametrize(
    ("change", "low", "high"),
    [
        ("one word", 0.85, 0.99),
        ("one colour of several", 0.75, 0.95),
        ("hue turned 18", 0.75, 1.0),
        ("one value of eight", 0.6, 0.97),
        ("text only", 0.0, 0.15),
        ("marks only", 0.1, 0.5),
        ("left half", 0.0, 0.2),
        ("unrelated same kind", 0.0, 0.2),
        ("unrelated other kind", 0.0, 0.1),
    ],
)
def test_the_scale_of_charts_reads_like_the_rubric(charts, change, low, high):
    assert low < np.median([case[change].score for case in charts.values() if change in case]) < high


@pytest.mark.parametrize(
    ("change", "low", "high"),
    [
        ("one word", 0.9, 1.0),
        ("one colour of several", 0.65, 0.95),
        ("hue foreign", 0.2, 0.6),
        ("missing block", 0.3, 0.75),
        ("left half", 0.0, 0.3),
        ("top half", 0.0, 0.3),
        ("text blocks only", 0.0, 0.3),
        ("fill blocks only", 0.0, 0.3),
        ("dark pixels only", 0.0, 0.3),
        ("unrelated", 0.0, 0.1),
    ],
)
def test_the_scale_of_pages_reads_like_the_rubric(pages, change, low, high):
    assert low < np.median([page[change].score for page in pages]) <= high
