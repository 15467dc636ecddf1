"""A folder of pictures without a YAML file: the settings of a run on it, and the metrics without code."""

from __future__ import annotations

import json
from contextlib import nullcontext

import numpy as np
import pytest
from data_stub import png
from test_report_runs import PROVENANCE

from rrvf import cli
from rrvf.benchmarks import clip
from rrvf.benchmarks.registry import Pictures
from rrvf.benchmarks.replies import oracle_replies
from rrvf.benchmarks.run import Run
from rrvf.benchmarks.runner import evaluate
from rrvf.cli.studies import study_of
from rrvf.data import load_split, prepare
from rrvf.domains import DOMAINS, Canvas, domain
from rrvf.errors import UserError
from rrvf.evaluation import Evaluation
from rrvf.own_pictures import profile_for, prompts_of, with_folder
from rrvf.policies.oracle import Blank, Reference
from rrvf.profile import CanvasConfig, EvalSet, load_profile
from rrvf.records import Judgement, Render
from rrvf.render import Limits
from rrvf.report.runs import find_runs
from rrvf.report.tables import build_tables
from rrvf.report.writers import markdown
from rrvf.study import Study


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for name in "abcd":
        (folder / f"{name}.png").write_bytes(png(name))
    return folder


class Renderer:
    """A renderer that succeeds on code that begins with "draw"."""

    limits = Limits()

    def render(self, code):
        if code.startswith("draw"):
            return Render(status="ok", png=png(code))
        return Render(status="render_error", reason="exception")


class Judge:
    def score(self, reference, generated, domain):
        return Judgement(status="ok", score=0.5)


@pytest.mark.parametrize("name", DOMAINS)
def test_a_folder_is_all_the_data_and_the_profile_s_settings_stay(folder, name):
    nano = load_profile("nano")
    profile, called = with_folder(nano, folder, name)
    section = profile.grpo[called]
    assert list(profile.data) == list(profile.grpo) == list(profile.evaluations) == [called]
    assert (section.domain, section.train_set) == (name, called)
    kept = {"domain", "train_set"}
    assert section.model_dump(exclude=kept) in [s.model_dump(exclude=kept) for s in nano.grpo.values()]
    assert profile.data[called]["canvas"] == json.loads(nano.model_dump_json())["canvas"].get(name)


def test_each_domain_of_a_profile_keeps_its_own_settings(folder):
    nano = load_profile("nano")
    for name, section in nano.grpo.items():
        profile, called = with_folder(nano, folder, name)
        assert profile.grpo[called].steps == section.steps


def test_other_pictures_are_another_set(folder):
    nano = load_profile("nano")
    (before, again) = (with_folder(nano, folder, "chart")[1] for _ in range(2))
    (folder / "e.png").write_bytes(png("e"))
    after = with_folder(nano, folder, "chart")[1]
    assert before == again != after and before.startswith("my_pictures-")


def test_who_was_trained_from_nano_is_asked_as_nano(tmp_path):
    (tmp_path / "training.json").write_text(json.dumps({"policy": {"prompts": "nano"}}))
    asked = [prompts_of(m) for m in ("nano", "base", str(tmp_path), "http://x/v1#m")]
    assert asked == ["nano", "nano", "nano", "full"]
    full = profile_for("Qwen/Qwen2.5-VL-3B-Instruct")
    assert full.policy.prompts == "full" and all(getattr(full.canvas, name) is None for name in DOMAINS)
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(UserError, match="--profile"):
        prompts_of(str(tmp_path))


@pytest.fixture
def evaluated(folder, tmp_path, monkeypatch):
    """An evaluation of two answers that draw, one that does not run, and one without code."""
    monkeypatch.setattr(clip, "available", lambda: False)
    prepare({"p": {"kind": "folder", "path": str(folder), "domain": "web"}}, tmp_path, progress=False)
    samples, root = load_split("p", tmp_path), tmp_path / "p"
    benchmark = Pictures(Renderer(), domain("web"), root)
    out = tmp_path / "out"
    provenance = PROVENANCE.model_copy(update={"protocol": benchmark.protocol})
    run = Run(benchmark, samples, root, Judge(), provenance, out, set="p", policy="mine")
    replies = dict(zip((s.id for s in samples), ["draw a", "draw b", "raise", ""], strict=True))
    return evaluate(run, lambda samples: [replies[s.id] for s in samples]), out


def test_without_code_there_are_the_metrics_that_need_none_and_no_others(evaluated):
    summary, _ = evaluated
    assert set(summary["metrics"]) == {"exec_rate", "judge", "ssim", "clip"}
    values = {name: metric["value"] for name, metric in summary["metrics"].items()}
    assert (values["exec_rate"], values["judge"], values["clip"]) == (50.0, 25.0, None)
    assert np.isfinite(values["ssim"])


def test_the_table_says_that_metrics_of_the_code_are_absent(evaluated):
    table = build_tables(find_runs(evaluated[1]))[3]
    text = markdown(table)
    assert "are missing, not 0" in text and "| mine | 50.00" in text
    assert [c.key for c in table.blocks[0].columns] == ["exec_rate", "judge", "ssim", "clip"]
    assert "Text" not in text.split("##")[1].split("\n")[2]


