"""`rrvf redraw`: accepted pictures, printed lines, written files, and requests to an endpoint turn by turn."""

from __future__ import annotations

import json

import pytest
from data_stub import png
from PIL import Image
from test_judge_client import GOOD, WORDS, body

import rrvf
from rrvf import cli, redrawing
from rrvf.domains import CHART, DOMAINS, domain
from rrvf.errors import UserError
from rrvf.policies import NoReply
from rrvf.protocol import answer_text, tool_call_text
from rrvf.records import Judgement, Render

#: The score of each code.
SCORES = {"plot(1)": 0.2, "plot(2)": 0.6, "plot(3)": 0.4}


class Renderer:
    """A renderer that succeeds on the code in SCORES, and stores its limits."""

    limits = None

    def __init__(self, name, workers, limits):
        Renderer.limits = limits

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def render(self, code):
        if code in SCORES:
            return Render(status="ok", png=png(code), width=64, height=64)
        return Render(status="render_error", reason="exception", message="NameError")


class Judge:
    """A judge that recognises pictures by their bytes."""

    scores = {png(code): score for code, score in SCORES.items()}

    def compare(self, reference, generated, domain):
        return Judgement(status="ok", score=self.scores[generated], feedback="---Comments:\n-**Text**- no title.")

    def score(self, reference, generated, domain):
        return Judgement(status="ok", score=self.scores[generated], feedback="the answer's feedback")


class Policy:
    """A policy with given replies, one per turn."""

    def __init__(self, *replies):
        self.replies, self.heard = list(replies), []

    def chat(self, conversations):
        self.heard.append(conversations[0])
        return [self.replies.pop(0)]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a chart.png"
    Image.new("RGBA", (200, 100), (0, 0, 0, 0)).save(path)
    return path


@pytest.fixture
def redraw(monkeypatch, picture):
    monkeypatch.setattr(redrawing, "Renderer", Renderer)
    monkeypatch.setattr("rrvf.judge.local.EmbeddedJudge", Judge)

    def redraw(*replies, **how):
        policy = Policy(*replies)
        monkeypatch.setattr(redrawing, "_policy", lambda *_: policy)
        return rrvf.redraw(picture, **how), policy

    return redraw


def draft(code):
    return tool_call_text(code, CHART)


def answer(code):
    return answer_text(code, CHART)


def test_drafts_are_told_what_differs_and_the_answer_is_taken(redraw):
    done, policy = redraw(draft("plot(1)"), draft("broken"), answer("plot(2)"))
    assert (done.code, done.similarity, done.turn, done.png) == ("plot(2)", 0.6, 3, png("plot(2)"))
    said = [m["content"] for m in policy.heard[2] if m["role"] == "tool"]
    assert "no title" in said[0] and "NameError" in said[1]


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (answer("broken"), "plot(2)"),  # the answer gives no picture
        ("I give up", "plot(2)"),
        ("", "plot(2)"),
        (NoReply("the server is gone"), "plot(2)"),
        ("Here it is:\n```python\nplot(3)\n```", "plot(3)"),  # without our answer tags
        (answer("plot(3)"), "plot(3)"),  # the answer counts, even if a draft was closer
    ],
)
def test_where_the_answer_gives_no_picture_the_closest_draft_is_taken(redraw, last, code):
    done, _ = redraw(draft("plot(2)"), draft("plot(1)"), last)
    assert done.code == code and done.similarity == SCORES[code]
    assert done.answered == (code == "plot(3)")


def test_the_last_turn_allowed_is_the_last(redraw):
    done, policy = redraw(*[draft("plot(1)")] * 3, turns=3)
    assert len(policy.heard) == 3 and done.turn == 2


def test_one_turn_is_asked_without_tools(redraw):
    _, policy = redraw("```python\nplot(1)\n```", turns=1, policy="some/model")
    assert "tool" not in policy.heard[0][0]["content"][1]["text"]


def test_less_than_one_turn_is_refused(picture):
    with pytest.raises(UserError, match="turns is 0"):
        rrvf.redraw(picture, turns=0)


def test_a_policy_that_says_nothing_at_first_is_an_error(redraw):
    with pytest.raises(UserError, match="no reply: gone"):
        redraw(NoReply("gone"))


