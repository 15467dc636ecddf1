"""A folder of pictures as a data set: which files are used, converted or skipped, and how they are split in parts."""

from __future__ import annotations

import io
import os
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
from data_stub import png
from PIL import Image

from rrvf.data import load_split, overlaps, prepare, split_digest, verify
from rrvf.data.config import DataConfig
from rrvf.errors import UserError
from rrvf.preconditions import check_apart
from rrvf.profile import load_profile


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "My Pictures"
    path.mkdir()
    return path


def put(folder: Path, name: str, data: bytes | None = None) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(name) if data is None else data)


def saved(picture: Image.Image, kind: str = "PNG", **how) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def built(folder: Path, tmp_path: Path, **settings):
    config = {"mine": {"kind": "folder", "path": str(folder), "domain": "chart"} | settings}
    prepare(config, tmp_path / "data", progress=False)
    return load_split("mine", tmp_path / "data")


def picture(sample, tmp_path: Path) -> Image.Image:
    return Image.open(tmp_path / "data" / "mine" / sample.image)


def test_every_kind_of_name_is_found_below_the_folder(folder, tmp_path):
    names = ["a.png", "B.PNG", "sub/c.JPG", "sub/d.jpeg", "sub/deeper/e.WebP", "mit Leerzeichen.png", "größe 図.png"]
    for name in names:
        kind = {"png": "PNG", "webp": "WEBP"}.get(name.rpartition(".")[2].lower(), "JPEG")
        put(folder, name, png(name, kind=kind))
    for other in ("notes.txt", ".hidden.png", ".git/f.png", "g.gif", "__MACOSX/._a.png"):
        put(folder, other)
    found = built(folder, tmp_path)
    assert {s.id for s in found} == set(names)
    assert {s.licence for s in found} == {"unknown"} and all(str(folder) in s.source for s in found)
    assert all(picture(s, tmp_path).format == "PNG" for s in found)


def test_names_that_become_one_in_the_manifest_stay_two(folder, tmp_path):
    names = ["a b.png", "a__b.png", "a/b.png", "x.png", "x.jpg", f"{'ü' * 120}.png"]
    for name in names:
        put(folder, name)
    found = built(folder, tmp_path)
    assert {s.id for s in found} == set(names) and len({s.image for s in found}) == len(names)
    assert len({s.sha256 for s in found}) == len(names) and verify_size(folder, tmp_path) == len(names)


def verify_size(folder: Path, tmp_path: Path) -> int:
    config = {"mine": {"kind": "folder", "path": str(folder), "domain": "chart"}}
    return verify(config, tmp_path / "data")["mine"]


def test_a_plain_png_is_kept_byte_for_byte(folder, tmp_path):
    put(folder, "a.png")
    (sample,) = built(folder, tmp_path)
    assert (tmp_path / "data/mine" / sample.image).read_bytes() == png("a.png")


def test_a_folder_that_is_a_link_is_left_out_with_a_line(folder, tmp_path, capsys):
    put(folder, "a/x.png")
    put(tmp_path / "elsewhere", "y.png")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "a" / "up").symlink_to(folder)
    assert {s.id for s in built(folder, tmp_path)} == {"a/x.png"}
    told = capsys.readouterr().err
    assert "skipped link: a link to a folder" in told and "skipped a/up: " in told


def test_a_picture_of_16_bits_a_channel_becomes_one_of_8(folder, tmp_path):
    deep = np.random.default_rng(0).integers(0, 2**16, (32, 32, 3), np.uint16)
    put(folder, "a.png", bytes(cv2.imencode(".png", deep)[1]))
    (sample,) = built(folder, tmp_path)
    assert (tmp_path / "data/mine" / sample.image).read_bytes()[24] == 8


@pytest.mark.parametrize(
    ("domain_name", "name", "expected"),
    [("chart", "a.py", "print(1)"), ("chart", "a.html", None), ("web", "a.html", "print(1)"), ("web", "a.txt", None)],
)
def test_code_beside_a_picture_is_its_true_code(folder, tmp_path, domain_name, name, expected):
    put(folder, "sub/a.png")
    put(folder, f"sub/{name}", b"print(1)")
    (sample,) = built(folder, tmp_path, domain=domain_name)
    code = sample.code and (tmp_path / "data/mine" / sample.code).read_text()
    assert code == expected


def frames(kind: str) -> bytes:
    first, second = (Image.new("RGB", (64, 64), color) for color in ("red", "blue"))
    return saved(first, kind, save_all=True, append_images=[second])


