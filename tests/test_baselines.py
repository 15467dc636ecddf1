"""Best of N and RFT as stages of a study, from a folder of pictures to the row. Policy, renderer and judges are stand-ins."""

from __future__ import annotations

import io
import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from PIL import Image

from rrvf.benchmarks.results import read_results
from rrvf.domains import CHART
from rrvf.judge.card import JudgeCard, Sampling
from rrvf.profile import EvalSet, JudgeConfig, PolicyConfig, Profile, RFTConfigSection
from rrvf.protocol import answer_text
from rrvf.records import Judgement, Render
from rrvf.render import Limits
from rrvf.study import Study

#: The amount of red of each picture, and the amounts of green of the answers that the policy draws to each.
REDS, GREENS = (10, 20, 30, 40), (50, 200, 90)


def png(red: int, green: int = 0) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (56, 56), (red, green, 0)).save(out, "PNG")
    return out.getvalue()


class Policy:
    """Answers with the picture's red and a green of its own."""

    asked = 0

    def chat(self, conversations):
        pictures = [messages[0]["content"][0]["image"] for messages in conversations]
        self.asked += len(pictures)
        return [answer_text(f"{p.getpixel((0, 0))[0]} {GREENS[i % 3]}", CHART) for i, p in enumerate(pictures)]


class Renderer:
    """Draws the red and green that the code names."""

    limits = Limits()

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def close(self):
        pass

    def render(self, code):
        return Render(status="ok", width=56, height=56, png=png(*map(int, code.split())))


class Judge:
    """Likes green if `green`, else dislikes it. Keeps the red of the reference and the code of what it compared."""

    def __init__(self, green: bool) -> None:
        self.green, self.asked = green, []

    def card(self, domain):
        return JudgeCard.of("stand-in", domain, Sampling())

    def score(self, reference, generated, domain):
        (wanted, *_), (red, green, _) = (Image.open(io.BytesIO(p)).getpixel((0, 0)) for p in (reference, generated))
        self.asked.append((wanted, f"{red} {green}"))
        return Judgement(status="ok", score=green / 255 if self.green else 1 - green / 255)


@pytest.fixture
def made(policy, tmp_path, monkeypatch):
    """A study of four pictures of which the second cannot be read, its stand-ins, and the policies that were opened."""
    (tmp_path / "pictures").mkdir()
    for red in REDS:
        (tmp_path / "pictures" / f"{red}.png").write_bytes(png(red))
    section = RFTConfigSection(domain="chart", train_set="t", steps=1, batch=2, samples=3, max_new_tokens=9)
    profile = Profile(
        name="test",
        policy=PolicyConfig(model=str(policy), prompts="nano", dtype="float32"),
        data={"t": {"kind": "folder", "path": str(tmp_path / "pictures"), "domain": "chart"}},
        judge=JudgeConfig(model="of training"),
        evaluation_judge=JudgeConfig(model="of the tables"),
        rft={"chart": section},
        evaluations={"set": EvalSet(benchmark="pictures", dataset="t", table=4, title="Pictures", domain="chart")},
    )
    study = Study(profile, tmp_path / "runs", tmp_path / "data")
    study.prepare_data(progress=False, names=["t"])
    (study.data / "t" / study.split("t")[1].image).write_bytes(b"damaged")
    made = SimpleNamespace(study=study, policy=Policy(), opened=[])
    made.judges = {"of training": Judge(green=True), "of the tables": Judge(green=False)}

    def open_policy(model, settings, stack):
        made.opened.append((model, settings.temperature))
        return made.policy

    for module in ("rrvf.evaluation", "rrvf.training.rft"):
        monkeypatch.setattr(f"{module}.open_policy", open_policy)
    for module in ("rrvf.evaluation", "rrvf.equipment"):
        monkeypatch.setattr(f"{module}.Renderer", Renderer)
    for module in ("rrvf.study", "rrvf.equipment"):
        monkeypatch.setattr(f"{module}.open_judge", lambda config, rubric=None: nullcontext(made.judges[config.model]))
    return made


READABLE = [red for red in REDS if red != 20]


def test_the_judge_of_training_picks_and_the_judge_of_the_tables_scores(made):
    summary = made.study.evaluate("set", "best3")
    results = read_results(made.study.results / "eval" / "set" / "best3")
    assert {i: r.code for i, r in results.items() if r.outcome == "scored"} == {
        f"{r}.png": f"{r} 200" for r in READABLE
    }
    assert results["20.png"].outcome == "excluded" and summary["n"] == 3
    assert {r.judgement.score for r in results.values() if r.judgement} == {1 - 200 / 255}
    assert sorted(made.judges["of training"].asked) == sorted((r, f"{r} {g}") for r in READABLE for g in GREENS)
    assert sorted(made.judges["of the tables"].asked) == [(r, f"{r} 200") for r in READABLE]
    assert made.opened == [(made.study.profile.policy.model, 1.0)]


def test_a_row_whose_answers_were_drawn_draws_nothing_again(made):
    summary = made.study.evaluate("set", "best3")
    out = made.study.results / "eval" / "set" / "best3"
    assert made.study.evaluate("set", "best3") == summary and made.policy.asked == 9
    for name in ("finished", "records.jsonl", "summary.json"):  # as if it had been stopped after the last answer
        (out / name).unlink()
    assert made.study.evaluate("set", "best3")["metrics"] == summary["metrics"]
    assert made.policy.asked == 9 and len(made.opened) == 1


def test_a_policy_is_trained_on_what_the_judge_of_training_picked_and_drawn_from_once(made, monkeypatch):
    def stopped(*_, **__):
        raise RuntimeError("stopped")

    out = made.study.results / "train" / "rft_chart"
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="stopped"):
        patched.setattr("rrvf.training.sft.train_sft", stopped)
        made.study.train_rft("chart")
    drawn = {line["sample_id"]: line["final_code"] for line in map(json.loads, (out / "drawn.jsonl").open())}
    assert drawn == {f"{r}.png": f"{r} 200" for r in READABLE}
    final = made.study.train_rft("chart")
    monkeypatch.setattr("rrvf.training.sft.train_sft", stopped)
    assert made.study.train_rft("chart") == final  # it is finished
    assert final == out / "final" and json.loads((final / "training.json").read_text())["method"] == "rft"
    assert made.policy.asked == 9 and len(made.opened) == 1 and not made.judges["of the tables"].asked
