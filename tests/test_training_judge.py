"""A profile whose judge has a URL without a server."""

from __future__ import annotations

import time

import pytest

from rrvf.errors import UserError
from rrvf.profile import load_profile
from rrvf.records import Sample
from rrvf.study import Study


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The nano profile with such a judge. Loading a policy fails the test."""
    nano = load_profile("nano")
    judge = nano.judge.model_copy(update={"url": "http://127.0.0.1:9/v1", "model": "m"})
    study = Study(nano.model_copy(update={"judge": judge}), tmp_path, tmp_path)
    fields = dict(domain="chart", split="t", image="a.png", code="a.py", sha256="", phash="", source="", licence="")
    monkeypatch.setattr(study, "split", lambda name: [Sample(id="a", **fields)])
    monkeypatch.setattr("rrvf.policies.local.load_model", lambda *args: pytest.fail("weights were loaded"))
    monkeypatch.setattr("rrvf.equipment.Renderer", Renderer)
    return study


class Renderer:
    """A renderer that is opened and closed."""

    def __init__(self, *args):
        pass

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


WORK = {
    "train": lambda study: study.train_grpo("chart"),
    "train, by the command line": lambda study: study.tools_of(study.section("grpo", "chart")).__enter__(),
    "eval": lambda study: study.evaluate_model("charts", "base", "nano", study.results / "eval"),
    "study": lambda study: study.evaluate("charts", "base"),
}


@pytest.mark.parametrize("work", WORK)
def test_a_judge_that_is_not_there_is_told_before_weights_are_loaded(study, work):
    begun = time.monotonic()
    with pytest.raises(
        UserError, match=r"no judge answers at http://127.0.0.1:9/v1: start it .*make judge.*rrvf judge serve --port 9"
    ):
        WORK[work](study)
    assert time.monotonic() - begun < 200  # not the half hour of retries for a judge that was lost
