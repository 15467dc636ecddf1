"""The command line: exit codes, one-line errors, JSON on request."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys

import pytest
from machine import REPOSITORY
from PIL import Image, ImageDraw

from rrvf import cli
from rrvf.environment import SETTINGS
from rrvf.places import PACKAGE
from rrvf.profile import load_profile

COMMANDS = "render redraw extract judge data init plan train eval merge report score setup doctor clean".split()


@pytest.fixture
def rrvf(capsys):
    """Runs a command in this process and returns its exit code and standard output."""
    return lambda *arguments: (cli.run([str(a) for a in arguments]), capsys.readouterr().out)


@pytest.fixture
def pictures(tmp_path):
    paths = []
    for i, colour in enumerate(("navy", "orange")):
        picture = Image.new("RGB", (280, 224), "white")
        ImageDraw.Draw(picture).rectangle((40 + 90 * i, 60, 120 + 90 * i, 200), fill=colour)
        picture.save(tmp_path / f"{i}.png")
        paths.append(tmp_path / f"{i}.png")
    return paths


def test_help_lists_every_command(rrvf):
    code, shown = rrvf("--help")
    commands = shown.partition("Commands:\n")[2].partition("\n\n")[0]
    assert code == 0 and re.findall(r"^  (\w+) ", commands, re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("command", [["render"], ["eval"], ["judge", "compare"], ["train", "grpo"], ["score", "web"]])
def test_help_has_an_example(rrvf, command):
    code, shown = rrvf(*command, "--help")
    assert code == 0 and "Example: rrvf" in shown


def test_a_render_is_reported_as_json(rrvf, tmp_path):
    script, out = tmp_path / "a.py", tmp_path / "out" / "a.png"
    script.write_text("import matplotlib.pyplot as plt\nplt.plot([1, 2])")
    code, shown = rrvf("render", "chart", script, "--out", out, "--json")
    assert code == 0 and out.is_file()
    assert set(json.loads(shown)) == {"status", "reason", "message", "seconds", "width", "height"}


def test_a_render_that_fails_exits_with_1(rrvf, tmp_path):
    (tmp_path / "a.py").write_text("1 / 0")
    code, shown = rrvf("render", "chart", tmp_path / "a.py", "--out", tmp_path / "a.png")
    assert code == 1 and "ZeroDivisionError" in shown and not (tmp_path / "a.png").exists()


def test_a_comparison_gives_score_parts_and_feedback(rrvf, pictures):
    code, shown = rrvf("judge", "compare", *pictures, "--json")
    assert code == 0 and set(json.loads(shown)) == {"status", "score", "parts", "feedback"}


def test_a_judge_that_is_not_there_is_a_judge_error(rrvf, pictures):
    code, shown = rrvf("judge", "compare", *pictures, "--url", "http://127.0.0.1:9/v1", "--json")
    assert code == 1
    assert json.loads(shown) == {"status": "judge_error", "reason": "unreachable: no connection to the judge"}


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Runs a command that must fail as bad input and returns its line of error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("import matplotlib.pyplot as plt\nplt.plot([1, 2])")

    def run(*arguments: object) -> str:
        assert cli.run([str(a) for a in arguments]) == 2
        said = capsys.readouterr().err
        assert said.startswith("rrvf: ") and said.count("\n") == 1
        return said

    return run


BAD_INPUT = [
    ("render chart none.py --out x.png", "no file at none.py"),
    ("render chart a.py --out .", "is a folder"),
    ("render chart a.py --out a.py/x.png", "a.py is a file"),
    ("render chart a.py --out /proc/none/x.png", "cannot write to /proc/none"),
    ("render chart . --out a.py", "a.py is a file"),
    ("render chart a.py --out x.png --timeout -1", "'--timeout'"),
    ("render chart a.py --out x.png --timeout nan", "'--timeout'"),
    ("render chart . --out x --workers 0", "'--workers'"),
    ("render picture a.py --out x.png", "'chart', 'svg', 'web'"),
    ("render", "domain"),
    ("rendr", "No such command"),
    ("extract . --out .", "is a folder"),
    ("score chartmimic none --out x.json", "none"),
    ("score web . --out /proc/none/x.json", "cannot write"),
    ("judge compare none.png none.png", "none.png"),
    ("judge compare a.py a.py --repeats 0", "'--repeats'"),
    ("judge serve --port 99999", "65535"),
    ("data verify --profile nowhere", "nano"),
    ("train grpo --out x --section nothing", "no grpo called 'nothing'"),
    ("train grpo --out x --max-steps 0", "'--max-steps'"),
    ("train sft --out a.py", "a.py is a file"),
    ("train sft --out x --seed -1", "'--seed'"),
    ("train grpo --out x --start ./nothing", "no model at './nothing'"),
    ("train grpo --out x --start http://localhost:9/v1", "a served model cannot be trained"),
    ("train grpo --out x --pictures nothing", "no folder at nothing"),
    ("plan --policy-gpus -1", "'--policy-gpus'"),
    ("eval --benchmark nothing --policy blank --out x", "no evaluations called 'nothing'"),
    ("eval --benchmark charts --policy blank --out a.py", "a.py is a file"),
    ("eval --benchmark charts --policy runs/mine/final --out x", "no model at 'runs/mine/final'"),
    ("eval --benchmark charts --policy localhost:8000/v1 --out x", "a URL like http://"),
    ("train grpo --out x --start gpt2", "a URL like http://"),
    ("redraw none.png --out x", "none.png"),
    ("eval --benchmark charts --policy blank --out x --limit 0", "'--limit'"),
    ("report none", "no folder none"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT)
def test_bad_input_is_one_line_and_exit_code_2(refused, arguments, words):
    assert words in refused(*arguments.split())


def test_bad_input_is_refused_before_torch_is_loaded(refused):
    commands = [arguments.split() for arguments, _ in BAD_INPUT]
    code = f"import sys\nfrom rrvf import cli\nfor words in {commands}:\n    cli.run(words)\n    assert 'torch' not in sys.modules, words"
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, check=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: p\npolicy: {model: nano}\nreward: {preset: paper_abs, weight: 3}", ["reward.weight"]),
        ("name: p\npolicy: {modl: nano}", ["policy.modl", "perhaps model is meant", "policy.model is missing"]),
        ("name: p\npolicy: {model: nano}\ndata: {t: {kind: gallery, cout: 3}}", ["data.t.gallery.cout", "count"]),
        ("name: p\npolicy:\n  model: [nano\nx: y", ["line 4", "YAML"]),
        ("name: p\npolicy:\n  model: a\n  model: b", ["line 4", "the key model appears twice"]),
        ("name: ../../evil\npolicy: {model: nano}", ["name", "../../evil"]),
        ("name: p\npolicy: {model: nano}\ndata: {../x: {kind: gallery}}", ["../x"]),
        ("name: p\npolicy: {model: nano}\njudge: {max_in_flight: 0}", ["judge.max_in_flight", "1"]),
        ("", ["no settings"]),
        ("name: caf\xe9", ["line 1", "UTF-8"]),
    ],
)
def test_a_wrong_profile_is_named_with_the_key_or_the_line(refused, tmp_path, text, words):
    (tmp_path / "p.yml").write_text(text, encoding="latin-1")
    said = refused("data", "verify", "--profile", "p.yml")
    assert "p.yml" in said or "data." in said
    assert all(word in said for word in words), said


@pytest.mark.parametrize("suffix", ["yaml", "yml", "txt"])
def test_a_profile_may_have_any_suffix(tmp_path, suffix):
    (tmp_path / f"p.{suffix}").write_text("\ufeffname: p\npolicy: {model: nano}", encoding="utf-8")
    assert load_profile(str(tmp_path / f"p.{suffix}")).name == "p"


def test_a_terminal_without_umlauts_gets_the_line_too(tmp_path):
    command = [sys.executable, "-m", "rrvf", "data", "verify", "--profile", str(tmp_path / "ü.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "xfc.yaml" in done.stderr


def test_a_full_disk_is_one_line(refused, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "x.png")

    monkeypatch.setattr("rrvf.render.files.render_file", full)
    assert "x.png: No space left on device" in refused("render", "chart", "a.py", "--out", "x.png")


def test_a_disk_that_fills_up_under_an_open_file_is_one_line(refused, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rrvf.render.files.render_file", full)
    assert "cannot write: No space left on device" in refused("render", "chart", "a.py", "--out", "x.png")


def test_every_environment_variable_that_is_read_stands_in_the_help(rrvf):
    _, shown = rrvf("--help")
    internal = {"MPLCONFIGDIR", "PATH", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"}  # of the sandbox and of torchrun
    internal |= {"ACCELERATE_USE_DEEPSPEED"}  # set by `accelerate launch`
    read = {
        name
        for path in PACKAGE.rglob("*.py")
        for name in re.findall(r"os\.environ(?:\.get\(|\[)\"(\w+)\"", path.read_text(encoding="utf-8"))
    }
    assert read - internal <= set(SETTINGS) and all(name in shown for name in SETTINGS)
