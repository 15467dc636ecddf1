"""Any report of a script is scored or refused within two seconds of the host's time."""

from __future__ import annotations

import time

import pytest

from rrvf.benchmarks import pairs, websight
from rrvf.benchmarks.chartmimic_scores import layout, score_items
from rrvf.benchmarks.items import _MOST, items_of
from rrvf.benchmarks.plot2code import text_score
from rrvf.records import Render

NOTHING = {"text": [], "layout": [], "axes": 0, "type": {}, "color": []}
MANY = {
    "colours": lambda n: {"color": [["bar", f"#{i * 7919 % (1 << 24):06X}"] for i in range(n)]},
    "map names": lambda n: {"color": [["bar", f"name{i}"] for i in range(n)]},
    "groups": lambda n: {"color": [[f"group{i}", "#FF0000"] for i in range(n)]},
    "texts": lambda n: {"text": [f"text {i}" for i in range(n)]},
    "equal texts": lambda n: {"text": ["x"] * n},
    "axes": lambda n: {"layout": [[1, 1, 0, 0, 0, i] for i in range(n)], "axes": n},
    "labels": lambda n: {"type": {f"label{i}": 1 for i in range(n)}},
}


def items(kind, count):
    return NOTHING | MANY[kind](count)


@pytest.mark.parametrize("kind", MANY)
def test_fifty_thousand_items_are_refused(kind):
    assert items_of(Render(status="ok", items=items(kind, 50_000))) is None


@pytest.mark.parametrize("trace", ["official", "july2025", "fixed"])
def test_a_chart_script_ran_where_it_has_items_although_its_picture_cannot_be_used(trace):
    blank = Render(status="render_error", reason="blank", items=NOTHING)
    assert items_of(blank, trace) == NOTHING and items_of(blank, "plot2code") is None


@pytest.mark.parametrize(
    ("name", "graph"), [("graph_1", True), ("direct_600/graph_1", True), ("graphs/bar_1.png", False), ("bar_1", False)]
)
def test_only_a_sample_of_that_name_is_laid_out_as_a_graph(name, graph):
    own = NOTHING | {"axes": 2, "layout": [[1, 2, 0, 0, 0, 0], [1, 2, 0, 0, 1, 1]]}
    assert (layout(own, name) != own["layout"]) is graph


def test_files_that_macos_puts_beside_others_are_no_pairs(tmp_path):
    for name in ("a", "._a"):
        for end in ("gt.py", "gen.py", "gt.html", "gen.html"):
            (tmp_path / f"{name}.{end}").touch()
    assert pairs.pair_names(tmp_path) == websight.pair_names(tmp_path) == ["a"]


@pytest.mark.parametrize("part", ["drawn", "guarded"])
def test_a_part_is_bounded_as_the_whole(part):
    forged = NOTHING | {
        part: {k: v for k, v in items("colours", 50_000).items() if part == "drawn" or k in ("type", "color")}
    }
    assert items_of(Render(status="ok", items=forged)) is None


@pytest.mark.parametrize("protocol", ["official", "fixed", "july2025"])
@pytest.mark.parametrize("kind", MANY)
def test_what_is_let_in_is_scored_in_two_seconds(kind, protocol):
    forged = items(kind, _MOST if kind != "labels" else 1_000)
    started = time.process_time()
    taken = items_of(Render(status="ok", items=forged))
    score_items(taken, taken, "bar_1", protocol)
    assert time.process_time() - started < 2


def test_plot2code_matches_five_thousand_equal_texts_in_two_seconds():
    gold = {"texts": [["x", 1000.0 * i, 0.0] for i in range(5_000)], "size": [6.4, 4.8]}
    far = gold | {"texts": [["x", x + 500, y] for _, x, y in gold["texts"]]}
    started = time.process_time()
    assert text_score(gold, far) == 0.0
    assert time.process_time() - started < 2
