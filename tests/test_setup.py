"""The setup: what it installs from where, what a second or an interrupted run does, and its error messages."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from machine import PYTHON, REPOSITORY, Machine
from rrvf_torchvision_cpu import Finder

from rrvf import chromium, doctor
from rrvf.errors import UserError
from rrvf.render import zygote

LOCKS = (
    "requirements.lock",
    "requirements-plot.lock",
    "requirements-gpu.lock",
    "reproduce/setup/torch-cuda.lock",
    "requirements-docs.lock",
)
PYTORCH = "--default-index https://download.pytorch.org/whl/cpu"


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (REPOSITORY / name).read_text().lower(), re.MULTILINE))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_second_set_up_installs_nothing(machine):
    assert machine.set_up().returncode == 0 and machine.calls
    second = machine.set_up()
    assert (second.returncode, machine.calls, second.stderr) == (0, [], "")


def test_a_killed_set_up_is_done_again(machine):
    assert machine.set_up(KILL="torch-cpu.lock").returncode != 0
    assert machine.set_up().returncode == 0
    assert machine.asked("torch-cpu.lock") and machine.asked("requirements.lock")


def test_a_changed_lock_rebuilds_only_its_environment(machine):
    machine.set_up()
    with (machine.root / "requirements-plot.lock").open("a") as lock:
        lock.write("# changed\n")
    machine.set_up()
    assert [call for call in machine.calls if "requirements-plot.lock" not in call] == []
    assert machine.asked("requirements-plot.lock")


def test_a_changed_pyproject_installs_only_the_package(machine):
    machine.set_up()
    with (machine.root / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    machine.set_up()
    assert len(machine.calls) == 1 and machine.calls[0].endswith("-e .")


def test_a_moved_folder_is_built_anew(machine):
    machine.set_up()
    machine.root = machine.root.rename(machine.root.with_name("elsewhere"))
    machine.set_up()
    assert machine.asked("requirements.lock")


def test_everything_but_the_package_itself_is_checked_by_hash(machine):
    assert machine.set_up().returncode == 0 and machine.calls
    assert all("--require-hashes" in call for call in machine.calls if not call.endswith("-e ."))


def test_a_local_cpu_build_of_torch_comes_first(machine):
    machine.set_up(PIP_SETTINGS="global.find-links='/wheels'")
    (torch,) = machine.asked("torch-")
    assert "--no-index --find-links /wheels" in torch and "torch-cpu.lock" in torch


def test_then_an_index_that_pip_knows(machine):
    machine.set_up(PIP_SETTINGS=":env:.extra-index-url='http://127.0.0.1/simple'")
    (torch,) = machine.asked("torch-")
    assert "--default-index http://127.0.0.1/simple" in torch and "torch-cpu.lock" in torch


def test_then_pytorchs_own_index(machine):
    machine.set_up(FAIL="--no-index /extra", PIP_SETTINGS="a.find-links='/wheels'\\na.extra-index-url='http://x/extra'")
    torch = machine.asked("torch-")
    assert len(torch) == 3 and PYTORCH in torch[-1] and "torch-cpu.lock" in torch[-1]


def test_then_the_registrys_cuda_build(machine):
    done = machine.set_up(FAIL="torch-cpu.lock")
    assert done.returncode == 0 and "CUDA build" in done.stderr
    assert "torch-cuda.lock" in machine.asked("torch-")[-1]


def test_a_gpu_takes_the_cuda_build_at_once(machine):
    machine.script(machine.bin / "nvidia-smi", "#!/bin/sh\n")
    machine.set_up()
    (torch,) = machine.asked("torch-")
    assert "torch-cuda.lock" in torch


def test_the_cpu_build_of_torch_is_replaced_where_vllm_is_wanted(machine):
    """Both builds have one version, so the installer would keep what is there."""
    machine.set_up()
    (machine.root / ".venv/lib/python3.11/site-packages/torch-2.13.0+cpu.dist-info").mkdir(parents=True)
    assert machine.set_up("image").returncode == 0
    removed, added = machine.asked("torch")[0], machine.asked("torch-cuda.lock")[-1]
    assert "uninstall" in removed and machine.calls.index(removed) < machine.calls.index(added)
    assert machine.set_up().returncode == 0 and machine.calls == []


def test_a_mirror_of_the_registry_is_used(machine):
    done = machine.set_up(PIP_SETTINGS="global.index-url='https://mirror/simple'")
    assert done.returncode == 0 and machine.asked("requirements")
    assert all("--default-index https://mirror/simple" in call for call in machine.asked("requirements"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PYTHON": "/none"}, ("Python 3.11", "install it", "PYTHON=")),
        (
            {"FAIL": "requirements.lock", "SAYS": "x: No space left on device (os error 28)"},
            ("disk is full", "make room"),
        ),
        ({"FAIL": "requirements.lock", "SAYS": "cause: dns error"}, ("cannot be reached", "check the network")),
        ({"FAIL": "requirements.lock", "SAYS": "error: Hash mismatch for x"}, ("requirements.lock", "Hash mismatch")),
        ({"NO_CHROMIUM": "1", "FAIL": "none"}, ("Chromium", "RRVF_CHROMIUM")),
    ],
)
def test_a_failure_is_one_line_with_its_mend(machine, settings, words):
    done = machine.set_up(**settings)
    told = [line for line in done.stderr.splitlines() if not re.search("building|Playwright's|fonts", line)]
    assert done.returncode != 0 and len(told) == 1, done.stderr
    assert all(word in told[0] for word in words)


def test_vllm_wants_a_gpu(machine):
    done = machine.set_up("vllm")
    assert done.returncode != 0 and "vLLM needs an NVIDIA GPU" in done.stderr


def test_vllm_is_added_where_there_is_a_gpu(machine):
    machine.script(machine.bin / "nvidia-smi", "#!/bin/sh\n")
    machine.set_up("vllm")
    assert machine.asked("requirements-gpu.lock")
    machine.set_up("vllm")
    assert machine.calls == []


def test_the_site_builder_needs_no_other_environment(machine):
    assert machine.set_up("docs").returncode == 0
    assert [call.split()[-1] for call in machine.calls] == ["requirements-docs.lock"]
    assert machine.set_up("docs").returncode == 0 and machine.calls == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash(lock):
    blocks = re.split(r"^(?=[a-z])", (REPOSITORY / lock).read_text(), flags=re.MULTILINE)[1:]
    assert blocks and all("--hash=sha256:" in block for block in blocks)


def test_the_locks_of_one_environment_share_no_package():
    main, torch, gpu = (set(pins(name)) for name in (LOCKS[0], LOCKS[3], LOCKS[2]))
    assert not main & torch and not main & gpu and not torch & gpu


def test_the_locks_of_the_plotting_runtime_and_of_torch_hold_the_pins():
    assert pins("requirements-plot.in").items() <= pins("requirements-plot.lock").items()
    torch = pins("reproduce/setup/torch-cuda.lock")["torch"]
    assert pins("reproduce/setup/torch-cpu.lock")["torch"] == f"{torch}+cpu"


def test_no_place_of_one_machine_is_written_down():
    allowed = {"download.pytorch.org", "registry.npmjs.org"}
    for path in [
        *REPOSITORY.glob("requirements*"),
        *(REPOSITORY / "reproduce" / "setup").iterdir(),
        REPOSITORY / "Makefile",
    ]:
        if path.is_file():
            assert set(re.findall(r"https?://([^/\s\"']+)", path.read_text())) <= allowed, path


def test_every_promised_target_exists():
    for target in ("setup", "reproduce", "test", "notebooks", "docs", "bench", "lint", "assets", "clean", "help"):
        subprocess.run(["make", "-n", target], cwd=REPOSITORY, check=True, capture_output=True)


def test_the_large_profiles_bring_vllm():
    def commands(profile: str) -> str:
        return subprocess.run(
            ["make", "-n", "reproduce", f"PROFILE={profile}"],
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    assert "install.sh vllm" in commands("gpu") and "install.sh vllm" not in commands("nano")


def test_torchvision_imports_beside_this_torch():
    assert importlib.import_module("torchvision.transforms").Compose
    assert importlib.import_module("transformers").Qwen2_5_VLProcessor


def test_the_hook_hides_no_other_error():
    def run(module) -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        Finder.execute(run, None)


def test_a_checkout_beside_the_installed_one_runs_its_own_code(tmp_path):
    (tmp_path / "rrvf").mkdir()
    (tmp_path / "rrvf" / "__init__.py").write_text("")
    (tmp_path / "rrvf" / "__main__.py").write_text("print('mine')")
    run = subprocess.run([sys.executable, "-m", "rrvf"], cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout == "mine\n"


@pytest.fixture
def assets(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("assets", REPOSITORY / "reproduce" / "setup" / "assets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "CACHE", tmp_path)
    monkeypatch.setattr(module, "ASSETS", tmp_path / "assets")
    monkeypatch.setattr(module, "GALLERY", tmp_path / "assets" / "matplotlib")
    monkeypatch.setattr(module, "gallery", lambda target: target.mkdir())
    monkeypatch.setattr(sys, "argv", ["assets.py"])
    return module


def archive(text: str) -> tuple[bytes, str]:
    """An npm package with one file, and its integrity hash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("package/page.html")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    data = buffer.getvalue()
    return data, "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def test_assets_are_unpacked_once(assets, monkeypatch):
    data, integrity = archive("<p>")
    fetched = []
    monkeypatch.setattr(assets, "PACKAGES", (("@scope/name", "1.0.0", integrity),))
    monkeypatch.setattr(assets, "fetched", lambda url: fetched.append(url) or data)
    assets.main()
    assets.main()
    assert (assets.ASSETS / "npm" / "scope-name-1.0.0" / "package" / "page.html").read_text() == "<p>"
    assert fetched == ["https://registry.npmjs.org/@scope/name/-/name-1.0.0.tgz"]


