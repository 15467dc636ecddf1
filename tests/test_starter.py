"""The profile that `rrvf init` writes: the same settings, with a comment after each."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from rrvf import cli
from rrvf.data.config import SplitConfig
from rrvf.errors import UserError
from rrvf.profile import Section, load_profile
from rrvf.starter import comment, starter, write_starter


def classes(base: type[BaseModel]):
    return [
        c
        for sub in base.__subclasses__()
        for c in (sub, *classes(sub))
        if c.__module__.startswith(("rrvf.profile.", "rrvf.data.config"))
    ]


@pytest.mark.parametrize(
    "section", sorted({*classes(Section), *classes(SplitConfig)}, key=str), ids=lambda c: c.__name__
)
def test_every_setting_says_what_it_does(section):
    nested = {"policy", "judge", "canvas", "reward", "grpo", "sft", "rft", "evaluations", "guards"}
    silent = [name for name, field in section.model_fields.items() if not comment(field) and name not in nested]
    assert not silent, f"{section.__name__} needs a description of {silent}"


@pytest.mark.parametrize("name", ["nano", "gpu", "paper"])
def test_it_is_the_profile_it_came_from(tmp_path, name):
    known = load_profile(name)
    written = load_profile(str(write_starter(known, tmp_path / "mine.yaml")))
    back = written.model_copy(update={"name": name, "data": known.data})
    assert back.hash == known.hash and back.judge.serve == known.judge.serve
    assert load_profile(str(write_starter(written, tmp_path / "again.yaml"))).data == written.data


@pytest.mark.parametrize("name", ["nano", "gpu", "paper"])
def test_every_line_has_a_comment(name):
    bare = [line for line in starter(load_profile(name)).splitlines() if not re.search(r"  # \S", line)]
    assert not bare


def test_its_data_is_the_same_data(tmp_path):
    from rrvf.data import DataConfig

    known = load_profile("nano")
    written = load_profile(str(write_starter(known, tmp_path / "mine.yaml")))
    assert DataConfig.read(written.data) == DataConfig.read(known.data)


def test_nothing_is_written_over(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    with pytest.raises(UserError, match="exists already"):
        write_starter(load_profile("nano"), path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize(("name", "line"), [("mine.txt", "NAME.yaml"), ("my profile.yaml", "cannot name a folder")])
def test_a_name_that_no_profile_can_have_is_one_line(tmp_path, monkeypatch, capsys, name, line):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["init", name]) == 2
    assert line in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_the_command_writes_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["init", "--profile", "gpu", "mine.yaml"]) == 0
    assert capsys.readouterr().out == "mine.yaml\n" and load_profile("mine.yaml").name == "mine"
