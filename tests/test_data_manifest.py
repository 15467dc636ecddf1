"""A split on disk is complete, and a change in it is found."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from data_stub import item, png

from rrvf.data import load_split, read_image, split_digest, verify_split, write_split
from rrvf.errors import UserError


@pytest.fixture
def root(tmp_path):
    write_split("train", "chart", [item("a"), item("b/c"), item("d", code=None)], tmp_path, "made so")
    return tmp_path


def test_a_split_reads_back_as_it_was_written(tmp_path):
    written = write_split("s", "web", [item("x/1", "<p>é</p>"), item("x/0", None)], tmp_path)
    assert load_split("s", tmp_path) == written
    assert [s.id for s in written] == ["x/1", "x/0"]
    assert (tmp_path / "s" / written[0].code).read_text(encoding="utf-8") == "<p>é</p>"
    assert written[1].code is None


def test_a_picture_is_read_as_rgb_rows_and_columns(root):
    picture = read_image(load_split("train", root)[0], root)
    assert picture.shape == (64, 64, 3) and picture.dtype == np.uint8


def test_an_interrupted_write_leaves_nothing_that_looks_finished(tmp_path):
    def killed():
        yield item("a")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_split("s", "chart", killed(), tmp_path)
    assert not (tmp_path / "s").exists()
    with pytest.raises(UserError, match="rrvf data prepare"):
        load_split("s", tmp_path)
    assert len(write_split("s", "chart", [item("b")], tmp_path)) == 1


def test_verify_names_the_first_picture_that_was_changed(root):
    assert verify_split("train", root) == 3
    (root / "train" / "b__c.png").write_bytes(png("another"))
    with pytest.raises(UserError, match=r"b__c\.png is not the file that was written"):
        verify_split("train", root)


def test_verify_names_a_picture_that_is_gone(root):
    (root / "train" / "a.png").unlink()
    with pytest.raises(UserError, match=r"a\.png is missing"):
        verify_split("train", root)


def test_verify_finds_changed_code_and_a_manifest_cut_short(root):
    (root / "train" / "a.py").write_text("print(2)")
    with pytest.raises(UserError, match=r"a\.py"):
        verify_split("train", root)
    (root / "train" / "a.py").write_text("print(1)")
    manifest = root / "train" / "manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(UserError, match="manifest"):
        verify_split("train", root)


def test_a_damaged_line_of_the_manifest_is_one_clear_line(root):
    (root / "train" / "manifest.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(UserError, match=r"manifest\.jsonl: .*again$"):
        load_split("train", root)


def test_the_digest_tells_order_pictures_and_code_apart(tmp_path):
    def digest(name, items):
        write_split("s", "chart", items, tmp_path / name)
        return split_digest("s", tmp_path / name)

    base = digest("one", [item("a"), item("b")])
    assert digest("two", [item("a"), item("b")]) == base
    assert digest("three", [item("b"), item("a")]) != base
    assert digest("four", [item("a"), item("b", "print(2)")]) != base


def test_two_samples_of_one_name_are_refused(tmp_path):
    with pytest.raises(UserError, match="share an id"):
        write_split("s", "chart", [item("a/b"), item("a/b")], tmp_path)


@pytest.mark.parametrize(("file", "words"), [("manifest.jsonl", "is empty"), ("SHA256SUMS", "is damaged")])
def test_a_file_that_lost_its_content_is_one_clear_line(root, file, words):
    (root / "train" / file).write_text("" if file == "manifest.jsonl" else "lost\n")
    with pytest.raises(UserError, match=words):
        verify_split("train", root)


def test_a_split_of_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="nothing was found"):
        write_split("s", "chart", [], tmp_path)


def test_sha256sum_agrees(root):
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=root / "train").returncode == 0