def test_what_is_missing_is_named_and_not_fetched(assets, monkeypatch, capsys):
    data, integrity = archive("<p>")
    monkeypatch.setattr(assets, "PACKAGES", (("name", "1.0.0", integrity),))
    monkeypatch.setattr(assets, "fetched", lambda url: data)
    monkeypatch.setattr(sys, "argv", ["assets.py", "--missing"])
    assets.main()
    assert "name 1.0.0\n" in capsys.readouterr().out and not assets.ASSETS.exists()
    monkeypatch.setattr(sys, "argv", ["assets.py"])
    assets.main()
    monkeypatch.setattr(sys, "argv", ["assets.py", "--missing"])
    capsys.readouterr()
    assets.main()
    assert capsys.readouterr().out == ""


def test_another_archive_than_the_pinned_one_is_refused(assets, monkeypatch):
    monkeypatch.setattr(assets, "PACKAGES", (("name", "1.0.0", archive("<p>")[1]),))
    monkeypatch.setattr(assets, "fetched", lambda url: archive("<script>")[0])
    with pytest.raises(SystemExit, match="not the archive that was pinned"):
        assets.main()
    assert not (assets.ASSETS / "npm").exists()


def test_no_network_is_one_line(assets, monkeypatch):
    def unreachable(url: str) -> bytes:
        raise OSError("no route to host")

    monkeypatch.setattr(assets, "fetched", unreachable)
    monkeypatch.setattr(assets.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="no route to host: check the network"):
        assets.main()


