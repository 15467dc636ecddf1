"""mypy and ruff find typical errors, and find none in this project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from machine import REPOSITORY

pytest.importorskip("mypy")


def checked(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "mypy", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)


def test_the_project_is_free_of_type_errors():
    done = checked()
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("words", [["check"], ["format", "--check"]], ids=" ".join)
def test_the_project_keeps_its_rules(words):
    pytest.importorskip("ruff")
    done = subprocess.run([sys.executable, "-m", "ruff", *words, "."], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_it_finds_names_attributes_and_arguments_that_are_not_there(tmp_path):
    mistakes = [
        ("from rrvf.report import write_report", "attr-defined"),
        ("from rrvf.records import Sample\n\ndef image(s: Sample): return s.picture", "attr-defined"),
        ("from rrvf.pictures import misfit\nmisfit(1, 2, 3)", "call-arg"),
    ]
    for number, (mistake, _) in enumerate(mistakes):
        (tmp_path / f"mistake_{number}.py").write_text(mistake)
    told = checked(*(str(path) for path in sorted(tmp_path.iterdir()))).stdout.splitlines()
    # By file name: mypy's cache may still have the folder of an earlier run.
    lines = sorted((line for line in told if ": error: " in line), key=lambda line: Path(line.partition(":")[0]).name)
    assert len(lines) == len(mistakes), told
    for number, (line, (_, found)) in enumerate(zip(lines, mistakes, strict=True)):
        assert f"mistake_{number}.py" in line and found in line
