"""The benchmarks' own prompts: fetched at their pins, refused if they differ, extracted without running a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import partial

import httpx
import pytest

from rrvf.benchmarks.questions import question
from rrvf.data import prompts
from rrvf.errors import UserError
from rrvf.profile import EvalSet

JSON = json.dumps({"instruction": "Set figsize=({width}, {height}). Draw it.", "system_msg": ""})
PYTHON = 'raise SystemExit\nmessages = [{"text": "Rate it " + "from 1 to 10: " + "[[rating]]."}, {"other": "no"}]\n'


@pytest.fixture
def served(monkeypatch):
    """A host with files of the same names and other texts. It counts its requests."""
    files, asked = {}, []
    for name, source in prompts.SOURCES.items():
        text = JSON if source.path.endswith(".json") else PYTHON
        read = source.text_in if text is JSON else partial(prompts._constant, "[[rating]]")
        found = replace(source, sha256=hashlib.sha256(text.encode()).hexdigest(), text_in=read)
        files[found.url] = text
        monkeypatch.setitem(prompts.SOURCES, name, found)

    def get(url, **_):
        asked.append(url)
        return httpx.Response(200, text=files[url], request=httpx.Request("GET", url))

    monkeypatch.setattr(prompts.httpx, "get", get)
    return files, asked


def test_every_source_is_pinned():
    for source in prompts.SOURCES.values():
        assert len(source.commit) == 40 and len(source.sha256) == 64 and source.licence
        assert source.commit in source.url and source.url.endswith(source.path)


def test_files_are_fetched_once_and_their_texts_found(served, tmp_path):
    assert prompts.text("plot2code-judge", tmp_path) is None
    prompts.download(tmp_path), prompts.download(tmp_path)
    assert sorted(served[1]) == sorted({s.url for s in prompts.SOURCES.values()})
    assert prompts.text("chartmimic-direct", tmp_path).startswith("Set figsize")
    assert prompts.text("plot2code-judge", tmp_path) == "Rate it from 1 to 10: [[rating]]."


def test_another_file_than_the_pinned_one_is_refused_and_not_kept(served, tmp_path):
    files, _ = served
    files[prompts.SOURCES["chartmimic-judge"].url] = JSON + " "
    with pytest.raises(UserError, match="not the pinned file"):
        prompts.download(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_changed_here_is_refused(served, tmp_path):
    paths = prompts.download(tmp_path)
    paths[0].write_text("mine")
    with pytest.raises(UserError, match="not the pinned file"):
        prompts.text("chartmimic-judge", tmp_path)


def test_without_a_network_the_refusal_says_where_to_put_the_file(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise httpx.ConnectError("no route")

    monkeypatch.setattr(prompts.httpx, "get", fails)
    with pytest.raises(UserError, match=f"put that file at {tmp_path}"):
        prompts.download(tmp_path)


def a_set(benchmark="chartmimic", **more) -> EvalSet:
    return EvalSet(benchmark=benchmark, dataset="d", table=1, title="t", domain="chart", **more)


def test_the_policy_is_told_the_figures_inches_by_chartmimics_question_alone(served, tmp_path):
    assert not question(a_set(), "full", tmp_path).tells_size
    assert not question(a_set("plot2code", prompt="benchmark"), "full", tmp_path).tells_size
    ours = question(a_set(prompt="benchmark"), "full", tmp_path)
    assert ours.id == "chartmimic-direct" and "figsize=(10.0, 8.0)" in ours.text((10, 8))
    prompts.download(tmp_path)
    theirs = question(a_set(prompt="benchmark"), "full", tmp_path)
    assert theirs.id == "chartmimic-direct-official" and theirs.sha256 != ours.sha256
    assert theirs.text((10, 8)) == "Set figsize=(10.0, 8.0). Draw it."


def test_websight_has_no_official_prompt_to_ask_for():
    with pytest.raises(ValueError, match="websight has no prompts"):
        EvalSet(benchmark="websight", dataset="d", table=3, title="t", domain="web", judge_prompt="official")
