"""The tracer against the original evaluators on our own scripts: colour formats, axes without a grid, failed saves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rrvf.benchmarks.chartmimic import LIMITS
from rrvf.benchmarks.chartmimic_scores import METRICS, layout
from rrvf.benchmarks.items import items_of
from rrvf.render import Renderer

pytestmark = pytest.mark.usefixtures("lent")

CASES = json.loads((Path(__file__).parent / "conformance/own_cases.json").read_text())["cases"]
IN_JULY = [case for case in CASES if "july2025" in case]


@pytest.fixture(scope="module")
def renderer():
    with Renderer("chart", 2, LIMITS) as renderer:
        yield renderer


@pytest.fixture(scope="module")
def official(renderer):
    renders = renderer.render_each((case["script"] for case in CASES), "official")
    return {case["name"]: seen(render, case["name"]) for case, render in zip(CASES, renders, strict=True)}


def seen(render, name):
    items = items_of(render)
    return {"runs": False} if items is None else {"runs": True} | items | {"layout": layout(items, name)}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_official_items_are_the_originals(case, official):
    found = official[case["name"]]
    assert {kind: found.get(kind) for kind in case["official"]} == case["official"]


@pytest.mark.parametrize("case", IN_JULY, ids=[case["name"] for case in IN_JULY])
def test_items_of_july_2025_differ_where_that_evaluator_did(case, renderer):
    found = seen(renderer.render(case["script"], "july2025"), case["name"])
    expected = {kind: case["official"][kind] for kind in METRICS} | case["july2025"]
    assert {kind: found[kind] for kind in METRICS} == expected


@pytest.mark.parametrize("name", ["bad_title", "bad_ticklabel", "fmt_raises"])
def test_a_figure_that_cannot_be_drawn_did_not_run_in_the_repaired_protocol(name, renderer):
    (script,) = (case["script"] for case in CASES if case["name"] == name)
    assert items_of(renderer.render(script, "fixed")) is None


def test_a_formatter_that_needs_ticks_does_not_cost_the_texts_in_the_repaired_protocol(renderer):
    (script,) = (case["script"] for case in CASES if case["name"] == "concise")
    script += "\nax.set_title('t')"
    seen = {protocol: renderer.render(script, protocol).items["text"] for protocol in ("official", "fixed")}
    assert seen == {"official": [], "fixed": ["t"]}


@pytest.mark.parametrize("name", ["fill_none", "hlines_empty", "nx_noedges", "venn_empty", "color_alpha_tuple"])
def test_an_object_that_cannot_be_read_costs_its_own_colour_alone_in_the_repaired_protocol(name, renderer):
    (script,) = (case["script"] for case in CASES if case["name"] == name)
    script += "\nplt.axhline(sum(plt.ylim()) / 2, color='#123456')"
    assert ["axhline", "#123456"] in renderer.render(script, "fixed").items["color"]
