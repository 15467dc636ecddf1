"""Best of N and RFT: the judge picks an answer, and only this answer counts."""

from __future__ import annotations

import json

import pytest
import torch
from scripted import Judge, Renderer, profile_of

from rrvf.benchmarks.chartmimic import extract_code
from rrvf.best_of import best_of
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.policies import NoReply
from rrvf.policies.address import BestOf, Settings, asked_how, identity
from rrvf.profile import RFTConfigSection, baselines, load_profile, table_policies, trained_policies
from rrvf.protocol import answer_text, load_prompt
from rrvf.records import Judgement, Render
from rrvf.report.sets import model_title
from rrvf.rollout import Tools
from rrvf.study import Study
from rrvf.training.rft import draw
from rrvf.training.sft import SupervisedTrainer, train_sft


class Drawing(Renderer):
    """A renderer whose picture is the code itself; `ours` gives a harness_error."""

    def render(self, code):
        if code == "ours":
            return Render(status="harness_error", message="no memory")
        done = super().render(code)
        return done.model_copy(update={"png": code.encode()}) if done.ok else done


class Liking(Judge):
    """A judge whose score is the number in the picture; it fails on `?`."""

    def score(self, reference, generated, domain):
        if generated == b"?":
            return Judgement(status="judge_error", reason="timeout")
        return Judgement(status="ok", score=float(generated.split()[0]))


@pytest.fixture
def tools():
    tools = Tools({"chart": Drawing()}, Liking())
    yield tools
    tools.close()


def drawn(codes, samples, root, tools):
    """The picked codes, from the codes for all samples in order."""
    texts = [answer_text(code, CHART) if code else "no code" for code in codes]
    count = len(codes) // len(samples)
    return [t.final_code for t in best_of(count, samples, root, "draw", lambda asked: texts, tools, 0, extract_code)]


@pytest.mark.parametrize(
    ("codes", "picked"),
    [
        (["0.2", "0.9", "0.5"], "0.9"),
        (["0.5 a", "0.5 b", "0.1"], "0.5 a"),
        (["f(", "", "0.0"], "0.0"),
        (["f(", "", "g("], "f("),
        (["?", "ours", "0.1"], "0.1"),
    ],
    ids=["the best", "the first of equals", "a picture before none", "none runs", "what we failed on takes no part"],
)
def test_the_judge_picks(codes, picked, samples, tmp_path, tools):
    assert drawn(codes, samples[:1], tmp_path, tools) == [picked]


def test_each_picture_has_its_own_best(samples, tmp_path, tools):
    assert drawn(["0.1", "0.2", "0.4", "0.3"], samples[:2], tmp_path, tools) == ["0.2", "0.4"]


def test_a_call_that_failed_is_no_answer(samples, tmp_path, tools):
    lost, empty = NoReply("the endpoint failed", failed=True), NoReply("the reply is empty")
    said = [lost, answer_text("0.2", CHART), empty]
    pick = lambda texts: best_of(len(texts), samples[:1], tmp_path, "draw", lambda asked: texts, tools, 0, extract_code)  # noqa: E731
    assert [t.final_code for t in pick(said)] == ["0.2"]
    assert [t.final_code for t in pick([empty, lost])] == [None]
    with pytest.raises(UserError, match="the endpoint failed"):
        pick([lost, lost])


def test_another_judge_that_picks_is_another_policy():
    pickers = [asked_how(BestOf("nano", 8, 1.0), {"model": name}) for name in "ab"]
    assert pickers[0] != pickers[1] and asked_how("nano", {"model": "a"}) == {}


def test_where_all_failed_through_us_nothing_is_picked(samples, tmp_path, tools):
    with pytest.raises(UserError, match="could be compared"):
        drawn(["?", "ours"], samples[:1], tmp_path, tools)


def test_a_picture_that_the_judge_cannot_score_costs_the_others_nothing(samples, tmp_path, tools):
    assert drawn(["?", "?", "0.4", "0.3"], samples[:2], tmp_path, tools) == ["?", "0.4"]


