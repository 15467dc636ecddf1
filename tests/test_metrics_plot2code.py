"""Plot2Code's text match (metrics_spec 2.3) and its two averages."""

from __future__ import annotations

import pytest

from rrvf.benchmarks.plot2code import aggregate, extract_code, score_folder, text_score


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


def test_a_folder_is_scored_in_the_sandbox(tmp_path):
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('t')\nplt.show()"
    for name, generated in {"a": code, "b": code.replace("'t'", "'u'"), "c": "raise ValueError"}.items():
        (tmp_path / f"{name}.gt.py").write_text(code)
        (tmp_path / f"{name}.gen.py").write_text(generated)
    pairs = score_folder(tmp_path, tmp_path / "out.json", workers=1)["pairs"]
    assert pairs["a"] == {"exec_ok": True, "text_score": 1.0} and pairs["c"] == {"exec_ok": False, "text_score": 0.0}
    assert 0.5 < pairs["b"]["text_score"] < 1.0
