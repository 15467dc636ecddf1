"""The command line: exit codes, one-line errors, JSON on request."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from PIL import Image, ImageDraw

COMMANDS = ["render", "extract", "score", "judge", "data", "train", "eval", "report", "doctor"]


def rrvf(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "rrvf", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def pictures(tmp_path):
    paths = []
    for i, colour in enumerate(("navy", "orange")):
        picture = Image.new("RGB", (280, 224), "white")
        ImageDraw.Draw(picture).rectangle((40 + 90 * i, 60, 120 + 90 * i, 200), fill=colour)
        picture.save(tmp_path / f"{i}.png")
        paths.append(tmp_path / f"{i}.png")
    return paths


def test_help_lists_every_command():
    shown = rrvf("--help").stdout
    assert all(command in shown for command in COMMANDS)


@pytest.mark.parametrize("command", [["render"], ["eval"], ["judge", "compare"], ["train", "grpo"], ["score", "web"]])
def test_help_has_an_example(command):
    assert "Example: rrvf" in rrvf(*command, "--help").stdout


def test_a_render_is_reported_as_json(tmp_path):
    script, out = tmp_path / "a.py", tmp_path / "out" / "a.png"
    script.write_text("import matplotlib.pyplot as plt\nplt.plot([1, 2])")
    done = rrvf("render", "chart", script, "--out", out, "--json")
    record = json.loads(done.stdout)
    assert done.returncode == 0 and out.is_file()
    assert set(record) == {"status", "reason", "message", "seconds", "width", "height"}


def test_a_render_that_fails_exits_with_1(tmp_path):
    (tmp_path / "a.py").write_text("1 / 0")
    done = rrvf("render", "chart", tmp_path / "a.py", "--out", tmp_path / "a.png")
    assert done.returncode == 1 and "ZeroDivisionError" in done.stdout and not (tmp_path / "a.png").exists()


def test_a_comparison_gives_score_parts_and_feedback(pictures):
    done = rrvf("judge", "compare", *pictures, "--json")
    assert done.returncode == 0 and set(json.loads(done.stdout)) == {"status", "score", "parts", "feedback"}


def test_a_judge_that_is_not_there_is_a_judge_error(pictures):
    done = rrvf("judge", "compare", *pictures, "--url", "http://127.0.0.1:9/v1", "--json")
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("render", "chart", "/nonexistent.py", "--out", "/tmp/x.png"),
        ("data", "verify", "--profile", "nowhere"),
        ("eval", "--benchmark", "nothing", "--policy", "blank", "--out", "/tmp/x"),
        ("train", "grpo", "--out", "/tmp/x", "--section", "nothing"),
        ("score", "chartmimic", "/nonexistent", "--out", "/tmp/x.json"),
        ("judge", "compare", "/nonexistent.png", "/nonexistent.png"),
    ],
    ids=["render", "profile", "eval", "train", "score", "judge"],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments):
    done = rrvf(*arguments)
    assert done.returncode == 2 and done.stderr.startswith("rrvf: ") and done.stderr.count("\n") == 1


def test_a_profile_with_an_unknown_key_names_it(tmp_path):
    (tmp_path / "p.yaml").write_text("name: p\npolicy: {model: nano}\nreward: {preset: paper_abs, weight: 3}\n")
    done = rrvf("data", "verify", "--profile", tmp_path / "p.yaml")
    assert done.returncode == 2 and "reward.weight" in done.stderr
