"""Equal splits are stored once, and finished splits are neither built again nor deleted."""

from __future__ import annotations

import pytest
from data_stub import StubRenderer, item, png

from rrvf.data import load_split, prepare, split_digest, verify, write_split
from rrvf.data.build import recipe
from rrvf.data.config import DataConfig
from rrvf.errors import UserError

SPLIT = {"kind": "generated_charts", "count": 3, "seed": 1_000_000, "pretraining": 1}


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    monkeypatch.setattr("rrvf.data.build.Renderer", StubRenderer)
    monkeypatch.setattr(StubRenderer, "rendered", [])


def made(section, data, profile):
    """Prepare a profile's splits as a study does."""
    return prepare(section, data / profile, progress=False, store=data / "splits")


def test_two_profiles_share_what_is_equal_under_their_own_names(tmp_path):
    made({"one": SPLIT}, tmp_path, "a")
    made({"two": SPLIT}, tmp_path, "b")
    assert len(StubRenderer.rendered) == 3
    assert load_split("two", tmp_path / "b")[0].split == "two"
    assert split_digest("one", tmp_path / "a") == split_digest("two", tmp_path / "b")


@pytest.mark.parametrize("mine", [True, False], ids=["in its place", "of another profile"])
def test_a_split_of_before_the_store_is_taken_over(tmp_path, mine):
    before = tmp_path / ("b" if mine else "a")
    write_split("one", "chart", [item("x")] * 1, before, recipe("one", DataConfig.read({"one": SPLIT})))
    assert made({"one": SPLIT}, tmp_path, "b") == {"one": 1}
    assert StubRenderer.rendered == [] and load_split("one", before)[0].id == "x"


def test_a_damaged_split_of_another_profile_is_left_alone(tmp_path):
    write_split("one", "chart", [item("x")], tmp_path / "a", recipe("one", DataConfig.read({"one": SPLIT})))
    (tmp_path / "a" / "one" / "x.png").write_bytes(png("another"))
    assert made({"one": SPLIT}, tmp_path, "b") == {"one": 3}
    assert not (tmp_path / "a" / "one").is_symlink()


def test_what_another_recipe_made_is_kept_beside(tmp_path):
    write_split("one", "chart", [item("x")], tmp_path / "a", "another recipe")
    made({"one": SPLIT}, tmp_path, "a")
    made({"one": SPLIT | {"count": 2}}, tmp_path, "a")
    kept = sorted(len(load_split(p.name, p.parent)) for p in (tmp_path / "splits").iterdir() if p.is_dir())
    assert kept == [1, 2, 3] and len(load_split("one", tmp_path / "a")) == 2


def test_a_later_split_that_avoids_more_makes_another_recipe():
    """All splits of a domain avoid the pre-training pictures that any of them names."""
    later = {"kind": "generated_charts", "count": 3, "seed": 2_000_000}
    alone, same, more = (
        recipe("one", DataConfig.read({"one": SPLIT} | rest))
        for rest in ({}, {"two": later | {"pretraining": 1}}, {"two": later | {"pretraining": 60}})
    )
    assert alone == same != more


def test_only_the_splits_that_are_asked_for_are_built(tmp_path):
    section = {"one": SPLIT, "gallery": {"kind": "gallery"}}
    assert prepare(section, tmp_path, progress=False, names=["one"]) == {"one": 3}
    with pytest.raises(UserError, match="no split gallery"):
        verify(section, tmp_path)


def test_what_to_remove_is_the_split_and_not_the_link(tmp_path):
    made({"one": SPLIT}, tmp_path, "a")
    picture = load_split("one", tmp_path / "a")[0].image
    (tmp_path / "a" / "one" / picture).write_bytes(png("another"))
    with pytest.raises(UserError, match=f"remove {tmp_path}/splits/"):
        made({"one": SPLIT}, tmp_path, "a")