@pytest.mark.parametrize("name", DOMAINS)
def test_nano_draws_on_its_canvas_and_others_at_the_size_of_their_code_or_of_the_picture(redraw, name):
    def canvas(policy):
        redraw("nothing", policy=policy, domain=name)
        return Renderer.limits.canvas

    nano, other = canvas("nano"), canvas("some/model")
    assert nano is None or (nano.width, nano.height) == (280, 224)
    assert other is None if domain(name).own_size else (other.width, other.full_page) == (200, True)


def test_code_picture_record_and_page_are_written_and_nothing_of_before_stays(redraw, tmp_path):
    out = tmp_path / "new" / "out"
    redraw(draft("plot(1)"), answer("plot(2)"), out=out)
    assert (out / "answer.py").read_text() == "plot(2)" and (out / "answer.png").read_bytes() == png("plot(2)")
    page = (out / "index.html").read_text()
    assert page.count("data:image/webp") == 3 and "no title" in page and "similarity 0.600" in page
    assert json.loads((out / "episode.json").read_text())["final_code"] == "plot(2)"
    (out / "answer.html").write_text("of a page that was drawn before")
    redraw("nothing", out=out)
    assert sorted(p.name for p in out.iterdir()) == ["episode.json", "index.html"]


def test_each_turn_is_told_as_it_ends(redraw):
    told = []
    redraw(draft("plot(1)"), draft("broken"), answer("plot(2)"), on_turn=lambda *t: told.append(redrawing.told(*t)))
    assert told[0].startswith("turn 1: draft, 64 x 64 pixels, similarity 0.200\n    ---Comments:")
    assert told[1].startswith("turn 2: draft, exception: NameError")
    assert told[2].startswith("turn 3: answer, 64 x 64 pixels, similarity 0.600")


def test_an_endpoint_is_asked_turn_by_turn(fake, picture, monkeypatch):
    monkeypatch.setattr(redrawing, "Renderer", Renderer)
    monkeypatch.setattr("rrvf.judge.local.EmbeddedJudge", Judge)
    fake.says(draft("plot(1)"), answer("plot(2)"))
    assert rrvf.redraw(str(picture), policy=f"{fake.url}/v1#my-model").code == "plot(2)"
    first, second = (request["messages"] for request in fake.requests)
    assert first[0]["content"][0]["image_url"]["url"].startswith("data:image/png")
    assert [m["role"] for m in second] == ["user", "assistant", "user"]
    assert second[2]["content"].startswith("<tool_response>---Comments:")


def test_a_judge_by_url_gives_the_feedback_and_the_score(redraw, fake):
    fake.server.RequestHandlerClass.do_GET = body('{"object": "list", "data": [{"id": "theirs", "object": "model"}]}')
    fake.says(WORDS, GOOD)
    done, policy = redraw(draft("plot(1)"), answer("plot(2)"), judge=fake.url)
    assert WORDS in policy.heard[1][-1]["content"] and done.similarity == 0.5
    assert [request["model"] for request in fake.requests] == ["theirs", "theirs"]


def test_a_judge_that_does_not_answer_is_named_before_the_policy_is_asked(redraw):
    with pytest.raises(UserError, match=r"no judge answers at http://127\.0\.0\.1:9/v1"):
        redraw(judge="http://127.0.0.1:9")


def test_the_command_tells_the_turns_and_where_the_page_lies(redraw, picture, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(redrawing, "_policy", lambda *_: Policy(answer("plot(2)")))
    assert cli.run(["redraw", str(picture), "--out", str(tmp_path / "o")]) == 0
    out, told = capsys.readouterr()
    assert out == f"similarity 0.600: {tmp_path / 'o' / 'index.html'}\n" and told.startswith("turn 1: answer")
    monkeypatch.setattr(redrawing, "_policy", lambda *_: Policy("nothing"))
    assert cli.run(["redraw", str(picture), "--out", str(tmp_path / "o"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"similarity": None, "turn": None, "turns": 1}


@pytest.mark.parametrize("reply", [answer("plot(2)"), "```python\nplot(2)\n```", "plot(2)"])
def test_a_renderer_that_failed_is_no_fault_of_the_answer(redraw, picture, tmp_path, capsys, monkeypatch, reply):
    monkeypatch.setattr(Renderer, "render", lambda *_: Render(status="harness_error", message="no sandbox"))
    monkeypatch.setattr(redrawing, "_policy", lambda *_: Policy(reply))
    assert cli.run(["redraw", str(picture), "--out", str(tmp_path / "o")]) == 2
    assert "the renderer failed (no sandbox): run `rrvf doctor`" in capsys.readouterr().out
