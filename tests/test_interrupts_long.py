"""A training and a whole reproduction that are stopped at random moments, again and again, come to the same bits."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import psutil
import pytest
import stopped

from rrvf.judge.child import running_server

#: Signals in turn, at moments drawn by a seed.
SIGNALS = [signal.SIGTERM, signal.SIGINT] * 4
#: A stopped command has ended after so long; a quiet machine takes a tenth of it.
END_S = 60
PROFILE = """
name: small
policy: {{model: {policy}, prompts: nano, dtype: float32}}
judge: {{url: {judge}}}
canvas:
  chart: {{width: 280, height: 224, dpi: 100, font_size: 8}}
data:
  train: {{kind: generated_charts, count: 2, seed: 1000000, pretraining: 1}}
grpo:
  chart: {{domain: chart, train_set: train, steps: 2, prompts_per_step: 1, group_size: 2, micro_batch: 2, save_every: 1,
    learning_rate: 0.01, max_turns: 2, max_completion_tokens: 2000, max_turn_tokens: 400}}
"""
NOTEBOOK = """# %% tags=["parameters"]
profile = "nano"
results = None

# %%
from pathlib import Path
from rrvf.render import render
print("stage a: begins")
picture = render("chart", "import matplotlib.pyplot as plt; plt.plot([1, {number}])").png
print("stage b: begins")

# %%
out = Path(results, "report")
out.mkdir(exist_ok=True)
(out / "{number}.png").write_bytes(picture)
print("stage c: begins")
"""

pytestmark = [pytest.mark.alone, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module", autouse=True)
def server():
    stopped.preload()


def finish(command, words: list[str], place: Path) -> int:
    """Run a command to its end; gives how many moments it had."""
    process = stopped.start(command, words, None, place / "count")
    process.join()
    assert process.exitcode == 0
    return json.loads((place / "count").read_text())[0]


def stop_at(command, words: list[str], place: Path, moment: int, sent: signal.Signals) -> None:
    """Run a command until it is told to stop: it ends soon, and no process that it had is left."""
    process, family = stopped.start(command, words, (moment, sent), place / "count"), {}
    while process.is_alive():
        family |= {p.pid: p for p in _family(process.pid)}
        process.join(0.05)
    assert process.exitcode in (0, 128 + sent)  # 0: a rerun may have fewer moments left
    assert psutil.wait_procs(family.values(), timeout=END_S)[1] == []
    _, told = json.loads((place / "count").read_text())
    print(
        f"moment {moment}: exit code {process.exitcode}, {time.monotonic() - told if told else 0:.1f} s after {sent.name}"
    )
    assert not told or time.monotonic() - told < END_S


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def check(command, words: dict[str, list[str]], place: Path) -> None:
    """Run `words["whole"]` undisturbed, and `words["parts"]` stopped once for each of SIGNALS, then to its end."""
    moments = finish(command, words["whole"], place)
    early = random.Random(0).choices(range(moments // 2), k=len(SIGNALS))  # what was done before is not done again
    for moment, sent in zip(early, SIGNALS, strict=True):
        stop_at(command, words["parts"], place, moment, sent)
    finish(command, words["parts"], place)


def test_a_training_stopped_at_eight_moments_ends_with_the_same_weights(policy, tmp_path):
    with running_server() as judge:
        (tmp_path / "small.yaml").write_text(PROFILE.format(policy=policy, judge=judge))
        run = [str(tmp_path / "data"), "grpo", "--profile", str(tmp_path / "small.yaml"), "--resume", "--out"]
        check(stopped.train, {name: [*run, str(tmp_path / name)] for name in ("whole", "parts")}, tmp_path)
    whole, parts = ((tmp_path / name / "final/model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    assert whole != (policy / "model.safetensors").read_bytes()


def test_a_reproduction_stopped_at_eight_moments_publishes_the_same_results(tmp_path):
    words = {}
    for name in ("whole", "parts"):
        notebooks = tmp_path / name / "notebooks"
        notebooks.mkdir(parents=True)
        for number in (1, 2):
            (notebooks / f"0{number}_notebook.py").write_text(NOTEBOOK.replace("{number}", str(number)))
        words[name] = ["nano", str(notebooks)]
    check(stopped.reproduce, words, tmp_path)
    whole, parts = (
        {p.name: p.read_bytes() for p in (tmp_path / name / "results" / "nano").rglob("*.png")} for name in words
    )
    assert whole == parts
    assert sorted(whole) == ["1.png", "2.png"]