def test_what_is_no_still_picture_is_skipped_with_a_line_and_counted(folder, tmp_path, capsys):
    put(folder, "good.png")
    whole = png("cut")
    bad = {
        "empty.png": b"",
        "text.png": b"no picture",
        "cut.png": whole[: len(whole) // 2],
        "anim.png": frames("PNG"),
        "anim.webp": frames("WEBP"),
        "tiny.png": saved(Image.new("RGB", (8, 8))),
        "thin.png": saved(Image.new("RGB", (20, 5000))),
        "huge.png": saved(Image.new("1", (5000, 5000))),
        "bomb.png": saved(Image.new("1", (20_000, 20_000))),
    }
    for name, data in bad.items():
        put(folder, name, data)
    assert [s.id for s in built(folder, tmp_path)] == ["good.png"]
    told = capsys.readouterr().err
    assert all(f"skipped {name}: " in told for name in bad) and "1 pictures, 9 files skipped" in told


def test_a_damaged_exif_block_is_left_out_of_the_copy(folder, tmp_path):
    put(folder, "exif.png", saved(Image.new("RGB", (64, 64)), exif=b"Exif\0\0II*\0"))
    (sample,) = built(folder, tmp_path)
    assert b"eXIf" not in (tmp_path / "data/mine" / sample.image).read_bytes()


def test_transparency_is_laid_on_white_and_said(folder, tmp_path, capsys):
    palette = Image.new("P", (64, 64), 0)
    put(folder, "a.png", saved(Image.new("RGBA", (64, 64), (0, 0, 0, 0))))
    put(folder, "b.png", saved(palette, transparency=0))
    put(folder, "c.png", saved(Image.new("LA", (64, 64), (0, 0))))
    found = built(folder, tmp_path)
    assert {picture(s, tmp_path).getpixel((5, 5)) for s in found} == {(255, 255, 255)}
    assert "3 blended onto white" in capsys.readouterr().err


def test_a_photo_is_turned_as_its_camera_was_held(folder, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    put(folder, "a.jpg", saved(Image.new("RGB", (64, 32)), "JPEG", exif=exif))
    assert picture(built(folder, tmp_path)[0], tmp_path).size == (32, 64)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16"])
def test_every_mode_of_colour_becomes_rgb_and_keeps_its_light(folder, tmp_path, mode):
    gray = Image.fromarray(np.full((64, 64), 128, np.uint8) if mode != "1" else np.full((64, 64), 255, np.uint8))
    made = Image.fromarray(np.full((64, 64), 128 << 8, np.uint16)) if mode == "I;16" else gray.convert(mode)
    put(folder, "a", saved(made, "JPEG" if mode == "CMYK" else "PNG"))
    (folder / "a").rename(folder / ("a.jpg" if mode == "CMYK" else "a.png"))
    shown = picture(built(folder, tmp_path)[0], tmp_path)
    assert shown.mode == "RGB" and abs(shown.getpixel((9, 9))[0] - (255 if mode == "1" else 128)) < 4


def test_a_canvas_keeps_the_proportions(folder, tmp_path):
    put(folder, "a.png", saved(Image.new("RGB", (200, 100), "black")))
    (sample,) = built(folder, tmp_path, canvas={"width": 100, "height": 100})
    shown = np.asarray(picture(sample, tmp_path))
    assert shown.shape == (100, 100, 3) and (shown[26:74] == 0).all() and (shown[:24] == 255).all()


def test_a_strip_that_a_full_page_would_make_too_long_is_skipped(folder, tmp_path, capsys):
    put(folder, "a.png", saved(Image.new("RGB", (17, 3_000))))
    put(folder, "b.png")
    found = built(folder, tmp_path, canvas={"width": 1_280, "height": 720, "full_page": True})
    assert [s.id for s in found] == ["b.png"]
    assert "skipped a.png: scaled to the canvas, the picture is 1280 x 225882 pixels" in capsys.readouterr().err


def test_two_parts_never_meet_and_miss_nothing(folder, tmp_path):
    for number in range(20):
        put(folder, f"{number}.png")
    put(folder, "copy of 3.png", png("3.png"))
    mine = {"kind": "folder", "path": str(folder), "domain": "chart", "share": 0.25}
    config = {part: mine | {"part": part} for part in ("train", "test")}
    prepare(config, tmp_path, progress=False)
    ids = {part: {s.id for s in load_split(part, tmp_path)} for part in config}
    assert not ids["train"] & ids["test"] and len(ids["train"] | ids["test"]) == 21
    assert 5 <= len(ids["test"]) <= 6  # copies of a file are in the same part
    assert not overlaps(DataConfig.read(config), tmp_path)[("train", "test")]


CUT = {"kind": "folder", "domain": "chart", "path": "a"}


@pytest.mark.parametrize(
    ("trained", "tested", "refused"),
    [
        (CUT, None, True),
        (CUT, CUT, True),
        (CUT | {"count": 80}, CUT | {"count": 20, "seed": 1}, True),
        (CUT, CUT | {"path": "a/test"}, True),
        (CUT | {"path": "./a/b"}, CUT, True),
        (CUT | {"part": "train"}, CUT | {"part": "train"}, True),
        (CUT | {"part": "train"}, CUT | {"part": "test"}, False),
        (CUT, CUT | {"path": "b"}, False),
        ({"kind": "gallery", "count": 9}, {"kind": "gallery", "count": 5, "seed": 1}, True),
        ({"kind": "gallery"}, {"kind": "plot2code"}, True),
        ({"kind": "plot2code"}, {"kind": "gallery"}, True),
        ({"kind": "chartmimic", "task": "direct_1800"}, {"kind": "chartmimic", "task": "direct_600"}, False),
        ({"kind": "chartmimic", "task": "direct_600"}, {"kind": "chartmimic", "task": "direct_600", "count": 9}, True),
    ],
)
def test_no_study_evaluates_on_pictures_that_it_trains_on(trained, tested, refused):
    """tested: None: the same set."""
    nano = load_profile("nano")
    section = nano.grpo["chart"].model_copy(update={"train_set": "mine"})
    sets = {"charts": nano.evaluations["charts"].model_copy(update={"dataset": "others" if tested else "mine"})}
    change = {"data": {"mine": trained, "others": tested or trained}, "grpo": {"chart": section}, "evaluations": sets}
    profile = nano.model_copy(update=change | {"sft": {}, "rft": {}})
    with pytest.raises(UserError, match="`part`") if refused else nullcontext():
        check_apart(profile)


def test_near_duplicates_across_the_parts_are_reported(folder, tmp_path):
    original = Image.open(io.BytesIO(png("x"))).convert("RGB")
    put(folder, "a.png", saved(original))
    put(folder, "b.jpg", saved(original, "JPEG", quality=90))
    mine = {"kind": "folder", "path": str(folder), "domain": "chart", "share": 0.5}
    config = {part: mine | {"part": part} for part in ("train", "test")}
    prepare(config, tmp_path, progress=False)
    assert len(overlaps(DataConfig.read(config), tmp_path)[("train", "test")]) == 1


def test_parts_that_would_overlap_are_refused(folder):
    mine = {"kind": "folder", "path": str(folder), "domain": "chart"}
    for other in ({"part": "test", "seed": 1}, {"part": "test", "share": 0.5}, {}):
        with pytest.raises(UserError, match="overlap"):
            DataConfig.read({"a": mine | {"part": "train"}, "b": mine | other})


def test_a_seed_orders_and_a_count_cuts(folder, tmp_path):
    for number in range(12):
        put(folder, f"{number}.png")
    orders = [[s.id for s in built(folder, tmp_path, seed=seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert [s.id for s in built(folder, tmp_path, count=5)] == orders[0][:5]
    with pytest.raises(UserError, match="12 found where there should be 13"):
        built(folder, tmp_path, count=13)


def test_a_folder_that_changed_is_another_data_set(folder, tmp_path):
    put(folder, "a.png")
    built(folder, tmp_path)
    digest = split_digest("mine", tmp_path / "data")
    built(folder, tmp_path)
    assert split_digest("mine", tmp_path / "data") == digest
    put(folder, "b.png")
    assert len(built(folder, tmp_path)) == 2
    (folder / "sub").mkdir()
    (folder / "b.png").rename(folder / "sub" / "b.png")
    assert "sub/b.png" in {s.id for s in built(folder, tmp_path)}


@pytest.mark.parametrize("what", ["missing", "empty", "only broken", "a link"])
def test_a_folder_without_pictures_is_one_line(folder, tmp_path, what):
    if what == "only broken":
        put(folder, "a.png", b"x")
    if what == "a link":
        (folder / "a.png").symlink_to(folder / "gone")
    with pytest.raises(UserError, match=r"no folder at|no PNG, JPEG or WebP files|nothing was found"):
        built(folder / "gone" if what == "missing" else folder, tmp_path)


def test_a_name_that_is_no_text_is_skipped(folder, tmp_path, capsys):
    put(folder, "a.png")
    (folder / os.fsdecode(b"\xff.png")).write_bytes(png("b"))
    assert [s.id for s in built(folder, tmp_path)] == ["a.png"]
    assert "no UTF-8" in capsys.readouterr().err