def test_an_answer_without_our_tags_takes_part(samples, tmp_path, tools):
    texts = [f"Here:\n```python\n{code}\n```" for code in ("0.1", "0.9")]
    (best,) = best_of(2, samples[:1], tmp_path, "draw", lambda asked: texts, tools, 0, extract_code)
    assert best.final_code.strip() == "0.9"


def test_what_is_drawn_does_not_depend_on_what_was_drawn_before(samples, tmp_path, tools):
    def chat(asked):
        return [answer_text(f"{torch.rand(1).item()}", CHART) for _ in asked]

    def pick(seed):
        return best_of(2, samples[:1], tmp_path, "draw", chat, tools, seed, extract_code)[0].final_code

    first = pick(0)
    torch.rand(3)
    assert pick(0) == first != pick(1)


@pytest.fixture
def rft(policy):
    config = RFTConfigSection(domain="chart", train_set="t", steps=1, batch=2, samples=2, max_new_tokens=9)
    return profile_of(policy), config


def test_only_what_the_judge_picked_is_learned_under_the_prompt_of_the_evaluation(
    rft, samples, tmp_path, script, monkeypatch
):
    answers = [answer_text(code, CHART) for code in ("0.1", "0.7", "f(", "g(")]
    script["write"] = lambda turn, row: answers[row % 4]
    tools, seen = Tools({"chart": Drawing()}, Liking()), []
    drawn = draw(*rft, samples[:2], tmp_path, tools, tmp_path / "drawn.jsonl")
    original = SupervisedTrainer.compute_loss

    def spy(self, model, inputs, **kwargs):
        decode = self.processing_class.tokenizer.decode
        rows = zip(inputs["input_ids"], inputs["labels"], strict=True)
        seen.extend((decode(ids), decode(labels[labels != -100])) for ids, labels in rows)
        return original(self, model, inputs, **kwargs)

    monkeypatch.setattr(SupervisedTrainer, "compute_loss", spy)
    final = train_sft(*rft, samples[:2], tmp_path, tmp_path / "rft", drawn=drawn)
    prompt = load_prompt(CHART, "direct", "nano").text
    assert seen and all(prompt in ids and label == answers[1] + "<|im_end|>" for ids, label in seen)
    assert json.loads((final / "training.json").read_text())["method"] == "rft"


def test_answers_that_were_drawn_are_not_drawn_again(rft, samples, tmp_path, script):
    script["write"] = lambda turn, row: answer_text("0.5", CHART)
    tools, out = Tools({"chart": Drawing()}, Liking()), tmp_path / "drawn.jsonl"
    draw(*rft, samples, tmp_path, tools, out)
    before, script["turn"] = out.read_text(), 0
    draw(*rft, samples, tmp_path, tools, out)
    assert script["turn"] == 0 and out.read_text() == before


def test_a_profile_with_an_rft_section_has_both_rows(tmp_path):
    nano = load_profile("nano")
    assert baselines(nano, "web") == ["best8", "rft"]
    assert table_policies(nano, "chart") == ["reference", "blank", "base", "best8", "sft", "rft", "rrvf"]
    assert Study(nano, tmp_path, tmp_path).model_of("best8", "chart") == BestOf("nano", 8, 1.0)
    assert model_title("best8") == "Base, best of 8 by the judge"
    assert Study(nano, tmp_path, tmp_path).policies("pages") == ["reference", "blank", "base", "sft", "rrvf"]
    bare = nano.model_copy(update={"rft": {}})
    assert "best8" not in table_policies(bare, "chart") and "rft" not in trained_policies(bare, "chart")


def test_the_section_changes_the_hash_of_no_other_row():
    nano = load_profile("nano")
    assert nano.hash == nano.model_copy(update={"rft": {}}).hash


def test_the_best_of_several_is_another_policy():
    assert identity("nano") in identity(BestOf("nano", 8, 1.0)) and Settings().temperature == 0
