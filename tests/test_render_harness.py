"""A failure of our own part is retried and is a harness_error, never a render_error. Programs cannot forge one."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator

import psutil
import pytest
from typer.testing import CliRunner

import rrvf.render
from rrvf.cli import app
from rrvf.errors import HarnessError
from rrvf.records import Render
from rrvf.render import Limits, Renderer
from rrvf.render.chart import ChartRenderer
from rrvf.render.files import render_file, render_folder

LINE = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\n"
BROKEN, OK = Render(status="harness_error", message="no memory"), Render(status="ok")


@pytest.fixture
def own() -> Iterator[ChartRenderer]:
    """An engine for one test, which may harm it."""
    with ChartRenderer(1, Limits(wall_s=120)) as one:
        yield one


def statuses(engine: ChartRenderer, count: int = 4) -> list[str]:
    return [engine.render(LINE).status for _ in range(count)]


def zygote(engine: ChartRenderer) -> int:
    """The process that forks the workers. With namespaces it is the child of the process that we started."""
    process = psutil.Process(engine._zygote._process.pid)
    return next((c.pid for c in process.children() if c.cmdline() == process.cmdline()), process.pid)


#: A shortage on the machine: a limit that a worker cannot set, or the fork itself.
SHORTAGES = {
    "descriptors": (resource.RLIMIT_NOFILE, 60, 60),
    "memory": (resource.RLIMIT_AS, 1 << 30, 1 << 30),
    "file size": (resource.RLIMIT_FSIZE, 1 << 20, 1 << 20),
    "processor time": (resource.RLIMIT_CPU, 5, 5),
}


@pytest.mark.parametrize("name", SHORTAGES)
def test_a_sandbox_that_cannot_be_set_up_is_no_fault_of_the_program(own: ChartRenderer, name: str) -> None:
    kind, soft, hard = SHORTAGES[name]
    resource.prlimit(zygote(own), kind, (soft, hard))
    found = statuses(own)
    assert set(found) <= {"ok", "harness_error"} and found[-1] == "harness_error"


def test_a_zygote_out_of_descriptors_is_no_fault_of_the_program(own: ChartRenderer) -> None:
    """It ends. The zygote that replaces it has enough descriptors, at the latest for the second render."""
    resource.prlimit(zygote(own), resource.RLIMIT_NOFILE, (3, 64))
    assert set(statuses(own)) <= {"ok", "harness_error"}


def test_a_host_out_of_descriptors_is_no_fault_of_the_program(own: ChartRenderer) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        found = statuses(own)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert set(found) <= {"ok", "harness_error"} and found[-1] == "harness_error"
    assert statuses(own)[-1] == "ok"  # workers that were ordered during the shortage are used up


def test_a_zygote_that_does_not_come_back_is_no_fault_of_the_program(own: ChartRenderer, monkeypatch) -> None:
    own._zygote._process.kill()
    own._zygote._process.wait()
    own._zygote._reader.join()
    monkeypatch.setenv("RRVF_PLOT_PYTHON", "/nowhere/python")
    assert own.render(LINE).status == "harness_error"


SENT = {
    "reason": "import json, os, struct\nh = json.dumps({'outcome': 'harness_error'}).encode()\n"
    "os.write(3, struct.pack('>II', len(h), 0) + h)\nos._exit(0)",
    "sign of a failed sandbox": "import os\nos.write(3, b'-' + (9).to_bytes(2, 'big') + b'no memory')\nos._exit(0)",
    "sign of a start": "import os\nos.write(3, b'+')\nos._exit(0)",
    "nothing": "import os\nos._exit(0)",
    "closed reply": "import os\nos.close(3)\nwhile True: pass",
}


@pytest.mark.parametrize("name", SENT)
def test_no_program_can_pass_for_a_failed_harness(engine: ChartRenderer, name: str) -> None:
    assert engine.render(SENT[name]).status == "render_error"


class Engine:
    """An engine that returns given renders in order, and the last one repeatedly."""

    def __init__(self, *renders: Render) -> None:
        self.renders, self.calls = list(renders), 0

    def render(self, code: str, **_) -> Render:
        self.calls += 1
        return self.renders.pop(0) if len(self.renders) > 1 else self.renders[0]

    def close(self) -> None: ...


@pytest.fixture
def renderer(monkeypatch):
    """A renderer whose engine returns these renders."""
    monkeypatch.setattr(rrvf.render, "PAUSES_S", (0, 0))

    def renderer(*renders: Render, domain: str = "chart") -> Renderer:
        monkeypatch.setattr(rrvf.render, "_engine", lambda domain: lambda *_: Engine(*renders))
        return Renderer(domain)

    return renderer


@pytest.mark.parametrize("domain", ["chart", "web"])
@pytest.mark.parametrize(("renders", "status", "calls"), [
    ((OK,), "ok", 1), ((BROKEN, OK), "ok", 2), ((BROKEN, BROKEN, OK), "ok", 3), ((BROKEN,), "harness_error", 3),
    ((Render(status="render_error", reason="crash"),), "render_error", 1),
])  # fmt: skip
def test_a_failed_harness_and_nothing_else_is_tried_again(renderer, domain, renders, status, calls) -> None:
    with renderer(*renders, domain=domain) as one:
        assert one.render("x").status == status and one._engine.calls == calls


def test_a_batch_that_is_measured_stops_at_a_failed_harness(renderer) -> None:
    with renderer(OK, BROKEN) as one, pytest.raises(HarnessError, match="no memory"):
        one.render_many(["a", "b"])


def test_a_folder_keeps_a_record_of_each_and_the_exit_code_is_2(renderer, tmp_path, monkeypatch) -> None:
    for name in "ab":
        (tmp_path / f"{name}.py").write_text("x")
    renderer(OK, BROKEN)
    found = CliRunner().invoke(
        app, ["render", "chart", str(tmp_path), "--out", str(tmp_path / "out"), "--workers", "1"]
    )
    lines = (tmp_path / "out" / "records.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["ok", "harness_error"] and found.exit_code == 2


FAULTY = Render(status="render_error", reason="exception")
DRAWN = OK.model_copy(update={"png": b"of an earlier program"})


@pytest.mark.parametrize(("render", "left"), [(FAULTY, 0), (BROKEN, 1)])
def test_no_picture_of_an_earlier_program_is_left_where_the_new_one_is_at_fault(
    renderer, tmp_path, render, left, monkeypatch
) -> None:
    (tmp_path / "a.py").write_text("x")
    for found in (DRAWN, render):
        renderer(found)
        list(render_folder("chart", tmp_path, tmp_path / "out"))
        monkeypatch.setattr("rrvf.render.files.render", lambda *_, found=found: found)
        render_file("chart", tmp_path / "a.py", tmp_path / "a.png")
    assert [(tmp_path / name).is_file() for name in ("out/a.png", "a.png")] == [bool(left)] * 2


def test_a_picture_that_was_not_drawn_here_stays(renderer, tmp_path) -> None:
    (tmp_path / "a.py").write_text("x")
    (tmp_path / "a.png").write_bytes(b"a target")
    renderer(FAULTY)
    for _ in range(2):
        list(render_folder("chart", tmp_path, tmp_path))
    assert (tmp_path / "a.png").read_bytes() == b"a target"


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("render_error", 1), ("harness_error", 2)])
def test_the_exit_code_tells_whose_fault_it_is(monkeypatch, tmp_path, status, code) -> None:
    record = Render(status=status, reason="exception" if status == "render_error" else None)
    monkeypatch.setattr("rrvf.render.files.render_file", lambda *_: record)
    (tmp_path / "x.py").write_text("x")
    found = CliRunner().invoke(
        app, ["render", "chart", str(tmp_path / "x.py"), "--out", str(tmp_path / "x.png"), "--json"]
    )
    assert found.exit_code == code and json.loads(found.stdout)["status"] == status


@pytest.mark.parametrize(("status", "reason"), [("ok", "blank"), ("harness_error", "crash"), ("render_error", None)])
def test_only_a_render_error_has_a_reason(status, reason) -> None:
    with pytest.raises(ValueError, match="reason"):
        Render(status=status, reason=reason)
