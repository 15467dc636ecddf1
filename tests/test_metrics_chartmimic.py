"""ChartMimic's items and scores: exact on the conformance cases, and the rules that are easy to get wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rrvf.benchmarks.chartmimic import (
    LIMITS,
    aggregate,
    extract_code,
    extract_folder,
    items_of,
    overall,
    score_folder,
)
from rrvf.benchmarks.chartmimic_scores import colors, score_items, thinned
from rrvf.benchmarks.colors import similarity
from rrvf.errors import UserError
from rrvf.render import Renderer

CASES = json.loads((Path(__file__).parent / "conformance/chartmimic_cases.json").read_text())["cases"]
NOTHING = {"text": [], "layout": [], "type": {}, "color": []}
IMPORTS = "import matplotlib.pyplot as plt\n"


@pytest.fixture(scope="session")
def renderer():
    with Renderer("chart", 2, LIMITS) as renderer:
        yield renderer


@pytest.fixture(scope="session")
def official(renderer):
    renders = renderer.render_many([case["script"] for case in CASES], "official")
    return {case["name"]: items_of(render) for case, render in zip(CASES, renders, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_official_items_are_exact(case, official):
    # Where the official evaluator crashes it reports nothing of that kind.
    expected = {k: NOTHING[k] if isinstance(v, dict) and "error" in v else v for k, v in case["official"].items()}
    assert official[case["name"]] == expected


REPAIRED = [c for c in CASES if "vlmevalkit_head_differs" in c and c["name"] != "bar_last_named"]


@pytest.mark.parametrize("case", REPAIRED, ids=[case["name"] for case in REPAIRED])
def test_fixed_gives_what_the_repaired_evaluator_gives(case, renderer):
    items = renderer.render(case["script"], "fixed").items
    assert {k: items[k] for k in case["vlmevalkit_head_differs"]} == case["vlmevalkit_head_differs"]


def test_fixed_reads_a_bar_recoloured_by_name(renderer):
    script = IMPORTS + "b = plt.bar([1, 2], [1, 2])\nb[1].set_color('red')\n"
    assert renderer.render(script, "fixed").items["color"] == [["bar", "#FF0000"]]


def test_extraction_does_not_change_the_picture(renderer):
    script = IMPORTS + "import seaborn as sns\nsns.barplot(x=['a', 'b'], y=[1, 2])\nplt.title('t')\n"
    plain, traced = renderer.render(script), renderer.render(script, "official")
    assert plain.png == traced.png


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("#FF0000", "#0000FF", 0.47120),
        ("#1F77B4", "#4682B4", 0.95080),
        ("#FF7F0E", "#FFA500", 0.86626),
        ("#FFFFFF", "#000000", 0.0),
        ("#66B3FF", "#87CEEB", 0.87628),
        ("#FF0000", "#00FF00", 0.13392),
        ("#0000FF", "#FFFF00", 0.0),
        ("viridis", "viridis", 1.0),
        ("viridis", "#FF0000", 0.0),
    ],
)
def test_colour_similarity(one, two, expected):
    assert similarity(one, two) == pytest.approx(expected, abs=5e-6)


def test_empty_against_empty_is_zero():
    assert score_items(NOTHING, NOTHING, "bar_1", "fixed").text.f1 == 0.0


def test_axes_of_a_graph_count_whatever_their_grid():
    gold, generated = {**NOTHING, "layout": [[1, 1, 0, 0, 0, 0]]}, {**NOTHING, "layout": [[2, 2, 1, 1, 1, 1]]}
    found = {name: score_items(gold, generated, name, "fixed").layout.f1 for name in ("graph_1", "bar_1")}
    assert found == {"graph_1": 1.0, "bar_1": 0.0}


def test_colours_match_within_their_group_only():
    assert colors([["bar", "#FF0000"]], [["line", "#FF0000"]], "fixed").f1 == 0.0


def test_colours_take_the_best_assignment_not_the_first():
    gold = [["bar", "#FF0000"], ["bar", "#0000FF"]]
    assert colors(gold, gold[::-1], "fixed").f1 == pytest.approx(1.0)


MANY = [["bar", f"#{i:02X}{255 - i:02X}80"] for i in range(0, 240, 20)]


def test_more_than_ten_colours_score_nothing_in_july_2025_only():
    found = {p: colors(MANY, MANY, p).f1 for p in ("july2025", "official", "fixed")}
    assert found["july2025"] == 0.0 and found["official"] == found["fixed"] == pytest.approx(1.0)


def test_thinning_does_not_depend_on_the_order():
    assert thinned(MANY) == thinned(MANY[::-1]) and len(thinned(MANY)) < 10


def test_only_the_first_python_fence_is_code():
    assert extract_code("a\n```python\nx = 1\n```\n```python\ny\n```") == "\nx = 1\n"
    assert extract_code("```python\nx = 1") is None and extract_code("x = 1") is None


def test_overall_reproduces_the_papers_row():
    assert overall(62.47, 80.97, 53.56, 46.41, 67.87) == pytest.approx(64.36, abs=0.01)


PAIRS = {
    "bar_1": ("plt.bar([1, 2], [3, 4])\nplt.title('t')", "plt.bar([1, 2], [3, 4])\nplt.title('t')"),
    "bar_2": ("plt.bar([1, 2], [3, 4])", "raise ValueError"),
    "line_3": ("plt.plot([1, 2])\nplt.title('a')", "plt.plot([1, 2])\nplt.title('b')"),
    "pie_4": ("plt.pie([1, 2])", "import os\nos.kill(os.getpid(), 9)"),
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name, (gold, generated) in PAIRS.items():
        (folder / f"{name}.gt.py").write_text(IMPORTS + gold)
        (folder / f"{name}.gen.py").write_text(IMPORTS + generated)
    return folder


def test_a_folder_scores_each_pair_by_itself(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pairs = score_folder(folder, tmp_path / "out.json", workers=1)["pairs"]
    assert {n: p["exec_ok"] for n, p in pairs.items()} == {"bar_1": True, "bar_2": False, "line_3": True, "pie_4": False}
    assert pairs["bar_1"]["text"]["f1"] == 1.0 and pairs["line_3"]["text"]["f1"] == 0.0


def test_the_same_bytes_with_any_number_of_workers(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for workers in (1, 4):
        score_folder(folder, tmp_path / f"{workers}.json", workers=workers)
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "4.json").read_bytes()


def test_a_killed_run_continues_from_what_it_had(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = score_folder(folder, tmp_path / "whole.json")
    line = json.dumps({"name": "bar_1", "score": whole["pairs"]["line_3"]})
    head = json.dumps({"folder": str(folder.resolve()), "protocol": "fixed"})
    (tmp_path / "out.json.partial").write_text(f'{head}\n{line}\n{{"name": "bar_2", "sc')
    resumed = score_folder(folder, tmp_path / "out.json")["pairs"]
    assert resumed["bar_1"] == whole["pairs"]["line_3"] and resumed["bar_2"] == whole["pairs"]["bar_2"]


def test_scripts_that_fail_count_zero_in_the_aggregate(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = score_folder(folder, tmp_path / "out.json")["aggregate"]
    assert (found["n"], found["exec_rate"], found["type"]) == (4, 50.0, 50.0)


def test_half_a_pair_is_named(folder, tmp_path):
    (folder / "pie_4.gen.py").unlink()
    with pytest.raises(UserError, match="pie_4"):
        score_folder(folder, tmp_path / "out.json")


def test_extract_gives_the_shape_of_the_conformance_file(tmp_path):
    (tmp_path / "a.py").write_text(IMPORTS + "plt.plot([1, 2])\nplt.title('t')")
    found = extract_folder(tmp_path, tmp_path / "out.json", workers=1)
    assert found == {
        "a": {"text": ["t"], "layout": [[1, 1, 0, 0, 0, 0]], "type": {"plot": 1}, "color": [["line", "#1F77B4"]]}
    }


def test_nothing_scored_has_no_rate():
    assert aggregate([])["n"] == 0
