"""Every command really runs once: on tiny inputs, in this process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer
from PIL import Image, ImageDraw

from rrvf import cli

pytestmark = pytest.mark.usefixtures("lent")

#: Sections with other names than their domain.
PROFILE = """
name: small
policy: {model: nano, prompts: nano, dtype: float32, autocast: auto, lora_rank: 2}
canvas:
  chart: {width: 280, height: 224, dpi: 100, font_size: 8}
data:
  train: {kind: generated_charts, count: 2, seed: 1000000, pretraining: 1}
  test: {kind: generated_charts, count: 2, seed: 2000000, pretraining: 1}
  gallery: {kind: gallery, count: 1}
grpo:
  mine: {domain: chart, train_set: train, steps: 1, prompts_per_step: 1, group_size: 2, micro_batch: 2,
    learning_rate: 0.001, max_turns: 2, max_completion_tokens: 128, max_turn_tokens: 48}
sft:
  mine: {domain: chart, train_set: train, steps: 1, batch: 2}
evaluations:
  charts: {benchmark: chartmimic, dataset: test, table: 1, domain: chart, owned_canvas: true, max_new_tokens: 48, title: t}
"""
CHART = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('A')"
PAGE = "<!DOCTYPE html><html><body><h1 style='color: navy'>A page</h1><p>of two lines</p></body></html>"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a profile, pairs of charts and of pages, and two pictures. Splits are built in it."""
    place = tmp_path_factory.mktemp("commands")
    (place / "small.yml").write_text(PROFILE)
    for folder, suffix, text in (("charts", "py", CHART), ("pages", "html", PAGE)):
        (place / folder).mkdir()
        for kind in ("gt", "gen"):
            (place / folder / f"a.{kind}.{suffix}").write_text(text)
    (place / "scripts").mkdir()
    (place / "scripts" / "a.py").write_text(CHART)
    for i, colour in enumerate(("navy", "orange")):
        picture = Image.new("RGB", (280, 224), "white")
        ImageDraw.Draw(picture).rectangle((40 + 90 * i, 60, 120 + 90 * i, 200), fill=colour)
        picture.save(place / f"{i}.png")
    return place


@pytest.fixture
def rrvf(place, monkeypatch, capsys):
    """Runs a command in that folder and returns its exit code and output."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("RRVF_DATA", str(place / "data"))
    return lambda *words: (cli.run([*" ".join(words).split()]), capsys.readouterr().out)


def test_render(rrvf, place):
    assert rrvf("render chart scripts/a.py --out a.png")[0] == 0 and (place / "a.png").is_file()
    assert rrvf("render chart scripts --out drawn")[0] == 0 and (place / "drawn" / "a.png").is_file()


def test_extract(rrvf, place):
    assert rrvf("extract scripts --out items.json")[0] == 0
    assert json.loads((place / "items.json").read_text()).keys() == {"a"}


@pytest.mark.parametrize(("benchmark", "folder"), [("chartmimic", "charts"), ("plot2code", "charts"), ("web", "pages")])
def test_score_and_beside(rrvf, place, benchmark, folder):
    assert rrvf(f"score {benchmark} {folder} --out {benchmark}.json")[0] == 0
    code, table = rrvf(f"score beside {benchmark}.json {benchmark}.json")
    assert code == 0 and benchmark in table


def test_judge_compare(rrvf):
    code, printed = rrvf("judge compare 0.png 0.png --json")
    assert code == 0 and json.loads(printed)["score"] == 1


def test_judge_card(rrvf):
    code, printed = rrvf("judge card --pictures 1")
    assert code == 0 and json.loads(printed)


def test_judge_serve():
    command = [sys.executable, "-m", "rrvf", "judge", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert json.loads(server.stdout.readline())["url"].startswith("http://127.0.0.1:")
        finally:
            server.terminate()


def test_plan(rrvf):
    assert "s" in rrvf("plan")[1]


def test_training_evaluation_and_report_prepare_what_they_need(rrvf, place):
    """In this order, as a new user would. The gallery, which none of them uses, must not be requested."""
    assert rrvf("train grpo --profile small.yml --section mine --out run")[0] == 0
    assert sorted(p.name for p in (place / "data").iterdir()) == [".splits", "train"]
    assert rrvf("train sft --profile small.yml --section mine --out sft")[0] == 0
    assert rrvf("eval --profile small.yml --benchmark charts --policy run/final --out mine/eval")[0] == 0
    summary = json.loads((place / "mine" / "eval" / "summary.json").read_text())
    assert (summary["set"], summary["policy"]) == ("charts", "run/final")
    code, paths = rrvf("report mine --profile small.yml")
    assert code == 0 and "claims.md" in paths
    assert "no target picture" not in (place / "mine" / "report" / "browser" / "charts.html").read_text()


def test_parts_are_merged_and_their_replies_scored_again_to_the_same_numbers(rrvf, place):
    evaluated = "eval --profile small.yml --benchmark charts --policy reference"
    assert "embedded, no calls" in rrvf(f"{evaluated} --estimate")[1]
    part = json.loads(rrvf(f"{evaluated} --shard 1/1 --out part")[1])
    assert part["outcomes"]["scored"] == 2 and json.loads(rrvf("merge merged part")[1]) == part
    scored = rrvf("score --replies part/replies.jsonl --benchmark charts --profile small.yml --out scored")[1]
    assert json.loads(scored) == part


def test_an_evaluation_over_turns_has_scores_turn_by_turn(rrvf):
    code, printed = rrvf("eval --profile small.yml --benchmark charts --policy nano --turns 2 --limit 1 --out turns")
    turns = json.loads(printed)["turns"]
    assert code == 0 and [t["turn"] for t in turns] == [1, 2] and all("exec_rate" in t["metrics"] for t in turns)


def test_clean_removes_what_moved_aside_and_nothing_else(rrvf, place, monkeypatch):
    monkeypatch.setattr("rrvf.study.RUNS", place / "runs")
    runs = place / "runs" / "small" / "train"
    for name in ("rrvf_mine", "rrvf_mine.stale-abc"):
        (runs / name).mkdir(parents=True)
        (runs / name / "weights").write_text("w")
    code, told = rrvf("clean --stale --profile small.yml --yes")
    assert code == 0 and "rrvf_mine.stale-abc" in told and [p.name for p in runs.iterdir()] == ["rrvf_mine"]
    assert "nothing stale" in rrvf("clean --stale --profile small.yml")[1]


def test_data_prompts(rrvf, monkeypatch):
    monkeypatch.setattr("rrvf.data.prompts.download", lambda folder: [folder / "a.json"])
    assert rrvf("data prompts")[1].strip().endswith("prompts/a.json")


def test_data_prepare_and_verify(rrvf, place):
    (place / "two.yml").write_text(PROFILE.replace("  gallery: {kind: gallery, count: 1}\n", ""))
    assert rrvf("data prepare --profile two.yml")[0] == 0
    code, printed = rrvf("data verify --profile two.yml")
    assert code == 0 and "train: 2 pictures" in printed and "train and test: 0 of the same code" in printed


def test_doctor(rrvf):
    code, printed = rrvf("doctor")
    assert code == 0 and "chart renderer" in printed


def test_no_command_is_left_out():
    """A new command fails here until a test above runs it; `init` and `setup` are tested in other files."""
    known = {"render", "extract", "score", "judge", "data", "train", "plan", "eval", "report", "doctor", "redraw"}
    known |= {"merge", "clean", "init", "setup"}
    assert set(typer.main.get_command(cli.app).commands) == known
