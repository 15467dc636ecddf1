"""Batches for pre-training: strips of text with words, sketches with thoughts, pictures with transcripts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.nano import sketches
from rrvf.nano.corpus import Segment, read_aloud, think
from rrvf.nano.eye import Strip, strip
from rrvf.nano.gaze import HEADS, Kind, Look, looks, words
from rrvf.nano.model import CONTROL, MERGED
from rrvf.nano.phrases import known

START, PAD_IMAGE, VISION_START = (CONTROL.index(t) for t in ("<|im_start|>", "<|image_pad|>", "<|vision_start|>"))
IGNORED = -100
#: The share of strips that hold only known words. The others hold phrases of all kinds.
KNOWN = 0.4


@dataclass(frozen=True)
class Example:
    """One training example.

    ids: the tokens after the picture. learn: which of them carry loss. picture: (domain, index) of the picture.
    looks: which tokens should attend to what (`rrvf.nano.gaze`).
    """

    ids: list[int]
    learn: list[bool]
    picture: tuple[str, int]
    looks: tuple[Look, ...] = ()


def user_ids(tokenizer) -> list[int]:
    """The ids of the text between the start of the user's turn and the picture."""
    return tokenizer("user\n", add_special_tokens=False)["input_ids"]


def encode(tokenizer, domain: str, index: int, segments: list[Segment], positions: np.ndarray | None = None) -> Example:
    """Tokenize the segments of a transcript. positions: of a chart's marks, [marks, 2]; None for a page.

    Each segment is tokenized alone. That changes no token, because segments meet at control tokens.
    """
    ids, learn = [], []
    for segment in segments:
        tokens = tokenizer(segment.text, add_special_tokens=False)["input_ids"]
        ids += tokens
        learn += [segment.learn] * len(tokens)
    some = looks(tokenizer.convert_ids_to_tokens(ids), positions) if positions is not None else ()
    return Example(ids, learn, (domain, index), tuple(look for look in some if learn[look.at]))


def collate(examples: list[Example], pictures: np.ndarray, user: list[int]) -> dict[str, torch.Tensor]:
    """A batch of examples: `user` ids, the picture's image tokens, then each example's ids, padded on the right.

    pictures: uint8 [B, H, W, 3]. Returns the model's arguments, except that `pictures` are not cut into patches yet,
    and that `looks` are for `gaze.Gaze.losses`.
    """
    places = (pictures.shape[1] // MERGED) * (pictures.shape[2] // MERGED)
    head = [START, *user, VISION_START, *[PAD_IMAGE] * places]
    longest = max(len(e.ids) for e in examples)
    ids = torch.zeros(len(examples), len(head) + longest, dtype=torch.long)
    labels, mask = torch.full_like(ids, IGNORED), torch.zeros_like(ids)
    for row, e in enumerate(examples):
        end = len(head) + len(e.ids)
        ids[row, :end] = torch.tensor(head + e.ids)
        mask[row, :end] = 1
        labels[row, len(head) : end] = torch.tensor([t if k else IGNORED for t, k in zip(e.ids, e.learn, strict=True)])
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "labels": labels,
        "pictures": torch.from_numpy(pictures),
        "mm_token_type_ids": (ids == PAD_IMAGE).long(),
        "looks": {kind: _looks(examples, kind, len(head) - places, len(head)) for kind in HEADS},
    }


def _looks(examples: list[Example], kind: Kind, picture: int, text: int) -> torch.Tensor:
    """Looks of one kind as `gaze.Gaze.losses` takes them. picture, text: the indices of their first tokens."""
    to = text if kind == "copy" else picture
    some = [(row, text + k.at, to + k.to) for row, e in enumerate(examples) for k in e.looks if k.kind == kind]
    return torch.tensor(some, dtype=torch.long).reshape(-1, 3)


def strip_batches(tokenizer, rng: random.Random, size: int = 128) -> Callable[[], dict]:
    """A source of batches: strips of text; the assistant's answer is the words of the strip."""
    user = user_ids(tokenizer)
    opening = tokenizer("<|vision_end|><|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]

    def example(s: Strip) -> Example:
        answer = tokenizer(f"{s.text}<|im_end|>", add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = answer["input_ids"], answer["offset_mapping"][:-1]
        learn = [False] * len(opening) + [True] * len(ids)
        return Example(opening + ids, learn, ("", 0), tuple(words(offsets, s.text, s.columns, len(opening))))

    def make() -> dict:
        strips = [strip(rng, MERGED, known(rng) if rng.random() < KNOWN else None) for _ in range(size)]
        return collate([example(s) for s in strips], np.stack([s.picture for s in strips]), user)

    return make


def sketch_batches(tokenizer, rng: random.Random, size: int) -> Callable[[], dict]:
    """A source of batches: sketches; the answer is the thought that reads them aloud."""
    user = user_ids(tokenizer)

    def make() -> dict:
        specs = [sketches.spec(rng) for _ in range(size)]
        pictures, where = zip(*map(sketches.sketch, specs), strict=True)
        rows = [
            encode(tokenizer, CHART.name, 0, read_aloud(think(CHART.name, s, w)), w)
            for s, w in zip(specs, where, strict=True)
        ]
        return collate(rows, np.stack(pictures), user)

    return make


def program_batches(
    tokenizer, groups: list[list[Example]], pictures: dict[str, np.ndarray], rng: random.Random, size: int
) -> list[Callable[[], dict]]:
    """One source of batches per group. Examples of similar length share a batch, to save padding.

    pictures: by domain. UserError, at the first batch, if a group has fewer than `size` examples.
    """
    user = user_ids(tokenizer)

    def source(group: list[Example]) -> Callable[[], dict]:
        order = _passes(group, rng, size)

        def make() -> dict:
            batch = next(order)
            return collate(batch, np.stack([pictures[d][i] for d, i in (e.picture for e in batch)]), user)

        return make

    return [source(group) for group in groups]


def _passes(group: list[Example], rng: random.Random, size: int) -> Iterator[list[Example]]:
    if len(group) < size:
        raise UserError(
            f"only {len(group)} transcripts for batches of {size}: take more pictures, or more steps before this stage"
        )
    while True:
        order = rng.sample(group, len(group))
        for start in range(0, len(order) - size + 1, 16 * size):
            near = sorted(order[start : start + 16 * size], key=lambda e: len(e.ids))
            batches = [near[i : i + size] for i in range(0, len(near), size)]
            yield from rng.sample(batches, len(batches))
