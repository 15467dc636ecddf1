"""mypy and ruff find typical errors, and find none in this project."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from machine import REPOSITORY

pytest.importorskip("mypy")
MISTAKES = {
    "mistake_0.py": ("from rrvf.report import write_report", "attr-defined"),
    "mistake_1.py": ("from rrvf.records import Sample\n\ndef image(s: Sample): return s.picture", "attr-defined"),
    "mistake_2.py": ("from rrvf.pictures import misfit\nmisfit(1, 2, 3)", "call-arg"),
}


@pytest.fixture(scope="module")
def errors(tmp_path_factory) -> list[str]:
    """The errors that mypy finds in the project and in files with MISTAKES, checked together."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name, (code, _) in MISTAKES.items():
        (folder / name).write_text(code)
    command = [sys.executable, "-m", "mypy", "rrvf", "reproduce", *map(str, folder.iterdir())]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr  # 2: it did not run to its end
    return [line for line in done.stdout.splitlines() if ": error: " in line]


def of_mistakes(error: str) -> bool:
    # By file name: mypy's cache may still have the folder of an earlier run.
    return Path(error.partition(":")[0]).name in MISTAKES


def test_the_project_is_free_of_type_errors(errors):
    assert [error for error in errors if not of_mistakes(error)] == []


@pytest.mark.parametrize("words", [["check"], ["format", "--check"]], ids=" ".join)
def test_the_project_keeps_its_rules(words):
    pytest.importorskip("ruff")
    done = subprocess.run([sys.executable, "-m", "ruff", *words, "."], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_names_attributes_and_arguments_that_are_not_there_are_found(errors):
    found = [re.fullmatch(r".*/(mistake_\d.py):.*\[(.+)\]", error).groups() for error in errors if of_mistakes(error)]
    assert sorted(found) == [(name, kind) for name, (_, kind) in MISTAKES.items()]
