"""Web metrics: SSIM, block scores calculated by hand, CLIP's pipeline with a toy model, folders of pairs."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from rrvf.benchmarks import clip, websight
from rrvf.benchmarks.blocks import block_scores, joined, same_box_merged
from rrvf.benchmarks.pixels import decode, one_canvas, ssim
from rrvf.errors import UserError
from rrvf.records import Render
from rrvf.render import Limits, Renderer


def block(text: str, x: float = 0.1, y: float = 0.1, w: float = 0.2, h: float = 0.1, color: str = "000000") -> dict:
    return {"text": text, "box": [x, y, w, h], "color": [int(color[i : i + 2], 16) for i in (0, 2, 4)]}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_in_a_reference_is_white(mode):
    file = io.BytesIO()
    Image.new(mode, (20, 20), 0).save(file, "PNG", **({"transparency": 0} if mode == "P" else {}))
    assert (decode(file.getvalue()) == 255).all()


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(ValueError, match="no picture"):
        decode(data)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


class ToyModel(torch.nn.Module):
    """Embeds a picture as its mean colour."""

    def __init__(self, logit_scale: float) -> None:
        super().__init__()
        self.logit_scale = torch.nn.Parameter(torch.tensor(logit_scale))

    def encode_image(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.mean(dim=(2, 3))


def toy_preprocess(picture) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "available", lambda: False)


@pytest.fixture
def toy_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "available", lambda: True)
    monkeypatch.setattr(clip, "load", lambda: (ToyModel(4.6), toy_preprocess))


def test_a_picture_is_fully_like_itself() -> None:
    assert ssim(noise(40, 50), noise(40, 50)) == pytest.approx(1.0, abs=1e-5)


def test_more_noise_is_less_alike() -> None:
    base = cv2.GaussianBlur(noise(60, 60), (9, 9), 3)
    scores = [ssim(base, cv2.addWeighted(base, 1 - share, noise(60, 60, 1), share, 0)) for share in (0.1, 0.3, 0.6)]
    assert 1 > scores[0] > scores[1] > scores[2]


def test_a_screenshot_at_twice_the_size_is_the_same_screenshot() -> None:
    small = cv2.GaussianBlur(noise(40, 50), (5, 5), 2)
    assert ssim(np.kron(small, np.ones((2, 2, 1), np.uint8)), small) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("more", ["reference", "generated"])
def test_what_one_page_has_more_costs(more: str) -> None:
    short, tall = noise(40, 50), np.vstack([noise(40, 50), noise(30, 50, 1)])
    assert ssim(*((tall, short) if more == "reference" else (short, tall))) < 0.9


def test_the_shorter_picture_is_padded_with_white() -> None:
    one, two = one_canvas(noise(10, 20), noise(15, 20))
    assert one.shape == two.shape == (15, 20, 3)
    assert (one[10:] == 255).all()


def test_equal_blocks_score_one() -> None:
    blocks = [block("Welcome home"), block("Read more", y=0.5, color="FF0000")]
    assert block_scores(blocks, blocks) == pytest.approx(dict.fromkeys(("block_match", "text", "position", "color"), 1))


def test_a_missing_block_costs_its_area() -> None:
    kept, missing = block("Welcome home"), block("12345", y=0.5, h=0.3)
    assert block_scores([kept, missing], [kept])["block_match"] == pytest.approx(0.04 / (0.04 + 0.06))


def test_an_invented_block_costs_its_area() -> None:
    kept, invented = block("Welcome home"), block("12345", y=0.5, h=0.3)
    assert block_scores([kept], [kept, invented])["block_match"] == pytest.approx(0.04 / (0.04 + 0.06))


def test_text_is_the_mean_ratio_of_the_pairs() -> None:
    assert block_scores([block("abcdef")], [block("abcdXX")])["text"] == pytest.approx(2 * 4 / 12)


def test_position_is_the_larger_shift_of_the_centres() -> None:
    assert block_scores([block("abc", x=0.1, y=0.1)], [block("abc", x=0.2, y=0.4)])["position"] == pytest.approx(0.7)


def test_color_is_ciede2000() -> None:
    score = block_scores([block("abc", color="1F77B4")], [block("abc", color="4682B4")])["color"]
    assert score == pytest.approx(0.95080, abs=1e-5)


def test_texts_less_than_half_alike_are_no_pair() -> None:
    assert set(block_scores([block("abcdef")], [block("abXXXX")]).values()) == {0.0}


def test_a_page_without_text_scores_zero_even_against_itself() -> None:
    assert set(block_scores([], []).values()) == {0.0}


def test_a_sentence_in_two_elements_is_the_sentence_in_one() -> None:
    whole = [block("Fresh bread every day", w=0.4)]
    halves = [block("Fresh bread", w=0.2), block("every day", x=0.3, w=0.2)]
    assert block_scores(whole, halves) == pytest.approx(dict.fromkeys(("block_match", "text", "position", "color"), 1))
    assert [len(side) for side in joined(halves, whole)] == [1, 1]


def test_the_neighbours_decide_between_equal_texts() -> None:
    page = [block("Menu"), block("Buy", y=0.2), block("About us", y=0.5), block("Buy", y=0.7)]
    moved = [page[2], page[3], page[0], page[1]]
    assert block_scores(page, moved)["position"] == pytest.approx(1.0)


def test_blocks_in_the_same_box_are_one() -> None:
    assert [b["text"] for b in same_box_merged([block("a"), block("b"), block("c", y=0.9)])] == ["a b", "c"]


def test_the_clip_pipeline_compares_embeddings() -> None:
    red, gray = np.zeros((8, 9, 3), np.uint8), np.full((9, 8, 3), 90, np.uint8)
    red[..., 0] = 200
    assert clip.cosine(ToyModel(4.6), toy_preprocess, red, red) == pytest.approx(100)
    assert clip.cosine(ToyModel(4.6), toy_preprocess, red, gray) == pytest.approx(100 / math.sqrt(3))


@pytest.mark.parametrize("scale", [1 / 0.07, 50.0])
def test_weights_that_are_untrained_or_of_another_training_are_refused(scale: float) -> None:
    with pytest.raises(UserError, match="untrained"):
        clip.check_trained(ToyModel(math.log(scale)), "file")
    clip.check_trained(ToyModel(math.log(100)), "file")


def test_pictures_become_squares_of_their_shorter_side() -> None:
    assert clip.square(noise(30, 20)).size == (20, 20)


def test_text_is_painted_over_from_around_it() -> None:
    page = np.full((100, 100, 3), 200, np.uint8)
    page[20:30, 10:40] = 0
    covered = block("x", x=0.1, y=0.2, w=0.3, h=0.1)
    assert clip.without_text(page, [covered]).min() >= 199


def test_a_missing_weights_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RRVF_CLIP_WEIGHTS", "/nowhere/clip.pt")
    clip.load.cache_clear()
    with pytest.raises(UserError, match="RRVF_CLIP_WEIGHTS"):
        clip.load()


def test_missing_weights_are_said_once_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("RRVF_CLIP_WEIGHTS", "/nowhere/clip.pt")
    clip.load.cache_clear()
    clip.available.cache_clear()
    assert not clip.available() and not clip.available()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("no CLIP scores: ") and "RRVF_CLIP_WEIGHTS" in line
    clip.available.cache_clear()


def rendered(seed: int, blocks: list[dict] | None) -> Render:
    return Render(status="ok", png=png(noise(30, 40, seed)), items=None if blocks is None else {"blocks": blocks})


def test_without_weights_there_is_no_clip_number(no_weights: None) -> None:
    scores = websight.score_pair(rendered(0, [block("a")]), rendered(0, [block("a")]))
    assert scores["clip"] is scores["clip_masked"] is None
    assert scores["ssim"] == pytest.approx(1.0, abs=1e-5)


def test_a_reference_picture_alone_has_pixel_scores_only(toy_clip: None) -> None:
    scores = websight.score_pair(rendered(0, None), rendered(0, [block("a")]))
    known = {name for name, value in scores.items() if value is not None}
    assert known == {"exec", "clip", "ssim"}


def test_a_page_that_was_not_drawn_scores_zero_on_all_that_is_measured(toy_clip: None) -> None:
    failed = Render(status="render_error", reason="blank")
    assert set(websight.score_pair(rendered(0, [block("a")]), failed).values()) == {0.0}


def test_the_aggregate_counts_failures_as_zero(no_weights: None) -> None:
    good = websight.score_pair(rendered(0, [block("a")]), rendered(0, [block("a")]), judge=80.0)
    bad = websight.score_pair(rendered(0, [block("a")]), Render(status="render_error", reason="timeout"))
    total = websight.aggregate([good, bad])
    assert (total["n"], total["exec_rate"], total["judge"], total["text"], total["clip"]) == (2, 50, 40, 0.5, None)


def test_a_folder_of_pairs(tmp_path: Path, no_weights: None) -> None:
    page = "<h1 style='color:navy'>Fresh bread</h1><p>every day</p>"
    for name, text in {"a.gt": page, "a.gen": page, "b.gt": page, "b.gen": "<p></p>"}.items():
        (tmp_path / f"{name}.html").write_text(text)
    (tmp_path / "c.gt.png").write_bytes(png(noise(720, 1280)))
    (tmp_path / "c.gen.html").write_text(page)
    result = websight.score_folder(tmp_path, tmp_path / "out" / "scores.json")
    assert result == json.loads((tmp_path / "out" / "scores.json").read_text())
    same, blank, picture = (result["pairs"][name] for name in "abc")
    assert [same[m] for m in ("exec", "text", "block_match", "position", "color")] == pytest.approx([1] * 5)
    assert (blank["exec"], blank["ssim"], picture["exec"], picture["text"]) == (0, 0, 1, None)
    assert blank["reason"] == "blank" and "reason" not in same
    assert result["aggregate"]["exec_rate"] == pytest.approx(200 / 3)


class Pages:
    """Replaces the browser: every page shows its text; the page `stop` ends the run."""

    drawn: ClassVar[list[str]] = []

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Pages:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def render_many(self, pages: list[str], trace: str) -> list[Render]:
        if "<p>stop" in pages:
            raise KeyboardInterrupt
        self.drawn.extend(pages)
        return [rendered(0, [block(page)]) for page in pages]


def test_a_killed_run_over_pages_continues_with_what_is_missing_or_changed(
    tmp_path: Path, no_weights: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websight, "Renderer", Pages)
    monkeypatch.setattr(websight, "_BLOCK", 1)
    for name, page in {"a": "<p>one", "b": "<p>two", "c": "<p>stop"}.items():
        (tmp_path / f"{name}.gt.html").write_text(page)
        (tmp_path / f"{name}.gen.html").write_text(page)
    out = tmp_path / "out" / "scores.json"
    with pytest.raises(KeyboardInterrupt):
        websight.score_folder(tmp_path, out)
    Pages.drawn.clear()
    for half in ("gt", "gen"):
        (tmp_path / f"c.{half}.html").write_text("<p>three")
    (tmp_path / "b.gen.html").write_text("<p>four")
    result = websight.score_folder(tmp_path, out)
    assert Pages.drawn == ["<p>two", "<p>four", "<p>three", "<p>three"] and list(result["pairs"]) == ["a", "b", "c"]
    assert [p.name for p in out.parent.iterdir()] == ["scores.json"]


@pytest.mark.parametrize(
    ("half", "data", "reason"),
    [
        ("gt.png", b"cut", "crash"),
        ("gt.png", png(np.zeros((5, 900, 3), np.uint8)), "limit"),
        ("gt.html", b"<p></p>", "blank"),
        ("gt.html", b"no page", "syntax_error"),
        ("gt.html", b"<div style='height:99999px'>x</div>", "limit"),
    ],
    ids=["cut picture", "sliver", "blank", "no page", "too tall"],
)
def test_a_reference_that_cannot_be_used_is_excluded_and_counted(
    tmp_path: Path, no_weights: None, half: str, data: bytes, reason: str
) -> None:
    (tmp_path / f"a.{half}").write_bytes(data)
    for name in ("a.gen", "b.gt", "b.gen"):
        (tmp_path / f"{name}.html").write_text("<h1>Evening News</h1>")
    result = websight.score_folder(tmp_path, tmp_path / "out.json")
    assert result["pairs"]["a"]["reference_reason"] == reason and result["pairs"]["a"]["exec"] is None
    assert (result["aggregate"]["n"], result["aggregate"]["excluded"], result["aggregate"]["text"]) == (1, 1, 1.0)


HEAVY = {
    "long": f"<h1>Evening News</h1><!--{'x' * 210_000}-->",
    "packed": f"<h1>Evening News</h1><!--{noise(100, 300).tobytes().hex()}-->",
    "picture": f"<h1>Evening News</h1><img src='data:image/png;base64,{'A' * 30_000}'>",
    "drawing": f"<h1>Evening News</h1><svg>{'<path d=M1,1h9 />' * 3000}</svg>",
    "shadows": f"<h1 style='box-shadow:{','.join(['1px 1px red'] * 4000)}'>Evening News</h1>",
}


@pytest.fixture(scope="module")
def heavy_scores(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("heavy")
    for name, page in HEAVY.items():
        for pair, reference in ((f"{name}-copied", page), (f"{name}-pasted", "<h1>Evening News</h1>")):
            (folder / f"{pair}.gt.html").write_text(reference)
            (folder / f"{pair}.gen.html").write_text(page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip, "available", lambda: False)
        return websight.score_folder(folder, folder / "out" / "scores.json")["pairs"]


@pytest.mark.parametrize("name", HEAVY)
def test_a_reference_may_carry_what_it_likes_and_its_copy_as_much(heavy_scores: dict, name: str) -> None:
    assert heavy_scores[f"{name}-copied"]["block_match"] == pytest.approx(1)
    assert heavy_scores[f"{name}-pasted"]["reason"] == "limit" and heavy_scores[f"{name}-pasted"]["exec"] == 0


def drawn_blocks(renderer: Renderer, body: str) -> list[dict]:
    head = "<!DOCTYPE html><style>body{font:20px sans-serif;margin:30px}</style>"
    return renderer.render(head + body, "blocks").items["blocks"]


@pytest.fixture(scope="module")
def pages() -> Iterator[Renderer]:
    with Renderer("web", 1, Limits(wall_s=60)) as renderer:
        yield renderer


def test_texts_are_compared_in_lower_case() -> None:
    assert block_scores([block("Read More")], [block("READ MORE")])["text"] == 1


def test_a_caption_is_a_block(pages: Renderer) -> None:
    found = drawn_blocks(pages, "<h1>News</h1><figure><figcaption>The pier</figcaption></figure>")
    assert [b["text"] for b in found] == ["News", "The pier"]


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("color:#cc0000", "Harbour in spring"),
        ("border-color: red", "Harbour in spring"),
        ("color:#c00", "Harbour in spring"),
        ("color: nonsense", "Harbour closes in spring"),
        ("color: rgba(1, 2, 3, 0.5)", "Harbour closes in spring"),
        ("background-color: red", "Harbour closes in spring"),
        ("font-weight:400", "Harbour closes in spring"),
    ],
)
def test_text_in_another_element_is_its_parents_unless_its_style_names_a_colour(
    pages: Renderer, style: str, text: str
) -> None:
    found = drawn_blocks(pages, f"<p>Harbour <strong style='{style}'>closes</strong> in spring</p>")
    assert [b["text"] for b in found] == [text]


def test_text_under_a_backdrop_has_a_block_as_all_backgrounds_are_transparent(pages: Renderer) -> None:
    cover = "<div style='position:absolute;inset:100px 0 0;background:navy'></div>"
    assert [b["text"] for b in drawn_blocks(pages, f"<h1>above</h1><p>under</p>{cover}")] == ["above", "under"]


def test_half_a_pair_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.gen.html").write_text("x")
    with pytest.raises(UserError, match=r"a in .* has no .gt"):
        websight.score_folder(tmp_path, tmp_path / "out.json")


def test_code_is_the_first_fenced_page_or_the_reply_itself() -> None:
    assert websight.extract_code("so:\n```html\n<p>a</p>\n```\n```html\nb\n```") == "<p>a</p>"
    assert websight.extract_code("<p>a</p>") == "<p>a</p>"
    assert websight.extract_code("I cannot") is None
