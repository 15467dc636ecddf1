"""The scripts of reproduce/launch with stand-ins for the cluster's commands: srun, scontrol, curl, accelerate, vLLM."""

from __future__ import annotations

import importlib.util
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from accelerate.commands.launch import launch_command_parser
from typer.main import get_command

from rrvf import cli
from rrvf.profile import load_profile

LAUNCH = Path(__file__).parent.parent / "reproduce/launch"
#: Prints the node and runs the step: on one node in place of this process, on several nodes as its children.
SRUN = """for word; do case $word in --nodelist=*) nodes=${word#*=};; --cpus-per-task=*) echo ${word#*=} >>processors;; esac; done
while [[ $1 = --* ]]; do shift; done
IFS=, read -ra names <<<"$nodes"
for node in "${names[@]}"; do echo "$node: $*" >>steps; done
for ((i = 1; i < ${#names[@]}; i++)); do SLURM_PROCID=$i "$@" & done
if [[ ${#names[@]} -gt 1 ]]; then SLURM_PROCID=0 "$@"; wait; else SLURM_PROCID=0 exec "$@"; fi
"""
#: Fails the first time and until the judge runs, as with a judge that still loads.
CURL = """if [ ! -e asked ]; then touch asked; exit 7; fi
[ -s judge.pid ] || exit 7
"""
PYTHON = f"""case "$*" in *vllm*) echo $$ >judge.pid; exec sleep 600;; *) exec {sys.executable} "$@";; esac
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A checkout with the scripts and the stand-ins."""
    shutil.copytree(LAUNCH, tmp_path / "reproduce/launch")
    stand_ins = {
        "srun": SRUN,
        "scontrol": "printf '%s\\n' ${NODES:-one two}\n",
        "curl": CURL,
        "sleep": 'exec /bin/sleep "${1/10/0}"\n',
    }
    environment = {"python": PYTHON, "accelerate": 'printf "%s\\n" "$@" | tee "accelerate-$SLURM_PROCID" >accelerate\n'}
    for folder, scripts in (("bin", stand_ins), (".venv/bin", environment)):
        (tmp_path / folder).mkdir(parents=True)
        for name, text in scripts.items():
            (tmp_path / folder / name).write_text("#!/usr/bin/env bash\n" + text)
            (tmp_path / folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(LAUNCH.parent.parent))
    for name, value in {"SUBMIT_DIR": str(tmp_path), "JOB_NODELIST": "[one-two]", "JOB_ID": "7"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    return tmp_path


def run(place: Path, script: str, *words: str) -> subprocess.CompletedProcess:
    command = ["bash", place / "reproduce/launch" / script, *words]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=240)


def launched(place: Path, words: str = "accelerate") -> dict[str, object]:
    """The arguments of accelerate and rrvf, parsed by both; they refuse unknown ones."""
    words = (place / words).read_text().splitlines()
    assert words.pop(0) == "launch"
    given = launch_command_parser().parse_args(words)
    assert given.module and given.training_script == "rrvf"
    train, method, *rest = given.training_script_args
    command = get_command(cli.app).commands[train].commands[method]
    settings = yaml.safe_load(Path(given.config_file).read_text())
    machines = {name: getattr(given, name) for name in ("num_machines", "num_processes", "machine_rank")}
    machines["main"] = f"{given.main_process_ip}:{given.main_process_port}"
    return {"method": method, "processes": settings["num_processes"], "machines": machines} | command.make_context(
        method, rest
    ).params


@pytest.mark.parametrize("method", ["grpo", "sft"])
@pytest.mark.parametrize(("gpus", "processes"), [("one_gpu", 1), ("eight_gpus", 8)])
def test_both_trainings_are_launched_alike(place, method, gpus, processes):
    done = run(place, "train.sh", method, gpus, "paper", "chart", "runs/x")
    assert done.returncode == 0, done.stderr
    asked = launched(place)
    assert (asked["method"], asked["processes"], asked["profile"]) == (method, processes, "paper")
    assert (asked["section"], str(asked["out"]), asked["resume"]) == (
        [*["chart"]] if method == "grpo" else "chart",
        "runs/x",
        True,
    )


