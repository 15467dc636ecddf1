"""A policy by its hub id and commit: `organisation/model@COMMIT`. The hub is a stand-in."""

from __future__ import annotations

import pytest

from rrvf.errors import UserError
from rrvf.policies.local import resolve_model


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
