"""The renderers that `rrvf.render.render` keeps open: one per domain, for the limits that were asked for last."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rrvf.errors import UserError
from rrvf.records import Render
from rrvf.render import Limits, render

ONE, TWO = Limits(wall_s=1), Limits(wall_s=2)


class Engine:
    """A stand-in for browsers. The page `slow` is drawn when `go` is set, if the browsers are still open then."""

    begun, go = threading.Event(), threading.Event()
    open: list[Limits] = []

    def __init__(self, workers, limits):
        self.limits = limits
        self.open.append(limits)

    def render(self, code):
        if code == "slow":
            self.begun.set()
            self.go.wait(60)
        return Render(status="ok" if self.limits in self.open else "harness_error")

    def close(self):
        if self.limits in self.open:
            self.open.remove(self.limits)


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr("rrvf.render._engine", lambda domain: Engine)
    monkeypatch.setattr("rrvf.render._warm", {})
    for name, value in (("begun", threading.Event()), ("go", threading.Event()), ("open", [])):
        monkeypatch.setattr(Engine, name, value)
    return Engine


def test_other_limits_end_no_render_that_is_in_progress(engine):
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(render, "web", "slow", ONE)
        engine.begun.wait(60)
        assert render("web", "page", TWO).ok and engine.open == [ONE, TWO]
        engine.go.set()
        assert slow.result().ok and engine.open == [TWO]


def test_one_renderer_of_a_domain_stays_open(engine):
    for limits in (ONE, TWO, ONE):
        assert render("web", "page", limits).ok and engine.open == [limits]
    with pytest.raises(UserError, match="no trace"):
        render("web", "page", TWO, "all")
    assert render("web", "page", ONE).ok and engine.open == [ONE]
