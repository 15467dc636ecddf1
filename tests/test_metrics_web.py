"""SSIM, canvas fitting, and a CLIP column that is empty rather than wrong."""

from __future__ import annotations

import numpy as np
import pytest

from rrvf.benchmarks import clip, websight
from rrvf.errors import UserError


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    picture = np.full((80, 100, 3), 255, np.uint8)
    picture[20:60, 30:70] = rng.integers(0, 255, 3)
    return picture, rng.integers(0, 255, (80, 100, 3)).astype(np.uint8)


@pytest.fixture
def no_weights(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("RRVF_CLIP_WEIGHTS", raising=False)
    clip.load.cache_clear()
    clip.available.cache_clear()
    yield
    clip.load.cache_clear()
    clip.available.cache_clear()


def test_ssim_of_a_picture_with_itself_is_one(pictures):
    assert websight.ssim(pictures[0], pictures[0]) == pytest.approx(1.0)


def test_ssim_of_a_picture_with_noise_is_low(pictures):
    assert websight.ssim(*pictures) < 0.2


def test_a_smaller_picture_is_padded_with_white_and_a_larger_one_cut(pictures):
    picture = pictures[0]
    assert (websight.fitted(picture[:40, :50], picture)[40:] == 255).all()
    assert np.array_equal(websight.fitted(np.pad(picture, ((0, 9), (0, 9), (0, 0))), picture), picture)


def test_without_weights_there_is_no_clip_number(pictures, no_weights):
    assert websight.score_pictures(*pictures)["clip"] is None


def test_without_weights_the_reason_says_how_to_mend_it(no_weights):
    with pytest.raises(UserError, match="RRVF_CLIP_WEIGHTS"):
        clip.load()


def test_a_page_that_was_not_drawn_counts_zero():
    found = websight.aggregate([{"exec_ok": True, "clip": 90.0, "ssim": 0.8}, {"exec_ok": False, "clip": 0.0, "ssim": 0.0}])
    assert found == {"n": 2, "exec_rate": 50.0, "clip": 45.0, "ssim": 0.4}


def test_html_is_taken_from_its_fence_or_bare():
    assert websight.extract_code("so:\n```html\n<p>x</p>\n```") == "\n<p>x</p>\n"
    assert websight.extract_code("<p>x</p>") == "<p>x</p>" and websight.extract_code("no page") is None
