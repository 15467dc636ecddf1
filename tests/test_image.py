"""The text of the Dockerfile: base, layers, user and excluded files. The image is not built here (`make image`)."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from machine import REPOSITORY, Machine

SETUP = REPOSITORY / "reproduce" / "setup"


def steps() -> list[tuple[str, str]]:
    """(instruction, arguments) of each line of the Dockerfile, without comments and with continued lines joined."""
    text = re.sub(r"^#.*\n", "", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


STEPS = steps()
KINDS = [kind for kind, _ in STEPS]


def words(kind: str) -> list[str]:
    return [rest for found, rest in STEPS if found == kind]


def at(kind: str, part: str) -> int:
    """The index of the step with this instruction that contains `part`."""
    return next(i for i, (found, rest) in enumerate(STEPS) if found == kind and part in rest)


def copied_before_the_environments() -> list[Path]:
    """The files of the repository that are copied before the environments are built."""
    names = []
    for kind, rest in STEPS[: at("RUN", "install.sh")]:
        if kind == "COPY":
            names += [name for name in rest.split()[:-1] if not name.startswith("--")]
    paths = [path for name in names for path in REPOSITORY.glob(name)]
    return [file for path in paths for file in ([path] if path.is_file() else path.iterdir()) if file.is_file()]


def test_the_base_is_debian_12_and_may_be_another():
    assert STEPS[0] == ("ARG", "BASE=debian:12-slim") and STEPS[1] == ("FROM", "${BASE}")
    assert KINDS.count("FROM") == 1


@pytest.mark.parametrize(
    "package", "gcc python3.11 python3.11-dev python3.11-venv chromium-headless-shell fonts-liberation fonts-dejavu tini make".split()
)  # fmt: skip
def test_the_system_has_what_runs_need(package):
    install = words("RUN")[0]
    assert (
        package in install.split() and "--no-install-recommends" in install and "rm -rf /var/lib/apt/lists" in install
    )


def test_it_runs_as_a_user_without_rights_under_an_init():
    assert KINDS.index("USER") < at("RUN", "install.sh") and "root" not in words("USER")
    assert json.loads(words("ENTRYPOINT")[0]) == ["/usr/bin/tini", "--"]
    assert json.loads(words("CMD")[0]) == ["make", "reproduce"]
    assert all("--chown=rrvf:rrvf" in copy for copy in words("COPY"))


def test_it_asks_for_gpus_and_the_doctor_watches():
    settings = dict(part.split("=", 1) for rest in words("ENV") for part in rest.split())
    assert settings["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert {"compute", "utility"} <= set(settings["NVIDIA_DRIVER_CAPABILITIES"].split(","))
    assert '["rrvf", "doctor"]' in words("HEALTHCHECK")[0]


def test_a_change_of_code_makes_the_last_layer_anew_and_no_other():
    layers = [i for i, kind in enumerate(KINDS) if kind in ("RUN", "COPY", "ADD")]
    assert STEPS[layers[-1]][1].split()[-2:] == [".", "."]
    code = [path for path in copied_before_the_environments() if "setup" not in path.parts]
    few = {"__init__.py", "chromium.py", "errors.py", "pyproject.toml"}
    assert {path.name for path in code} == few | {path.name for path in REPOSITORY.glob("requirements*.lock")}


def test_all_that_environments_are_made_of_is_there_before_the_code():
    there = {str(path.relative_to(REPOSITORY)) for path in copied_before_the_environments()}
    for line in re.findall(r"\$\(stamp (.*)\)$", (SETUP / "install.sh").read_text(), re.MULTILINE):
        for pattern in line.replace("$locks", "reproduce/setup").split():
            assert fnmatch.filter(there, pattern), pattern


def test_the_package_installs_before_its_code_is_there(tmp_path, monkeypatch):
    """As an editable install, for which pip needs only these files."""
    hatchling = pytest.importorskip("hatchling.build")
    for file in copied_before_the_environments():
        target = tmp_path / "rrvf" / file.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    (tmp_path / "rrvf" / "README.md").touch()
    monkeypatch.chdir(tmp_path / "rrvf")
    assert hatchling.build_editable(str(tmp_path)).endswith(".whl")


def test_the_browser_is_found_by_the_files_that_are_there(tmp_path):
    for name in ("__init__", "chromium", "errors"):
        (tmp_path / "rrvf").mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / "rrvf" / f"{name}.py", tmp_path / "rrvf")
    browser = Machine.script(None, tmp_path / "browser", "#!/bin/sh\n")
    done = subprocess.run(
        ["python3", "-S", "-m", "rrvf.chromium"], cwd=tmp_path, env=os.environ | {"RRVF_CHROMIUM": str(browser), "PYTHONPATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == str(browser), done.stderr


def test_an_image_gets_cuda_and_vllm_where_no_gpu_is_seen_and_is_finished_then(tmp_path):
    machine = Machine(tmp_path)
    assert machine.set_up("image").returncode == 0
    assert (
        machine.asked("torch-cuda.lock") and machine.asked("requirements-gpu.lock") and not machine.asked("torch-cpu")
    )
    for command in ("vllm", ""):  # the arguments of `make reproduce` in the container, with a GPU and without
        assert machine.set_up(*filter(None, [command])).returncode == 0 and machine.calls == []


def ignored(path: str) -> bool:
    patterns = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    parts = path.split("/")
    heads = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    anywhere = [p[3:] for p in patterns if p.startswith("**/")]
    return any(fnmatch.fnmatch(head, p) for head in heads for p in patterns if "/" not in p and "/" not in head) or any(
        fnmatch.fnmatch(part, p) for part in parts for p in anywhere
    )


@pytest.mark.parametrize(
    "path", [".git/config", ".venv/bin/python", ".venv-plot/x", ".venv-vllm/x", ".cache/assets/x", "runs/gpu/x", "data/x", ".env", "a/.env",
             "server.pem", "x/y.key", ".netrc", "rrvf/__pycache__/x.pyc", "rrvf.log"],
)  # fmt: skip
def test_what_is_large_or_secret_stays_outside(path):
    assert ignored(path)


def test_all_that_is_committed_comes_in_but_what_the_forge_reads():
    if not (REPOSITORY / ".git").exists():
        pytest.skip("no repository here")
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert [path for path in listed.splitlines() if ignored(path) and not path.startswith((".ci/", ".github/"))] == []


def test_no_secret_is_written_down():
    text = (REPOSITORY / "Dockerfile").read_text()
    assert not [rest for kind, rest in STEPS if kind in ("ARG", "ENV") and re.search("TOKEN|KEY|SECRET|PASSWORD", rest)]
    assert not re.search(r"https?://[^\s/]*@", text)


@pytest.mark.parametrize(
    ("engines", "began"),
    [
        (["docker", "podman"], "docker build"),
        (["docker-without-daemon", "podman"], "podman build --format docker"),
        (["podman", "buildah"], "podman build --format docker"),
        (["buildah"], "buildah build --format docker"),
    ],
)
def test_the_engine_that_is_there_builds_it(tmp_path, engines, began):
    machine = Machine(tmp_path)
    for engine in engines:
        name, _, dead = engine.partition("-")
        machine.script(machine.bin / name, f"#!/usr/bin/env bash\n{'exit 1' if dead else f'echo {name} $*'}\n")
    done = image(machine, "--pull", BASE="debian@sha256:abc")
    assert done.stdout.startswith(began) and "--tag rrvf --build-arg BASE=debian@sha256:abc --pull ." in done.stdout


def test_without_an_engine_one_line_says_what_to_install(tmp_path):
    done = image(Machine(tmp_path))
    assert done.returncode == 1 and "apt install buildah" in done.stderr and done.stderr.count("\n") == 1


def image(machine: Machine, *options: str, **settings: str) -> subprocess.CompletedProcess:
    script = machine.root / "reproduce" / "setup" / "image.sh"
    return subprocess.run(
        ["bash", script, *options],
        env={"PATH": str(machine.bin)} | settings,
        capture_output=True,
        text=True,
        check=False,
    )
