"""Several turns at inference: parallel episodes, scored as if stopped after each turn."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from dialects import body, refused, reply
from scripted import Judge, Renderer, png

from rrvf.benchmarks.chartmimic import extract_code
from rrvf.benchmarks.turns import Remembered, as_of, fault, play, without_feedback
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.evaluation import Evaluation
from rrvf.evaluation.turns import evaluate_turns
from rrvf.policies.endpoint import EndpointPolicy
from rrvf.profile import load_profile
from rrvf.protocol import answer_text, load_prompt, tool_call_text
from rrvf.records import Judgement, Sample, Trajectory, Turn
from rrvf.rollout import Tools
from rrvf.study import Study


@pytest.fixture
def tools():
    renderer = Renderer()
    tools = Tools({"chart": renderer}, Judge())
    yield tools
    tools.close()


@pytest.fixture
def pictures(tmp_path):
    fields = dict(domain="chart", split="t", sha256="", phash="", source="", licence="")
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(png(i))
    return [Sample(id=str(i), image=f"{i}.png", **fields) for i in range(3)]


def test_episodes_are_played_side_by_side_and_each_ends_where_it_answers(tools, pictures, tmp_path):
    calls = []

    def chat(talks):
        calls.append([len(talk) for talk in talks])
        draft = tool_call_text(f"plot({len(calls)})", CHART)
        # The first picture's episode ends at once, the others continue with drafts.
        return [
            answer_text("done()", CHART) if talk[0]["content"][0]["image"].getpixel((0, 0))[0] == 0 else draft
            for talk in talks
        ]

    ended = play(pictures, tmp_path, "draw", chat, tools, 3, extract_code)
    assert calls == [[1, 1, 1], [3, 3], [5, 5]]
    assert [len(t.turns) for t in ended] == [1, 3, 3]
    assert [as_of(ended[0], n) for n in (1, 2, 3)] == [answer_text("done()", CHART)] * 3
    # The call of the last turn is not executed, but its code is the policy's latest.
    assert [as_of(ended[1], n) for n in (1, 2)] == [answer_text(f"plot({n})", CHART) for n in (1, 2)]


def test_an_answer_without_our_tags_counts_as_in_a_single_turn_evaluation(tools, pictures, tmp_path):
    fenced = "Here is the code:\n```python\nplot(2)\n```"
    (ended,) = play(pictures[:1], tmp_path, "draw", lambda talks: [fenced], tools, 2, extract_code)
    assert extract_code(as_of(ended, 1)).strip() == ended.final_code.strip() == "plot(2)" and ended.judgement.ok


@pytest.fixture
def remembered(fake, tmp_path):
    def remembered(*answers, model="m"):
        fake.replies, fake.requests[:] = list(answers), []
        policy = EndpointPolicy(fake.url, model, in_flight=1)
        policy._client.max_retries = 0
        return Remembered(policy, tmp_path / "replies.jsonl").chat

    return remembered


DRAFT, DONE = (body(reply(words)) for words in (tool_call_text("plot(1)", CHART), answer_text("done()", CHART)))


def test_turns_that_were_paid_for_are_not_asked_again(remembered, fake, tools, pictures, tmp_path):
    broken = [DRAFT, DRAFT, DRAFT, DONE, refused("openai", 401, "stopped")]
    with pytest.raises(UserError, match="stopped"):
        play(pictures, tmp_path, "draw", remembered(*broken), tools, 2, extract_code)
    # Under names of their own, since a request of the stopped run may arrive late.
    ended = play(pictures, tmp_path, "draw", remembered(DONE, model="again"), tools, 2, extract_code)
    assert [t.final_code for t in ended] == ["done()"] * 3
    assert sum(request["model"] == "again" for request in fake.requests) == 2
    play(pictures, tmp_path, "another prompt", remembered(DONE, model="new"), tools, 2, extract_code)
    assert sum(request["model"] == "new" for request in fake.requests) == 3


def test_an_episode_whose_policy_could_not_be_asked_is_none(remembered, tools, pictures, tmp_path):
    chat = remembered(DONE, refused("openai", 500, "no memory"), DONE)
    first, second, third = play(pictures, tmp_path, "draw", chat, tools, 2, extract_code)
    assert (fault(first), fault(third)) == (None, None) and "no memory" in fault(second)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The arguments by name with which an evaluation over turns opens its tools for a model, and that evaluation."""

    class Asked(Exception):
        pass

    def tools(domain, bare_score, limits):
        raise Asked({"domain": domain, "bare_score": bare_score, "limits": limits})

    evaluation = Evaluation(Study(load_profile("nano"), tmp_path / "runs", tmp_path / "data"), "gallery")
    monkeypatch.setattr(evaluation.study, "tools", tools)
    monkeypatch.setattr("rrvf.evaluation.turns.open_policy", lambda *_: SimpleNamespace(chat=None))
    monkeypatch.setattr("rrvf.evaluation.turns.picture_of", lambda *_: True)

    def asked(model, out):
        with pytest.raises(Asked) as found:
            evaluate_turns(evaluation, "mine", model, tmp_path / out, [SimpleNamespace(id="a")], 2)
        return found.value.args[0], evaluation

    return asked


