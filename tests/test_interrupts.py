"""A stopped command ends soon, leaves no process, and continues later to the same result."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest

from rrvf import cli

#: Seconds. An idle machine takes at most a tenth of this; a command that ignores the signal would never end.
SOON_S = 60
PROFILE = """
name: small
policy: {model: nano, prompts: nano, dtype: float32}
canvas: {chart: {width: 280, height: 224, dpi: 100, font_size: 8}}
data: {test: {kind: generated_charts, count: 6, seed: 2000000, pretraining: 1}}
evaluations:
  charts: {benchmark: chartmimic, dataset: test, table: 1, domain: chart, owned_canvas: true, title: t}
"""
#: `rrvf`, which waits after the first record of an evaluation.
WAITING = """
import time
from rrvf import cli
from rrvf.benchmarks import runner
class Waiting(runner.tqdm):
    def update(self, n=1):
        time.sleep(600)
runner.tqdm = Waiting
cli.main()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("interrupts")
    (place / "small.yaml").write_text(PROFILE)
    return place


def words(place, out: str) -> list[str]:
    command = "eval --benchmark charts --policy reference --profile".split()
    return [*command, str(place / "small.yaml"), "--out", str(place / out)]


def finish(place, out: str, monkeypatch) -> dict:
    """The metrics of an evaluation of the reference policy, started or continued in this process."""
    monkeypatch.setenv("RRVF_DATA", str(place / "data"))
    assert cli.run(words(place, out)) == 0
    return json.loads((place / out / "summary.json").read_text())["metrics"]


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_evaluation_that_is_stopped_ends_soon_and_goes_on_to_the_same_result(place, monkeypatch, sent, code):
    whole, parts = finish(place, "whole", monkeypatch), place / f"parts-{code}"
    command = [sys.executable, "-c", WAITING, *words(place, parts.name)]
    # Background commands of a shell ignore SIGINT, and so do their children.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=heard)
    while not (parts / "records.jsonl").is_file() or not (parts / "records.jsonl").stat().st_size:
        assert process.poll() is None
        time.sleep(0.01)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(sent)
    assert process.wait(SOON_S) == code
    assert psutil.wait_procs(family, timeout=SOON_S)[1] == []
    assert len((parts / "records.jsonl").read_text().splitlines()) == 1 and not (parts / "summary.json").exists()
    assert finish(place, parts.name, monkeypatch) == whole