@pytest.mark.parametrize(
    "words", [(), ("one_gpu", "gpu", "chart", "runs/x"), ("rlhf", "one_gpu", "gpu", "chart", "runs/x")]
)
def test_a_call_that_is_none_shows_how_it_is_done(place, words):
    done = run(place, "train.sh", *words)
    assert done.returncode == 2 and "train.sh sft eight_gpus" in done.stderr and not (place / "accelerate").exists()


def ends(pid: int) -> bool:
    """Whether a process ends soon, or has ended."""
    try:
        return bool(select.select([os.pidfd_open(pid)], [], [], 60)[0])
    except ProcessLookupError:
        return True


BLOCK = """name: mine
policy:
  model: nano
judge:
  model: judge
  max_in_flight: 3
"""


@pytest.mark.parametrize("name", ["paper", "gpu", "mine.yaml"])
def test_a_job_serves_its_judge_on_one_node_and_trains_on_the_other(place, name):
    (place / "mine.yaml").write_text(BLOCK)
    done = run(place, "train.slurm", "grpo", name, "chart", "runs/x")
    assert done.returncode == 0, done.stderr
    judge, train = (place / "steps").read_text().splitlines()
    assert judge == "two: bash reproduce/launch/judge.sh 72b 8001"
    assert train == "one: bash reproduce/launch/train.sh grpo eight_gpus rrvf-7.yaml chart runs/x"
    given = load_profile(str(place / name) if name.endswith("yaml") else name)
    url = "http://two:8001/v1"
    served = given.model_copy(update={"judge": given.judge.model_copy(update={"url": url})})
    assert load_profile(str(place / "rrvf-7.yaml")) == served
    assert launched(place)["profile"] == "rrvf-7.yaml"
    assert ends(int((place / "judge.pid").read_text()))  # ended with the job


def test_a_job_on_more_nodes_trains_on_all_that_serve_no_judge(place, monkeypatch):
    monkeypatch.setenv("NODES", "one two three four five")
    monkeypatch.setenv("JUDGES", "2")
    done = run(place, "train.slurm", "grpo", "paper", "chart", "runs/x")
    assert done.returncode == 0, done.stderr
    *judges, one, two, three = (place / "steps").read_text().splitlines()
    served = "bash reproduce/launch/judge.sh 72b 8001"
    assert sorted(judges) == [f"five: {served}", f"four: {served}"]
    assert [line.partition(":")[0] for line in (one, two, three)] == ["one", "two", "three"]
    assert load_profile(str(place / "rrvf-7.yaml")).judge.url == "http://four:8001/v1,http://five:8001/v1"
    for rank in range(3):
        asked = launched(place, f"accelerate-{rank}")["machines"]
        assert asked == {"num_machines": 3, "num_processes": 24, "machine_rank": rank, "main": "one:29500"}


def test_settings_of_one_process_are_refused_on_several_machines(place, monkeypatch):
    """accelerate would start a separate training on each machine, all in the same folder."""
    for name, value in {"MACHINES": "2", "MACHINE": "0", "MAIN": "here:29500"}.items():
        monkeypatch.setenv(name, value)
    done = run(place, "train.sh", "grpo", "one_gpu", "paper", "chart", "runs/x")
    assert done.returncode == 2 and "one_gpu is for one process" in done.stderr and not (place / "accelerate").exists()


def test_no_machine_logs_into_another():
    """accelerate's default for DeepSpeed on several machines is pdsh, which needs ssh."""
    settings = yaml.safe_load((LAUNCH / "eight_gpus.yaml").read_text())["deepspeed_config"]
    assert settings["deepspeed_multinode_launcher"] == "standard"


def test_both_steps_of_a_job_get_all_its_processors(place, monkeypatch):
    """Since Slurm 22.05 a step does not inherit --cpus-per-task from its job."""
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "48")
    done = run(place, "train.slurm", "grpo", "paper", "chart", "runs/x")
    assert done.returncode == 0, done.stderr
    assert (place / "processors").read_text().split() == ["48", "48"]


