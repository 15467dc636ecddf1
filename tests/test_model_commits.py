"""A policy by its hub id and commit: `organisation/model@COMMIT`. The hub is a stand-in."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest

from rrvf.errors import UserError
from rrvf.plan.models import shape
from rrvf.policies import address
from rrvf.policies.local import resolve_model
from rrvf.policies.names import hub_parts
from rrvf.profile import load_profile
from rrvf.rows import find_row
from rrvf.study import Study


@pytest.fixture
def downloads(monkeypatch):
    """What is downloaded, as (hub id, commit)."""
    asked = []

    def download(hub_id, revision):
        asked.append((hub_id, revision))
        return f"/cache/{revision}"

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    return asked


def test_the_files_of_that_commit_are_used(downloads):
    assert resolve_model("org/model@c0ffee") == "/cache/c0ffee" and downloads == [("org/model", "c0ffee")]


def test_without_a_commit_the_hub_is_not_asked_yet(downloads):
    assert resolve_model("org/model") == "org/model" and not downloads


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("org/model@c0ffee", ("org/model", "c0ffee")),
        ("org/model", ("org/model", None)),
        ("nano", ("nano", None)),
        ("http://localhost:8000/v1#org/model@c0ffee", ("http://localhost:8000/v1#org/model@c0ffee", None)),
    ],
)
def test_only_a_hub_id_has_a_commit(model, parts):
    assert hub_parts(model) == parts


def test_vllm_serves_that_commit(monkeypatch):
    monkeypatch.setattr(address, "_vllm_here", lambda: True)
    monkeypatch.setattr(address, "_served", lambda name, version, gpus, settings, stack: (name, version, gpus))
    with ExitStack() as stack:
        assert address.open_policy("org/model@c0ffee", address.Settings(), stack) == ("org/model", "c0ffee", 1)


@pytest.mark.parametrize("profile", ["gpu", "paper"])
def test_the_shipped_profiles_pin_the_commit_that_they_train(profile):
    assert re.fullmatch("[0-9a-f]{40}", hub_parts(load_profile(profile).policy.model)[1])


def test_the_paper_profile_trains_the_commit_of_the_base_row(tmp_path):
    study = Study(load_profile("paper"), tmp_path)
    assert study.model_of("base", "chart") == find_row("base")


def test_another_commit_of_the_base_is_evaluated_as_named(tmp_path):
    paper = load_profile("paper")
    other = f"{find_row('base').model}@c0ffee"
    profile = paper.model_copy(update={"policy": paper.policy.model_copy(update={"model": other})})
    assert Study(profile, tmp_path).model_of("base", "chart") == other


def test_a_commit_does_not_hide_the_sizes_of_a_model():
    assert shape("Qwen/Qwen2.5-VL-7B-Instruct@c0ffee") == shape("Qwen/Qwen2.5-VL-7B-Instruct")


def test_a_folder_with_such_a_name_is_taken_as_it_is(downloads, tmp_path, monkeypatch):
    (tmp_path / "org" / "model@c0ffee").mkdir(parents=True)
    (tmp_path / "org" / "model@c0ffee" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for name in ("org/model@c0ffee", str(tmp_path / "org" / "model@c0ffee")):
        assert resolve_model(name) == name
    assert not downloads


def test_a_commit_that_the_hub_does_not_have_is_refused_in_one_line(monkeypatch):
    def fails(hub_id, revision):
        raise OSError("404 Client Error.\n\nRevision Not Found for url: https://huggingface.co/api/…\n" + "x" * 999)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fails)
    with pytest.raises(UserError) as refusal:
        resolve_model("org/model@c0ffee")
    told = str(refusal.value)
    assert told.startswith("no model org/model@c0ffee on the hub (404 Client Error.)") and "HF_TOKEN" in told
    assert "\n" not in told