def test_a_part_of_an_evaluation_prints_no_table(folder, tmp_path, monkeypatch):
    summary = {"n": 2, "outcomes": {"scored": 2}, "metrics": {}}
    monkeypatch.setattr("rrvf.study.Study.evaluate_model", lambda *_: summary)
    monkeypatch.setattr("rrvf.cli.evaluate.on_pictures", lambda study, *_: (study, "charts"))
    monkeypatch.setattr("rrvf.cli.evaluate.show_summary", lambda *_: None)
    words = ["eval", "--pictures", str(folder), "--policy", "nano", "--shard", "1/2", "--out", str(tmp_path / "part")]
    assert cli.run(words) == 0


def test_a_study_on_pictures_without_code_has_no_row_of_true_code_and_no_sft(folder, tmp_path):
    nano = load_profile("nano")
    parts = {"train": "train", "mine": "test"}
    data = {n: {"kind": "folder", "path": str(folder), "domain": "chart", "part": part} for n, part in parts.items()}
    sets = {"mine": EvalSet(benchmark="pictures", dataset="mine", table=4, title="mine", domain="chart")}
    sections = {"grpo": {}, "rft": {}, "sft": {"chart": nano.sft["chart"].model_copy(update={"train_set": "train"})}}
    study = Study(nano.model_copy(update={"data": data, "evaluations": sets} | sections), tmp_path, tmp_path / "data")
    assert study.policies("mine") == ["blank", "base", "sft"]
    with pytest.raises(UserError, match="take the section out"):
        study.prepare_data(progress=False)


NANO = load_profile("nano")
CHANGES = {
    "canvas": {"canvas": CanvasConfig(chart=Canvas(100, 400))},
    "pictures": {"data": NANO.data | {"charts_test": {"kind": "generated_charts", "count": 400, "seed": 2_000_001}}},
    "dtype": {"policy": NANO.policy.model_copy(update={"dtype": "bfloat16"})},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_decides_an_answer_or_its_picture_is_another_run(change, tmp_path):
    nano = load_profile("nano")
    before, now = (
        Evaluation(Study(p, tmp_path), "charts").who("base", "nano") for p in (nano, nano.model_copy(update=change))
    )
    assert before != now


def test_another_picture_under_the_same_name_is_another_run(folder, tmp_path):
    nano = load_profile("nano")
    data = {"mine": {"kind": "folder", "path": str(folder), "domain": "chart"}}
    sets = {"mine": EvalSet(benchmark="pictures", dataset="mine", table=4, title="mine", domain="chart")}
    study = Study(nano.model_copy(update={"data": data, "evaluations": sets}), tmp_path)
    before = Evaluation(study, "mine").who("blank", None)
    (folder / "a.png").write_bytes(png("another"))
    assert Evaluation(study, "mine").who("blank", None) != before


def test_a_blank_picture_answers_a_picture_without_code(samples, tmp_path):
    bare = [s.model_copy(update={"code": None}) for s in samples]
    said = [oracle_replies(policy(domain("chart")), tmp_path)(bare) for policy in (Blank, Reference)]
    assert set(said[0]) == {Blank(domain("chart")).answer("")} and set(said[1]) == {None}


def test_without_such_runs_there_is_no_fourth_table():
    assert len(build_tables([])) == 3


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("eval --policy nano --out x", "name one of the two"),
        ("eval --policy nano --out x --benchmark charts --pictures .", "name one of the two"),
        ("eval --policy nano --out x --pictures nowhere", "no folder at"),
        ("train grpo --out x --pictures . --section chart", "leave --section out"),
        ("train grpo --out x --pictures nowhere", "no folder at"),
        ("redraw nothing.png --out x", "no picture that can be read"),
    ],
)
def test_what_cannot_be_is_one_line(words, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(words.split()) == 2
    told = capsys.readouterr().err
    assert line in told and told.count("\n") == 1


def test_train_takes_the_folder_with_the_nano_profile_s_settings(folder, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setenv("RRVF_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("rrvf.study.Study.tools_of", lambda *_: nullcontext())
    monkeypatch.setattr(
        "rrvf.training.grpo.train_grpo",
        lambda profile, config, samples, root, *_: seen.update(config=config, files=[root / s.image for s in samples]),
    )
    words = ["train", "grpo", "--pictures", str(folder), "--domain", "web", "--out", str(tmp_path / "run")]
    assert cli.run([*words, "--max-steps", "3"]) == 0
    assert seen["config"].steps == 3 and seen["config"].domain == "web"
    assert len(seen["files"]) == 4 and all(path.is_file() for path in seen["files"])


@pytest.mark.parametrize(
    ("profile", "start", "warned"),
    [("nano", "Qwen/Qwen2.5-VL-3B-Instruct", True), ("nano", "nano", False), ("gpu", "some/model", False)],
)
def test_a_real_model_that_would_be_asked_as_nano_is_named(profile, start, warned, capsys):
    assert study_of(profile, start=start).profile.policy.model == start
    assert ("--profile gpu" in capsys.readouterr().err) == warned


def test_the_report_finds_the_pictures_of_a_folder_whatever_profile_asked(folder, tmp_path, monkeypatch):
    from rrvf import study

    monkeypatch.setattr(study, "DATA", tmp_path / "data")
    monkeypatch.delenv("RRVF_DATA", raising=False)
    profile, name = with_folder(load_profile("nano"), folder, "chart")
    prepare(profile.data, tmp_path / "data" / "another", progress=False)
    assert study.Study(load_profile("nano")).target(name, "a.png").is_file()
    assert study.Study(load_profile("nano")).target("charts_of_nobody", "a.png") is None
