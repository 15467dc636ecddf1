"""The built wheel outside a checkout: read-only, under a path with spaces, in another folder, as another user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from test_judge_client import FakeJudge

from rrvf import runtime
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.places import plot_runtime
from rrvf.protocol import answer_text
from rrvf.render.zygote import plot_python

ROOT = Path(__file__).parent.parent
CODE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])"
#: Runs all commands in one process and prints their exit codes.
SCRIPT = """
import json, sys
from rrvf import cli, places
assert places.CHECKOUT is None, places.PACKAGE
print(json.dumps({name: cli.run(words) for name, words in json.loads(sys.argv[1]).items()}), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The wheel, built from the source archive and unpacked in a read-only folder."""
    place = tmp_path_factory.mktemp("a place with spaces")
    build = [sys.executable, "-m", "hatchling", "build", "-d", place]
    subprocess.run([*build, "-t", "sdist"], cwd=ROOT, check=True)
    with tarfile.open(next(place.glob("*.tar.gz"))) as archive:
        archive.extractall(place / "source")
    subprocess.run([*build, "-t", "wheel"], cwd=next((place / "source").iterdir()), check=True)
    with zipfile.ZipFile(next(place.glob("*.whl"))) as wheel:
        wheel.extractall(place / "site")
    for path in (place / "site", *(place / "site").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return place / "site"


def run(site: Path, folder: Path, commands: dict[str, list[str]], **settings) -> tuple[dict[str, int], str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1",
                   "XDG_CACHE_HOME": str(folder / "cache"), "RRVF_PLOT_PYTHON": str(plot_python())}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)],
        cwd=folder, env=environment | settings, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr.splitlines()[-1]), done.stdout + done.stderr


def test_the_commands_work_without_a_checkout(site, tmp_path):
    (tmp_path / "plot.py").write_text(CODE)
    for i in range(2):
        picture = Image.new("RGB", (280, 224), "white")
        ImageDraw.Draw(picture).rectangle((40 + 9 * i, 60, 120, 200), fill="navy")
        picture.save(tmp_path / f"{i}.png")
    server = FakeJudge()
    server.says(answer_text(CODE, CHART))
    commands = {
        "help": ["--help"],
        "init": ["init", "--profile", "gpu", "mine.yaml"],
        "plan": ["plan", "--profile", "gpu"],
        "render": ["render", "chart", "plot.py", "--out", "plot.png"],
        "compare": ["judge", "compare", "0.png", "1.png"],
        "redraw": ["redraw", "0.png", "--policy", f"{server.url}/v1#m", "--out", "redrawn"],
    }
    codes, _ = run(site, tmp_path, commands)
    server.server.shutdown(), server.server.server_close()
    assert codes == dict.fromkeys(commands, 0)
    assert (tmp_path / "plot.png").is_file() and (tmp_path / "redrawn" / "answer.py").read_text() == CODE


def test_what_is_missing_is_named_with_the_command_that_builds_it(site, tmp_path):
    (tmp_path / "plot.py").write_text(CODE)
    commands = {"render": ["render", "chart", "plot.py", "--out", "plot.png"]}
    codes, told = run(
        site, tmp_path, commands, RRVF_PLOT_PYTHON=str(tmp_path / "cache" / "rrvf" / "plot" / "bin" / "python")
    )
    assert codes["render"] == 2 and "run `rrvf setup`" in told and "rrvf/plot" in told


def test_all_that_profiles_and_commands_read_is_in_the_wheel(site):
    shipped = {str(p.relative_to(site)) for p in site.rglob("*") if p.is_file()}
    ours = {str(p.relative_to(ROOT)) for p in (ROOT / "rrvf").rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert ours and ours <= shipped
    assert {f"rrvf/shipped/profiles/{name}.yaml" for name in ("nano", "gpu", "paper")} <= shipped


@pytest.fixture
def steps(monkeypatch):
    """Records the commands of a build, and creates the files that `venv` creates."""
    done = []

    def run(trouble, *command, **environment):
        done.append([str(word) for word in command])
        if "venv" in done[-1]:
            python = Path(done[-1][-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.write_text("")
            python.chmod(0o700)

    monkeypatch.setattr(runtime, "_run", run)
    return done


def test_a_runtime_is_built_from_the_lock_and_readable_by_everybody(steps, tmp_path):
    built = runtime.build(runtime=tmp_path / "of mine" / "plot")
    assert built == tmp_path / "of mine" / "plot" and (built / "bin" / "python").stat().st_mode & 0o055 == 0o044
    installs = next(words for words in steps if "install" in words)
    assert "--require-hashes" in installs and installs[-1].endswith("requirements-plot.lock")


def test_a_finished_runtime_is_left_alone(steps, tmp_path):
    runtime.build(runtime=tmp_path / "plot")
    steps.clear()
    runtime.build(runtime=tmp_path / "plot")
    assert not steps


def test_a_lock_that_changed_is_another_runtime_and_the_first_is_named(steps, tmp_path):
    first, second = tmp_path / "first.lock", tmp_path / "second.lock"
    first.write_text("numpy==1.26.1"), second.write_text("numpy==1.26.4")
    places_of = [tmp_path / plot_runtime(lock).name for lock in (first, second)]
    built = [runtime.build(lock, place) for lock, place in zip((first, second), places_of, strict=True)]
    assert len(set(built)) == 2 and all((place / "bin" / "python").is_file() for place in built)
    assert runtime.others(built[1]) == [built[0]]


def test_a_runtime_whose_interpreter_is_gone_is_built_again(steps, tmp_path):
    built = runtime.build(runtime=tmp_path / "plot")
    (built / "bin" / "python").unlink(), (built / "bin" / "python").symlink_to(tmp_path / "gone")
    assert (runtime.build(runtime=tmp_path / "plot") / "bin" / "python").is_file()


def test_a_step_that_fails_leaves_no_runtime_and_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "sys", type("Sys", (), {"executable": "/bin/false"}))
    with pytest.raises(UserError, match="cannot make a virtual environment"):
        runtime.build(runtime=tmp_path / "plot")
    assert not (tmp_path / "plot").exists()