def test_drafts_are_drawn_as_the_answers_are(asked):
    opened, evaluation = asked("nano", "out")
    assert opened["domain"] == "chart"
    assert opened["limits"] == evaluation.limits != evaluation.study.limits("chart")


def test_a_policy_that_was_trained_with_scores_gets_scores(asked, tmp_path):
    policy = tmp_path / "policy"
    policy.mkdir()
    for config, bare in (({"feedback": "score"}, True), ({}, False)):
        (policy / "training.json").write_text(json.dumps({"config": config}))
        assert asked(str(policy), f"out-{bare}")[0]["bare_score"] is bare
    (policy / "training.json").write_text(json.dumps({"config": {"attach_render": True}}))
    with pytest.raises(UserError, match="attach_render"):
        asked(str(policy), "out")


def test_episodes_under_another_prompt_are_refused(tmp_path, monkeypatch):
    evaluation = Evaluation(Study(load_profile("nano"), tmp_path / "runs", tmp_path / "data"), "charts")
    monkeypatch.setattr(evaluation, "evaluated", lambda *_, **__: {"outcomes": {}, "metrics": {}})
    evaluate_turns(evaluation, "nano", "nano", tmp_path / "out", [], 2)
    (tmp_path / "out" / "episodes.jsonl").write_text("")
    evaluate_turns(evaluation, "nano", "nano", tmp_path / "out", [], 2)
    other = load_prompt(CHART, "direct", "nano")
    monkeypatch.setattr("rrvf.evaluation.turns.load_prompt", lambda *_: other)
    with pytest.raises(UserError, match=r"another run .prompt_hash"):
        evaluate_turns(evaluation, "nano", "nano", tmp_path / "out", [], 2)


def test_drafts_that_the_judge_did_not_answer_are_counted():
    silent = Judgement(status="judge_error", reason="timeout")
    turns = (Turn(text="", action="tool_call", code="a", judgement=silent), Turn(text="", action="answer", code="b"))
    trajectory = Trajectory(sample_id="1", domain="chart", turns=turns, final_code="b")
    assert without_feedback([trajectory, trajectory]) == 2


def test_a_turn_without_code_leaves_what_was_there_before():
    turns = (
        Turn(text="", action="tool_call", code="a"),
        Turn(text="hm", action="none"),
        Turn(text="", action="answer", code="b"),
    )
    trajectory = Trajectory(sample_id="1", domain="chart", turns=turns, final_code="b")
    assert [as_of(trajectory, n) for n in (1, 2, 3)] == [answer_text(code, CHART) for code in "aab"]
    assert as_of(trajectory.model_copy(update={"turns": turns[1:2]}), 1) is None
