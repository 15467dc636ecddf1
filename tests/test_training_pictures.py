"""Pictures larger than the context are scaled down before processor and engine see them."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from scripted import ANSWER, CALL, run

from rrvf.errors import UserError
from rrvf.policies.local import load_processor
from rrvf.training.grpo import picture_dataset
from rrvf.training.pictures import Bound, bound_of
from rrvf.training.trainer import RRVFTrainer

#: 4,096 tokens for picture and prompt, as in the gpu profile.
BOUND = Bound(28, 3_000)


@pytest.mark.parametrize("size", [(3800, 2500), (2560, 6000), (16_000, 200), (6000, 2600), (200, 16_000)])
def test_a_large_picture_costs_no_more_than_there_is_room_for(size):
    width, height = BOUND.bounded(Image.new("RGB", size)).size
    assert (width // 28) * (height // 28) <= BOUND.tokens and width % 28 == height % 28 == 0
    assert BOUND.size(width, height) == (width, height)  # a second call changes nothing
    if min(size) > 1000:
        assert width / height == pytest.approx(size[0] / size[1], rel=0.05)


@pytest.mark.parametrize("size", [(280, 224), (1280, 720), (640, 480), (16, 16)])
def test_a_picture_that_fits_is_left_as_it_is(size):
    picture = Image.new("RGB", size)
    assert BOUND.bounded(picture) is picture


def test_a_picture_is_read_once_however_often_it_is_asked_for(samples, tmp_path, monkeypatch):
    reads = []
    monkeypatch.setattr("rrvf.training.grpo.read_picture", lambda path: reads.append(path) or Image.new("RGB", (8, 8)))
    rows = picture_dataset(samples, tmp_path, {s.domain: "draw it" for s in samples}, None, kept=len(samples))
    for _ in range(3):
        assert all(row["image"].size == (8, 8) for row in rows)
    assert len(reads) == len(samples)


def test_a_prompt_that_leaves_no_room_is_refused(policy):
    processor = load_processor(str(policy))
    room = bound_of(processor, ["draw it", "draw it at once"], 200)
    assert room.side == 28 and 0 < room.tokens < 200
    with pytest.raises(UserError, match="raise max_prompt_tokens above 2"):
        bound_of(processor, ["draw it"], 2)


@pytest.mark.parametrize("attach_render", [False, True])
def test_a_run_shows_no_picture_above_its_bound(policy, samples, tmp_path, script, monkeypatch, attach_render):
    """The engine would refuse the prompt and end the run."""
    noise = io.BytesIO()
    Image.effect_noise((900, 1400), 60).convert("RGB").save(noise, "PNG")
    for sample in samples:
        (tmp_path / sample.image).write_bytes(noise.getvalue())
    shown, original = [], RRVFTrainer._generate_single_turn

    def spy(self, prompt_ids, images, *args, **kwargs):
        shown.extend(image.size for row in images for image in row)
        return original(self, prompt_ids, images, *args, **kwargs)

    monkeypatch.setattr(RRVFTrainer, "_generate_single_turn", spy)
    script["write"] = lambda turn, row: CALL if turn == 0 else ANSWER
    run(policy, samples, tmp_path, attach_render=attach_render, max_prompt_tokens=1_500, max_turns=2)
    assert len(shown) >= 4 and all((width // 28) * (height // 28) < 1_500 for width, height in shown)
    assert min(shown)[0] < 900 and len(set(shown)) == 1
