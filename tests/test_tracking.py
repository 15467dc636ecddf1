"""Trackers of a run, the pictures they receive, and the model card of the trained policy."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import yaml
from scripted import png
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rrvf.errors import UserError
from rrvf.profile import load_profile
from rrvf.records import Judgement, Render, Trajectory, Turn
from rrvf.report.episodes import EpisodePictures, kept_pictures
from rrvf.training.card import card
from rrvf.training.episodes import EpisodeLog
from rrvf.training.tracking import HEIGHT, check_trackers, shows, strip, strips

EPISODE = Trajectory(
    sample_id="a", domain="chart",
    turns=(Turn(text="", action="tool_call", code="x", render=Render(status="ok", png=png(9))), Turn(text="", action="answer")),
    final_code="y", final_render=Render(status="ok", png=png(99)), judgement=Judgement(status="ok", score=0.5),
)  # fmt: skip
MADE = {
    "method": "grpo", "profile": "nano", "settings": "abc", "seed": 3, "pictures": "0123", "numbers": "float32",
    "config": {"domain": "chart", "train_set": "mine|yours", "steps": 9}, "judge": {"model": None},
    "start": {"start": "Qwen/Qwen2.5-VL-3B-Instruct@abc"},
}  # fmt: skip
LOG = [{"step": s, "loss": 0.1, "reward": r, "rrvf/exec_rate": 0.5} for s, r in ((1, 0.25), (2, 0.75))] + [{"step": 2}]


def follow(tracker, tmp_path):
    log = EpisodeLog(tmp_path, {"a": png()}, 1, 5, None, shows((tracker,), tmp_path))
    log([EPISODE], 1)
    log([EPISODE], 2)  # no page is written at this step


def test_a_strip_shows_target_and_turns_and_a_place_for_what_is_missing():
    shown = strip(EpisodePictures(png(), (png(9), None)))
    assert shown.height == HEIGHT and shown.width == 3 * HEIGHT + 16
    assert shown.getpixel((shown.width - 5, 5)) == (255, 255, 255)


def test_tensorboard_is_shown_the_episodes(tmp_path):
    follow("tensorboard", tmp_path)
    events = EventAccumulator(str(tmp_path / "pictures")).Reload()
    (image,) = events.Images("episodes/0")
    assert image.step == 1 and image.width == 3 * HEIGHT + 16


@pytest.mark.parametrize("tracker", ["wandb", "trackio"])
def test_the_others_are_shown_them_too(tmp_path, monkeypatch, tracker):
    logged = []
    stub = SimpleNamespace(log=logged.append, Image=lambda picture, caption: (picture.size, caption))
    monkeypatch.setitem(sys.modules, tracker, stub)
    follow(tracker, tmp_path)
    (line,) = logged
    assert line["train/global_step"] == 1 and "a: similarity 0.50" in str(line)


def test_a_failed_judge_is_named_and_is_no_zero():
    failed = EPISODE.model_copy(update={"judgement": Judgement(status="judge_error", reason="timeout")})
    ((caption, _),) = strips([failed], kept_pictures({}))
    assert caption.startswith("a: judge_error") and "0.00" not in caption


def test_a_tracker_that_is_not_here_is_one_line(monkeypatch):
    monkeypatch.setattr("rrvf.training.tracking.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install wandb"):
        check_trackers(("wandb",))
    check_trackers(())


def test_who_follows_changes_no_hash():
    nano = load_profile("nano")
    assert nano.model_copy(update={"report_to": ("wandb",)}).hash == nano.hash


def test_a_card_says_how_it_was_made_and_what_the_hub_asks():
    text = card(MADE, LOG)
    head = yaml.safe_load(text.split("---")[1])
    assert head["base_model"] == "Qwen/Qwen2.5-VL-3B-Instruct" and "rrvf" in head["tags"]
    assert "| reward | 0.250 | 0.750 |" in text and "| steps | 2 |" in text and "settings abc" in text
    assert "mine\\|yours" in text and kept_pictures({})(EPISODE).target is None


@pytest.mark.parametrize("start", ["nano", "/a/folder", "./a/folder"])
def test_a_local_start_is_no_base_model_of_the_hub(start):
    assert "base_model" not in yaml.safe_load(card(MADE | {"start": start}, []).split("---")[1])


@pytest.mark.parametrize(
    ("domain", "names"), [("svg", ("svg",)), ("both", ("chart", "web")), (["chart", "svg"], ("chart", "svg"))]
)
def test_a_card_of_several_domains_names_each(domain, names):
    text = card(MADE | {"config": {"domain": domain, "train_set": ["a", "b"], "steps": 9}}, LOG)
    title = " and ".join(names)
    assert f"# {title} to code, trained with RRVF" in text and f"| a, b ({title}), digest" in text
    assert [line.split()[4] for line in text.splitlines() if line.startswith("rrvf redraw")] == list(names)
