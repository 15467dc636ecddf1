"""Plot2Code's text match (metrics_spec 2.3) and its two averages."""

from __future__ import annotations

import pytest

from rrvf.benchmarks.items import items_of
from rrvf.benchmarks.plot2code import LIMITS, aggregate, extract_code, sample_metrics, score_folder, text_score
from rrvf.records import Render
from rrvf.render import Limits, Renderer

pytestmark = pytest.mark.usefixtures("lent")


def items(*texts, size=(6.4, 4.8)):
    return {"texts": [list(t) for t in texts], "size": list(size)}


def test_equal_texts_at_near_places_match():
    assert text_score(items(("a", 0, 0), ("b", 5, 5)), items(("a", 1, 1), ("b", 5, 5))) == 1.0


def test_a_letter_apart_is_no_match():
    assert text_score(items(("title", 0, 0)), items(("titles", 0, 0))) == 0.0


def test_twenty_two_units_are_near_and_twenty_three_are_not():
    assert text_score(items(("a", 0, 0)), items(("a", 22, 0))) == 1.0
    assert text_score(items(("a", 0, 0)), items(("a", 23, 0))) == 0.0


def test_places_are_scaled_by_the_figures_sizes():
    assert text_score(items(("a", 100, 0), size=(10, 5)), items(("a", 50, 0), size=(5, 5))) == 1.0


def test_a_generated_text_is_used_once():
    assert text_score(items(("a", 0, 0), ("a", 0, 0)), items(("a", 0, 0))) == pytest.approx(1 / 2)


def test_a_place_that_is_a_word_matches_nothing():
    assert text_score(items(("a", None, 0)), items(("a", 0, 0))) == 0.0


def test_no_texts_on_either_side_is_a_match():
    assert text_score(items(), items()) == 1.0


def test_all_fences_are_joined_and_a_bare_reply_is_code():
    assert extract_code("```python\na\n```x```python\nb\n```") == "\na\n\n\nb\n"
    assert extract_code("plt.plot()") == "plt.plot()" and extract_code("") is None


def test_text_is_text_pass_times_the_rate():
    found = aggregate([1.0, 0.5, None, None])
    assert (found["exec_rate"], found["text_pass"], found["text"]) == (50.0, 75.0, 37.5)


def test_a_true_script_that_does_not_run_matches_nothing():
    render = Render(status="ok", items=items())
    assert sample_metrics(None, render) == {"exec": 1.0, "text": 0.0}


def test_items_that_no_tracer_reports_count_as_not_run():
    render = Render(status="ok", items=items(("a", "b", 0)))
    assert items_of(render, "plot2code") is None


CODE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('t')\nplt.show()"
HELPER = "def size():\n    return WIDE\nWIDE = 6.4\n" + CODE + "\nplt.gcf().set_figwidth(size())"
BLANK = CODE + "\nplt.figure()"
GENERATED = {"a": CODE, "b": CODE.replace("'t'", "'u'"), "c": "raise ValueError", "d": HELPER, "e": BLANK}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name, generated in GENERATED.items():
        (folder / f"{name}.gt.py").write_text(CODE)
        (folder / f"{name}.gen.py").write_text(generated)
    return folder


def test_a_folder_is_scored_in_the_sandbox(folder, tmp_path):
    pairs = score_folder(folder, tmp_path / "out.json", cache=tmp_path / "cache")["pairs"]
    assert pairs["a"] == pairs["d"] == {"exec_ok": True, "text_score": 1.0}
    failed = {"exec_ok": False, "text_score": 0.0}
    assert pairs["c"] == failed | {"reason": "exception"} and pairs["e"] == failed | {"reason": "blank"}
    assert 0.5 < pairs["b"]["text_score"] < 1.0


def test_the_original_s_own_imports_are_there_inside_a_function_alone(tmp_path):
    (tmp_path / "a.gt.py").write_text(CODE)
    (tmp_path / "a.gen.py").write_text(CODE.removeprefix("import matplotlib.pyplot as plt\n"))
    for mode, passes in (("function", True), ("module", False)):
        pair = score_folder(tmp_path, tmp_path / "out.json", exec_mode=mode, cache=None)["pairs"]["a"]
        assert (pair["exec_ok"], pair["text_score"]) == (passes, float(passes))


@pytest.mark.parametrize("limits", [LIMITS, Limits()], ids=["items alone", "with a picture"])
def test_labels_stand_where_the_figure_s_own_resolution_puts_them(limits):
    wide = "import matplotlib.pyplot as plt\nplt.figure(dpi={})\nplt.plot([1, 2])\nplt.xlabel('x')"
    with Renderer("chart", 1, limits) as renderer:
        found = [renderer.render(wide.format(dpi), "plot2code").items["texts"] for dpi in (100, 200)]
    low, high = (next(y for text, _, y in texts if text == "x") for texts in found)
    assert high == pytest.approx(2 * low, rel=0.1)


def test_a_coloured_figure_without_content_passes_and_a_white_one_does_not(tmp_path):
    for name, code in {"a": "plt.figure(facecolor='r')", "b": "plt.figure()", "c": "pass"}.items():
        (tmp_path / f"{name}.gt.py").write_text(CODE)
        (tmp_path / f"{name}.gen.py").write_text(f"import matplotlib.pyplot as plt\n{code}")
    pairs = score_folder(tmp_path, tmp_path / "out.json", cache=None)["pairs"]
    assert {name: pair["exec_ok"] for name, pair in pairs.items()} == {"a": True, "b": False, "c": False}


def test_inside_a_function_a_helper_cannot_see_the_scripts_names(folder, tmp_path):
    pairs = score_folder(folder, tmp_path / "out.json", exec_mode="function", cache=tmp_path / "cache")["pairs"]
    assert [name for name, pair in pairs.items() if pair["exec_ok"]] == ["a", "b"]


def test_a_place_in_words_is_no_number_even_if_it_reads_as_one(tmp_path):
    for side in ("gt", "gen"):
        (tmp_path / f"a.{side}.py").write_text(CODE + "\nplt.bar(['7', '8'], [1, 2])\nplt.text('7', 1, 'here')")
    pair = score_folder(tmp_path, tmp_path / "out.json", cache=None)["pairs"]["a"]
    assert pair["exec_ok"] and 0.5 < pair["text_score"] < 1.0