def test_sft_needs_one_node_and_no_judge(place, monkeypatch):
    monkeypatch.setenv("NODES", "one")
    done = run(place, "train.slurm", "sft", "paper", "chart", "runs/x")
    assert done.returncode == 0, done.stderr
    assert (place / "steps").read_text() == "one: bash reproduce/launch/train.sh sft eight_gpus paper chart runs/x\n"
    assert launched(place)["method"] == "sft" and not (place / "judge.pid").exists()


def test_grpo_on_one_node_and_a_judge_that_dies_are_told(place, monkeypatch):
    (place / ".venv/bin/python").write_text(f"#!/usr/bin/env bash\n{PYTHON.replace('exec sleep 600', 'exit 3')}")
    (place / "bin/curl").write_text("#!/usr/bin/env bash\nexit 7\n")
    dead = run(place, "train.slurm", "grpo", "paper", "chart", "runs/x")
    assert dead.returncode == 1 and "a judge died while starting" in dead.stderr
    monkeypatch.setenv("NODES", "one")
    alone = run(place, "train.slurm", "grpo", "paper", "chart", "runs/x")
    assert alone.returncode == 2 and "--nodes=2" in alone.stderr and not (place / "accelerate").exists()


#: Records its arguments; part 2 fails while the file `lost` exists.
RRVF = """echo "$*" >>asked
case "$*" in *"--shard 2/"*) [ ! -e lost ];; esac
"""


@pytest.fixture
def stand_in(place):
    (place / ".venv/bin/rrvf").write_text("#!/usr/bin/env bash\n" + RRVF)
    (place / ".venv/bin/rrvf").chmod(0o755)
    return place


WORDS = ["--benchmark", "charts", "--policy", "reference"]


def parts_asked(place: Path) -> list[dict]:
    """The parsed arguments of each call of rrvf so far."""
    calls = [line.split() for line in (place / "asked").read_text().splitlines()]
    commands = get_command(cli.app).commands
    return [{"command": name} | commands[name].make_context(name, rest).params for name, *rest in calls]


def test_a_job_of_an_array_evaluates_its_part_and_a_lost_one_is_submitted_alone(stand_in, monkeypatch):
    for job, count, parts in ((3, 4, None), (3, 1, "4")):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(job))
        monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", str(count))
        monkeypatch.setenv("PARTS", parts) if parts else monkeypatch.delenv("PARTS", raising=False)
        done = run(stand_in, "eval.slurm", "runs/whole", *WORDS)
        assert done.returncode == 0, done.stderr
    first, again = parts_asked(stand_in)
    assert first == again and (first["command"], first["shard"], str(first["out"])) == (
        "eval",
        "3/4",
        "runs/whole.parts/3",
    )
    assert run(stand_in, "eval.slurm").returncode != 0


class Ray(ModuleType):
    """The parts of Ray that the script uses, on this machine."""

    exceptions = SimpleNamespace(RayError=OSError)

    def remote(self, call):
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *words: (call, words)))

    def get(self, started):
        call, words = started
        return call(*words)


def test_parts_on_a_ray_cluster_are_merged_once_none_is_lost(stand_in, monkeypatch):
    spec = importlib.util.spec_from_file_location("eval_ray", LAUNCH / "eval_ray.py")
    eval_ray = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(eval_ray)
    monkeypatch.setattr(eval_ray, "RRVF", ("bash", str(stand_in / ".venv/bin/rrvf")))
    monkeypatch.setitem(sys.modules, "ray", Ray("ray"))
    monkeypatch.setattr(sys, "argv", ["eval_ray", "whole", "--parts", "3", "--", *WORDS])
    monkeypatch.chdir(stand_in)
    (stand_in / "lost").touch()
    with pytest.raises(SystemExit, match="lost part 2/3: run the same command again"):
        eval_ray.main()
    (stand_in / "lost").unlink()
    assert eval_ray.main() == 0
    asked = parts_asked(stand_in)
    assert [call.get("shard") for call in asked] == ["1/3", "2/3", "3/3"] * 2 + [None]
    merged, whole = asked[-1], stand_in / "whole"
    assert (merged["command"], merged["out"]) == ("merge", whole)
    assert [str(part) for part in merged["parts"]] == [f"{whole}.parts/{number}" for number in (1, 2, 3)]