def test_a_source_archive_is_found_through_pip_s_registry_and_certificates(assets, monkeypatch):
    def run(command: list, given: str = "") -> str:
        if command[-1] == "list":
            return "global.index-url='https://mirror/simple'\nglobal.cert='/etc/own.pem'\n"
        assert "--default-index=https://mirror/simple" in command and os.environ["SSL_CERT_FILE"] == "/etc/own.pem"
        return '[[packages]]\nsdist = { url = "https://mirror/a.tar.gz" }'

    monkeypatch.setenv("SSL_CERT_FILE", "")  # so that the variable is restored after the test
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr(assets, "run", run)
    assert assets.source_archive("a==1") == "https://mirror/a.tar.gz"


def test_a_named_chromium_wins(tmp_path, monkeypatch):
    named = tmp_path / "mine"
    named.touch(mode=0o755)
    monkeypatch.setenv("RRVF_CHROMIUM", str(named))
    assert chromium.find_chromium() == str(named)
    named.unlink()
    with pytest.raises(UserError, match="correct it or unset it"):
        chromium.find_chromium()


def test_a_snap_is_no_chromium(tmp_path, monkeypatch):
    stub = tmp_path / "chromium-browser"
    stub.write_text("#!/bin/sh\nexec /snap/bin/chromium\n")
    stub.chmod(0o755)
    monkeypatch.delenv("RRVF_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "DOWNLOADS", ())
    with pytest.raises(UserError, match="make setup"):
        chromium.find_chromium()


def test_the_doctor_reports_what_nobody_foresaw():
    def broken() -> doctor.Check:
        raise OSError("strange")

    assert doctor._guarded(broken) == doctor.Check("broken", "missing", "OSError: strange", mend=doctor.SETUP)


@pytest.mark.parametrize(("state", "ready"), [("ok", True), ("weaker", True), ("missing", False)])
def test_only_what_is_missing_stops_the_cpu_profile(monkeypatch, state, ready):
    monkeypatch.setattr(doctor, "checks", lambda: [doctor.Check("thing", state, "found", "a cost", "a mend")])
    text, healthy = doctor.report()
    assert healthy is ready and "a cost" in text and "a mend" in text


def test_the_doctor_sees_a_wrong_plotting_runtime(monkeypatch):
    monkeypatch.setattr(doctor, "_output", lambda *_: "matplotlib==3.9.0\nnumpy==1.26.1")
    check = doctor.plotting()
    assert check.state == "missing" and "matplotlib==3.8.4" in check.found and "numpy" not in check.found


def test_root_s_private_umask_leaves_the_runtime_to_others(machine):
    fonts = machine.root / ".venv-plot" / "fonts"
    machine.script(
        machine.bin / "python3.11",
        PYTHON.replace('mkdir -p "$env/bin"', 'mkdir -p "$env/bin"; mkdir -m 700 "$env/fonts"'),
    )
    machine.set_up(umask=0o077)
    assert (machine.root / ".venv-plot").stat().st_mode & 0o005 == 0o005 and fonts.stat().st_mode & 0o005 == 0o005


def test_charts_are_drawn_under_a_private_umask(tmp_path):
    (tmp_path / "a.py").write_text("import matplotlib.pyplot as plt\nplt.plot([1, 2])")
    command = [sys.executable, "-m", "rrvf", "render", "chart", "a.py", "--out", "a.png"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, umask=0o077)
    assert done.returncode == 0


def test_a_runtime_that_only_root_can_read_is_named(tmp_path, monkeypatch):
    runtime = tmp_path / "runtime"
    font = runtime / "lib/python3.11/site-packages/matplotlib/mpl-data/fonts/ttf/DejaVuSans.ttf"
    font.parent.mkdir(parents=True)
    font.touch(0o600)
    monkeypatch.setattr(zygote.os, "geteuid", lambda: 0)
    with pytest.raises(UserError, match="chmod -R a\\+rX"):
        zygote._check_readable(runtime)
    font.chmod(0o644)
    zygote._check_readable(runtime)


def test_the_doctor_names_a_folder_that_the_browser_may_not_enter(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.os, "geteuid", lambda: 0)
    tmp_path.chmod(0o755)
    private = tmp_path / "private"
    (private / "tmp").mkdir(parents=True)
    private.chmod(0o700)
    assert doctor.closed_folder(Path("/")) is None
    assert doctor.closed_folder(private) and doctor.closed_folder(private / "tmp")
