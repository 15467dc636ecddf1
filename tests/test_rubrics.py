"""The benchmarks' own rubrics: each has its parser of replies, its scale and its name."""

from __future__ import annotations

import json

import pytest
from test_judge_client import body, completion

from rrvf.judge.client import JudgeClient
from rrvf.judge.replies import BadReply
from rrvf.judge.rubrics import chartmimic_score, official, plot2code_rating

CHARTMIMIC = {
    "---\n\nComments:\n- Data: 18\n\nScore: 87/100\n---": 0.87,
    "Score: 87": 0.87,
    "**Score:** 87/100": 0.87,
    "**Score: 87/100**": 0.87,
    "### Score: 0/100": 0.0,
    "Score: 100": 1.0,
    "Score: 87.9/100": 0.87,  # decimals are truncated, as in the original's successor
    "Subscore: 20\nScore: 40\nfinal Score: 60": 0.6,  # the last score counts
    "Score: 10/20 for text\nScore: 55/100": 0.55,  # the score out of 100 counts
}


@pytest.mark.parametrize("reply", CHARTMIMIC)
def test_chartmimics_score_is_read(reply):
    assert chartmimic_score(reply) == CHARTMIMIC[reply]


@pytest.mark.parametrize(
    "reply", ["", "about 90 of 100", "Score: high", "Score: 101", "Score: 1" + "0" * 5000, "score: 50"]
)
def test_what_is_no_score_of_chartmimic_is_no_number(reply):
    with pytest.raises(BadReply):
        chartmimic_score(reply)


@pytest.mark.parametrize(
    ("reply", "rating"), [("Good. Rating: [[7]]", 7), ("Rating: [[1]]\nRating: [[9]]", 1), ("Rating: [[10]]", 10)]
)
def test_plot2codes_rating_is_read(reply, rating):
    assert 10 * plot2code_rating(reply) == pytest.approx(rating)


@pytest.mark.parametrize(
    "reply", ["", "[[7]]", "Rating: 7", "Rating: [[7.5]]", "Rating: [[0]]", "Rating: [[11]]", "rating: [[7]]"]
)
def test_what_is_no_rating_of_plot2code_is_no_number(reply):
    with pytest.raises(BadReply):
        plot2code_rating(reply)


@pytest.mark.parametrize(
    ("benchmark", "said", "score"), [("chartmimic", "Score: 64", 0.64), ("plot2code", "Rating: [[4]]", 0.4)]
)
def test_a_judge_is_asked_in_the_benchmarks_words_with_the_reference_first(fake, benchmark, said, score):
    fake.says(said)
    with JudgeClient(fake.url, "gpt-4o", rubric=official(benchmark, "THE TEXT"), max_retries=0) as judge:
        judged = judge.score(b"reference", b"generated", "chart")
        card = judge.card("chart").id
    assert judged.score == score and judged.judge == card
    asked = fake.requests[0]
    content = asked["messages"][-1]["content"]
    assert content[0]["text"] == "THE TEXT" and [c["type"] for c in content] == ["text", "image_url", "image_url"]
    assert content[1] != content[2] and "response_format" not in asked
    assert f"{benchmark}-" in card and "official" in card


def test_a_reply_without_a_score_is_asked_for_once_more_and_then_is_a_judge_error(fake):
    fake.says("very alike")
    with JudgeClient(fake.url, "m", rubric=official("chartmimic", "t"), max_retries=0) as judge:
        judged = judge.score(b"a", b"b", "chart")
    assert judged.status == "judge_error" and len(fake.requests) == 2


def test_answers_of_two_rubrics_are_not_taken_for_each_other(fake, tmp_path):
    good = json.dumps({"layout": 15, "type": 15, "text": 20, "colour": 20, "data": 30, "score": 100})
    fake.replies = [body(completion("Score: 10")), body(completion(good))]
    for rubric, score in ((official("chartmimic", "t"), 0.1), (None, 1.0)):
        with JudgeClient(fake.url, "m", rubric=rubric, cache_dir=tmp_path, max_retries=0) as judge:
            assert judge.score(b"a", b"b", "chart").score == score


def test_a_judges_key_is_taken_from_the_variable_that_it_names(fake, monkeypatch):
    monkeypatch.setenv("RRVF_JUDGE_API_KEY", "the trainer's"), monkeypatch.setenv("MY_KEY", "the tables'")
    fake.says("Score: 1")
    with JudgeClient(fake.url, "m", rubric=official("chartmimic", "t"), key="MY_KEY", max_retries=0) as judge:
        judge.score(b"a", b"b", "chart")
    assert fake.keys == ["Bearer the tables'"]
