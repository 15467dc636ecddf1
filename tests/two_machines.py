"""Two simulated machines with one process each, on loopback: `make test-nodes` (minutes). Not part of `make test`.

They are started by reproduce/launch/train.sh, as by a user, with a judge at a URL and the shipped policy.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from rrvf.judge.child import running_server
from rrvf.served import free_port
from rrvf.training.logs import read_log

ROOT = Path(__file__).parent.parent
TRAIN = ROOT / "reproduce/launch/train.sh"
#: One process per machine, launched as for GPUs, by torch's agent on each.
LAUNCH = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_GPU", "use_cpu": True, "num_processes": 1}
STEPS = 2
PROFILE = """
name: nodes
policy: {{model: nano, prompts: nano, dtype: float32}}
judge: {{url: {judge}}}
canvas:
  chart: {{width: 280, height: 224, dpi: 100, font_size: 8}}
data:
  train: {{kind: generated_charts, count: 2, seed: 1000000, pretraining: 1}}
grpo:
  chart: {{domain: chart, train_set: train, steps: {steps}, prompts_per_step: 2, group_size: 2, micro_batch: 2, save_every: 1,
    learning_rate: 0.00005, max_turns: 2, max_completion_tokens: 512, max_turn_tokens: 160}}
"""
pytestmark = pytest.mark.timeout(3600)


@pytest.fixture
def place(tmp_path):
    """A folder with a profile whose judge is served at a URL, and accelerate's settings."""
    with running_server(wait_s=600) as url:
        (tmp_path / "nodes.yaml").write_text(PROFILE.format(judge=url, steps=STEPS))
        (tmp_path / "launch.yaml").write_text(yaml.safe_dump(LAUNCH))
        yield tmp_path


def machine(place: Path, number: int, port: int) -> subprocess.Popen:
    """Start train.sh of one machine, with its output in `machine-NUMBER.log`."""
    command = ["bash", TRAIN, "grpo", place / "launch.yaml", place / "nodes.yaml", "chart", place / "run"]
    told = {"MACHINES": "2", "MACHINE": str(number), "MAIN": f"127.0.0.1:{port}", "RRVF_DATA": str(place / "data")}
    told |= {"VENV": str(Path(sys.executable).parent.parent), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with (place / f"machine-{number}.log").open("a") as log:
        return subprocess.Popen(command, env=os.environ | told, stdout=log, stderr=log, start_new_session=True)


def together(place: Path) -> list[subprocess.Popen]:
    port = free_port()
    return [machine(place, number, port) for number in range(2)]


def rank_of(launcher: subprocess.Popen) -> psutil.Process:
    """The training process under a machine's launcher."""
    return next(p for p in psutil.Process(launcher.pid).children(recursive=True) if "rrvf" in p.cmdline())


def logs(place: Path) -> str:
    return "\n".join((place / f"machine-{number}.log").read_text()[-3000:] for number in range(2))


def test_two_machines_train_and_go_on_after_one_rank_was_killed(place):
    begun, machines = time.monotonic(), together(place)
    try:
        while not (place / "run/checkpoint-1/trainer_state.json").exists():
            assert all(m.poll() is None for m in machines), logs(place)
            time.sleep(0.1)
        rank_of(machines[1]).send_signal(signal.SIGKILL)
        assert all(m.wait(600) != 0 for m in machines)  # neither waits endlessly for the other
    finally:
        for launcher in machines:
            for process in (
                [*psutil.Process(launcher.pid).children(recursive=True), launcher] if launcher.poll() is None else []
            ):
                process.kill()
    assert not (place / "run/final").exists()
    killed = time.monotonic()
    again = together(place)
    assert [m.wait() for m in again] == [0, 0], logs(place)
    lines = read_log(place / "run/log.jsonl")
    assert len(lines) == STEPS and (place / "run/final/model.safetensors").is_file()
    print(f"killed after {killed - begun:.0f} s, resumed and done after {time.monotonic() - killed:.0f} s")
    print(*({k: line[k] for k in ("reward", "grad_norm", "seconds/step")} for line in lines), sep="\n")
    if keep := os.environ.get("KEEP_LOGS"):
        for path in place.glob("machine-*.log"):
            shutil.copy(path, keep)
