"""`rrvf doctor --profile`: each stage on described machines, the driver, and access to judge and hub."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import psutil
import pytest
from typer.testing import CliRunner

from reproduce.judge import served_judge
from reproduce.progress import Progress
from rrvf import cli
from rrvf.errors import UserError
from rrvf.plan import machine as machines
from rrvf.plan.access import hub_access, judge_access
from rrvf.plan.fits import profile_report
from rrvf.plan.machine import Machine, cuda_wheels, driver_problem, read_description, this_machine
from rrvf.plan.stages import stages
from rrvf.profile import load_profile
from rrvf.served import serving

GPU, PAPER = load_profile("gpu"), load_profile("paper")
ONE = {"gpus": 1, "gpu_memory_gb": 80, "driver": "580.65.06", "disk_gb": 500, "ram_gb": 128}
EIGHT = ONE | {"gpus": 8, "disk_gb": 2_000, "ram_gb": 1_000}
NONE = {"gpus": 0, "disk_gb": 20, "ram_gb": 8}


def misfits(profile, described: dict, answers: bool = False) -> dict[str, str]:
    """The stages that do not fit, with the changes they need."""
    found = stages(profile, Machine(**described), answers)
    assert all(bool(stage.change) != stage.fits for stage in found)
    return {stage.name: stage.change for stage in found if not stage.fits}


@pytest.mark.parametrize(
    ("profile", "described"),
    [
        ("nano", NONE),
        ("gpu", ONE),
        ("gpu", EIGHT),
        ("paper", EIGHT | {"judge_gpus": 8}),
        ("paper", EIGHT | {"gpus": 16}),
    ],
)
def test_the_machines_that_the_profiles_are_for_fit(profile, described):
    assert misfits(load_profile(profile), described) == {}


def test_every_stage_is_named():
    names = [stage.name for stage in stages(GPU, Machine(**ONE))]
    assert names == ["data", "judge", "GRPO chart", "GRPO web", "SFT chart", "evaluation", "tables"]


@pytest.mark.parametrize(
    ("profile", "change", "hit", "words"),
    [
        ("paper", {"gpus": 1}, {"judge", "GRPO chart", "GRPO web", "SFT chart"}, "8 GPUs needed, 1 there"),
        ("paper", {}, {"judge"}, "make judge JUDGE=72b"),
        ("paper", {"gpu_memory_gb": 40, "judge_gpus": 8}, {"GRPO chart", "GRPO web", "SFT chart", "evaluation"}, "GPUs with more memory"),
        ("paper", {"driver": "570.86.15", "judge_gpus": 8}, {"judge", "GRPO chart", "GRPO web", "SFT chart", "evaluation"}, "driver 580 or newer"),
        ("paper", {"disk_gb": 500, "judge_gpus": 8}, {"GRPO web", "SFT chart"}, "free disk"),
        ("paper", {"ram_gb": 100, "judge_gpus": 8}, {"GRPO chart", "GRPO web", "SFT chart"}, "main memory"),
        ("gpu", {"gpus": 0}, {"judge", "GRPO chart", "GRPO web", "SFT chart", "evaluation"}, "1 GPU needed, none there"),
        ("gpu", {"gpu_memory_gb": 40}, {"judge", "GRPO chart", "GRPO web", "SFT chart", "evaluation"}, "judge 7b"),
        ("gpu", {"disk_gb": 10}, {"data", "judge", "GRPO chart", "GRPO web", "SFT chart"}, "free disk"),
        ("nano", {"ram_gb": 4}, {"data", *(f"{kind} {name}" for kind in ("GRPO", "SFT", "RFT") for name in ("chart", "web")), "evaluation"}, "main memory"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_what_to_change(profile, change, hit, words):
    found = misfits(load_profile(profile), (ONE if profile == "gpu" else EIGHT) | change)
    assert set(found) == hit and any(words in told for told in found.values())


def test_a_judge_that_answers_needs_no_gpus_here():
    assert misfits(PAPER, EIGHT, answers=True) == {}


@pytest.mark.parametrize("profile", [GPU, PAPER])
def test_a_plan_s_peak_and_hours_stand_beside_a_training(profile):
    training = next(stage for stage in stages(profile, Machine(**EIGHT)) if stage.name == "GRPO chart")
    assert "of 73.6 GiB (backward pass)" in training.found and " h" in training.found


def test_kept_weights_take_room_on_the_disk():
    chart = PAPER.grpo["chart"]
    disk = []
    for every in (None, 10):
        profile = PAPER.model_copy(update={"grpo": {"chart": chart.model_copy(update={"keep_every": every})}})
        training = next(s for s in stages(profile, Machine(**EIGHT), True) if s.name == "GRPO chart")
        disk.append(int(re.search(r"disk (\d+) GB", training.found)[1]))
    assert disk[1] - disk[0] == pytest.approx(chart.steps // 10 * 16.6, abs=2)


def test_the_driver_is_the_locked_wheels_own(tmp_path):
    assert cuda_wheels() == (13, 580)
    lock = tmp_path / "lock"
    lock.write_text("nvidia-cublas==12.8.4.1 \\\nnvidia-cuda-runtime-cu12==12.8.90 \\\n")
    assert cuda_wheels(lock) == (12, 525)


@pytest.mark.parametrize(
    ("driver", "fits"), [("580", True), ("580.65.06", True), ("615.71", True), ("575.99", False), ("", False)]
)
def test_an_old_driver_is_told(driver, fits):
    assert (driver_problem(Machine(**ONE | {"driver": driver})) == "") is fits


def test_a_number_is_a_driver_too(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text("gpus: 1\ngpu_memory_gb: 80\ndriver: 580.65\ndisk_gb: 500\nram_gb: 128\n")
    assert read_description(path).driver == "580.65"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gpus: 1\n", "disk_gb is missing"),
        ("gpu: 1\ndisk_gb: 1\nram_gb: 1\n", "gpu is no setting"),
        ("a: [", "YAML"),
        ("", "top level"),
    ],
)
def test_a_bad_description_is_one_line(tmp_path, text, words):
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(UserError, match=words) as refused:
        read_description(tmp_path / "m.yaml")
    assert "\n" not in str(refused.value)


def test_the_command_reads_a_description_and_its_code_says_whether_all_fits(tmp_path):
    def code(described: dict) -> tuple[int, str]:
        (tmp_path / "m.yaml").write_text(json.dumps(described))
        done = CliRunner().invoke(cli.app, ["doctor", "--profile", "gpu", "--machine", str(tmp_path / "m.yaml")])
        return done.exit_code, done.output

    assert code(ONE)[0] == 0
    refused, text = code(ONE | {"driver": "550.54.15"})
    assert refused == 1 and "CUDA 13" in text and "PROFILE=gpu does not run there" in text


def test_this_machine_s_gpus_are_read_from_its_driver(monkeypatch):
    lines = "81559, 580.65.06\n81920, 580.65.06\n"
    done = subprocess.CompletedProcess([], 0, stdout=lines)
    monkeypatch.setattr(machines.subprocess, "run", lambda *_, **__: done)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = this_machine()
    assert (found.gpus, found.gpu_memory_gb, found.driver) == (2, 79.6, "580.65.06")
    for visible, count in (("1", 1), ("-1", 0), ("0,-1,1", 1), ("", 0)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert this_machine().gpus == count


def test_a_driver_that_does_not_answer_is_no_gpu(monkeypatch):
    done = subprocess.CompletedProcess([], 0, stdout="Failed to initialize NVML: Driver/library version mismatch\n")
    monkeypatch.setattr(machines.subprocess, "run", lambda *_, **__: done)
    assert this_machine().gpus == 0


def test_the_one_card_that_is_read_as_79_6_gb_is_an_80_gb_card():
    assert misfits(GPU, ONE | {"gpu_memory_gb": 79.1}) == {}
    assert misfits(PAPER, EIGHT | {"gpu_memory_gb": 79.1, "judge_gpus": 8}) == {}


@pytest.fixture
def endpoint():
    """A model server that answers with the status `codes[0]`. Returns its URL, the codes and its requests."""
    codes, asked = [200], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(codes[0])
            self.end_headers()

        def log_message(self, *_):
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1", codes, asked
    server.shutdown()
    server.server_close()


def with_judge(profile, **judge):
    return profile.model_copy(update={"judge": profile.judge.model_copy(update=judge)})


@pytest.mark.parametrize(
    ("code", "key", "fits", "words"),
    [
        (200, "", True, ""),
        (401, "", False, "set RRVF_JUDGE_API_KEY"),
        (403, "wrong", False, "correct"),
        (503, "", False, "wait"),
    ],
)
def test_the_judge_is_asked_once(endpoint, monkeypatch, code, key, fits, words):
    url, codes, asked = endpoint
    codes[0] = code
    monkeypatch.setenv("RRVF_JUDGE_API_KEY", key)
    found = judge_access(with_judge(PAPER, url=url))
    assert found.fits is fits and words in found.change
    assert asked == [("/v1/models", f"Bearer {key or 'none'}")]


def test_a_judge_that_is_not_there_is_named_with_the_command_that_starts_it():
    found = judge_access(with_judge(PAPER, url="http://127.0.0.1:9/v1"))
    assert not found.fits and "make judge JUDGE=72b" in found.change
    assert judge_access(GPU) is None  # the run itself starts this judge


def test_a_gated_set_names_the_token_and_a_silent_hub_is_asked_once():
    def gated(kind: str, source: str) -> tuple[str, bool]:
        return (f"{source} is gated: set HF_TOKEN" if source.startswith("ChartMimic") else ""), False

    found = hub_access(PAPER, ask=gated)
    assert not found.fits and found.change == "ChartMimic/ChartMimic is gated: set HF_TOKEN"
    asked = []
    hub_access(PAPER, ask=lambda *what: asked.append(what) or ("no answer", True))
    assert len(asked) == 1


def test_what_is_ready_or_lies_here_needs_no_hub(tmp_path):
    asked = []
    local = PAPER.model_copy(update={"policy": PAPER.policy.model_copy(update={"model": str(tmp_path)})})
    assert hub_access(local, ready=list(PAPER.data), ask=lambda *what: asked.append(what)) is None and not asked
    assert hub_access(load_profile("nano"), ask=lambda *what: asked.append(what)) is None and not asked


def test_this_machine_s_judge_and_hub_are_part_of_the_answer(monkeypatch):
    monkeypatch.setattr("rrvf.plan.fits.this_machine", lambda: Machine(**EIGHT | {"judge_gpus": 8}))
    monkeypatch.setattr("rrvf.plan.fits.table_judge_access", lambda _: None)
    monkeypatch.setattr("rrvf.plan.fits.hub_access", lambda *_: None)
    silent = with_judge(PAPER, url="http://127.0.0.1:9/v1")
    monkeypatch.setattr("rrvf.plan.fits.load_profile", lambda _: silent)
    text, fits = profile_report("paper")
    assert not fits and "access: judge" in text


SERVER = """
import sys, http.server
port = int(sys.argv[sys.argv.index("--port") + 1])
print(sys.argv, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers()
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def free_port() -> int:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()
    return server.server_port


def test_the_same_command_starts_the_judge_and_stops_it(tmp_path):
    profile = with_judge(GPU, url=f"http://127.0.0.1:{free_port()}/v1")
    there = with_judge(profile, serve=False)
    with served_judge(profile, tmp_path, Progress(), (sys.executable, "-c", SERVER)):
        assert judge_access(there).fits
        assert "reproduce/judges/7b.yaml" in (tmp_path / "judge.log").read_text()
    assert not judge_access(there).fits


#: Starts SERVER with an engine process that ignores requests to end.
ENGINE = """
import subprocess, sys
stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
engine = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
engine.stdout.readline()
print(engine.pid)
"""


def test_an_engine_that_outlives_its_server_is_ended_too(tmp_path):
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-c", ENGINE + SERVER, "--port", str(port)]
    with serving(command, f"http://127.0.0.1:{port}/v1", log):
        engine = os.pidfd_open(int(log.read_text().split()[0]))
    assert select.select([engine], [], [], 60)[0]
    os.close(engine)


def test_a_server_starts_without_a_compiler_for_gpus(tmp_path):
    port, log = free_port(), tmp_path / "log"
    told = "import os; print(os.environ['VLLM_USE_FLASHINFER_SAMPLER'], flush=True)\n"
    with serving([sys.executable, "-c", told + SERVER, "--port", str(port)], f"http://127.0.0.1:{port}/v1", log):
        assert log.read_text().split()[0] == "0"


def test_a_judge_that_dies_while_it_starts_ends_the_run_in_one_line(tmp_path):
    profile = with_judge(GPU, url=f"http://127.0.0.1:{free_port()}/v1")
    command = (sys.executable, "-c", "raise SystemExit('no memory left')")
    with (
        pytest.raises(UserError, match=r"no memory left.*judge.log"),
        served_judge(profile, tmp_path, Progress(), command),
    ):
        pass


def test_a_judge_that_answers_already_is_taken(endpoint, tmp_path):
    with served_judge(with_judge(GPU, url=endpoint[0]), tmp_path, Progress(), ("/none",)):
        pass
    assert not (tmp_path / "judge.log").exists()


def test_a_server_ends_with_a_run_that_was_killed(tmp_path):
    script = (
        "import subprocess, sys, time; from rrvf.served import end_with_parent; "
        "print(subprocess.Popen(['sleep', '600'], preexec_fn=end_with_parent).pid, flush=True); time.sleep(600)"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    server = psutil.Process(int(run.stdout.readline()))
    run.kill()
    assert psutil.wait_procs([server], timeout=20) == ([server], [])


def test_a_profile_without_a_served_judge_starts_none(tmp_path):
    with served_judge(PAPER, tmp_path, Progress(), ("/none",)):
        pass
