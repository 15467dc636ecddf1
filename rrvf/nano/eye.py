"""First stage of pre-training: teach the vision tower, the "eye", to read, with a label for every place of a picture.

The eye trains under heads that are thrown away afterwards. Each head names something, from the visual tokens:

letters: which character has its middle in which seventh of a merged patch. On strips of text: level as in titles and
ticks, or upright as in y labels.
cells: which named colour each cell of 4x4 pixels has. On charts and pages.
heights, addresses, inks: the value of the mark in each seventh of a merged patch, the letter that points at the mark,
and its colour (`rrvf.nano.marks`). On charts and sketches of charts.
fetched: the value of the mark that each letter points at, without its place (`Fetch`). On charts and sketches.

Without this stage a small model takes hours to begin to read. The place matters: with only the set of a patch's
characters as the target, 4,000 steps gave an eye that could not read.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib.colors import to_rgb
from PIL import Image, ImageDraw, ImageFont

from rrvf.data.generated.pages import PAPERS
from rrvf.data.generated.words import CHARACTERS, PALETTE, SERIES_COLOURS
from rrvf.data.seeded import PRETRAINED
from rrvf.domains import CHART, WEB
from rrvf.nano import marks
from rrvf.nano.marks import BINS
from rrvf.nano.model import HEAD, MERGED, patches
from rrvf.nano.phrases import phrase
from rrvf.nano.sketches import sketch, spec

LIBERATION = Path("/usr/share/fonts/truetype/liberation")
WIDTH = 280
_CLASS = {c: i + 1 for i, c in enumerate(CHARACTERS)}
#: The heads, and the weight of class 0 ("nothing here") in the loss of each: most places hold nothing.
RARE = {"letters": 0.2, "cells": 0.1, "heights": 0.03, "addresses": 0.03, "inks": 0.03, "fetched": 0.1}


@cache
def fonts() -> list[ImageFont.FreeTypeFont]:
    """The fonts of charts and pages, in their sizes in pixels and some near ones.

    DejaVu Sans in matplotlib's sizes at 100 dpi; Liberation Sans in the sizes of pages, if it is installed.
    """
    dejavu = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    wanted = [(dejavu, (10.5, 11.11, 11.11, 12, 13.33, 13.33, 14))]
    wanted += [
        (LIBERATION / "LiberationSans-Regular.ttf", (11, 12, 12, 13.33)),
        (LIBERATION / "LiberationSans-Bold.ttf", (12, 18)),
    ]
    return [ImageFont.truetype(str(f), size) for f, sizes in wanted if f.is_file() for size in sizes]


class Strip(NamedTuple):
    """A strip of text.

    picture: uint8 [height, 280, 3]. text: its words. labels: classes of characters by place, [height / 28, 10, BINS].
    columns: for each character of the text, the column of merged patches that holds its middle.
    """

    picture: np.ndarray
    text: str
    labels: np.ndarray
    columns: list[int]


def strip(rng: random.Random, height: int, text: str | None = None) -> Strip:
    """A strip with `text` (None: a random phrase). Words at the end that do not fit are left out."""
    text, font = text or phrase(rng), rng.choice(fonts())
    while font.getlength(text) > WIDTH - 4 and " " in text:
        text = text.rpartition(" ")[0]
    ink, paper = _colours(rng)
    ends = [font.getlength(text[:i]) for i in range(len(text) + 1)]
    x = rng.uniform(0, max(1, WIDTH - 1 - ends[-1]))
    y = rng.uniform(-1, height - font.size - 2)
    picture = Image.new("RGB", (WIDTH, height), paper)
    ImageDraw.Draw(picture).text((x, y), text, fill=ink, font=font)
    middles = [x + (a + b) / 2 for a, b in pairwise(ends)]
    labels = _labels(text, middles, y + 0.25 * font.size, y + 1.05 * font.size, height)
    return Strip(np.asarray(picture), text, labels, [min(int(m // MERGED), WIDTH // MERGED - 1) for m in middles])


def _labels(text: str, middles: list[float], top: float, bottom: float, height: int) -> np.ndarray:
    labels = np.zeros((height // MERGED, WIDTH // MERGED, BINS), np.int64)
    rows = [
        row
        for row in range(height // MERGED)
        if min(bottom, (row + 1) * MERGED) - max(top, row * MERGED) > 0.4 * (bottom - top)
    ]
    for character, middle in zip(text, middles, strict=True):
        if character in _CLASS and 0 <= middle < WIDTH:
            labels[rows, int(middle // MERGED), int(middle % MERGED * BINS / MERGED)] = _CLASS[character]
    return labels


def _colours(rng: random.Random) -> tuple[str, str]:
    kind = rng.random()
    if kind < 0.6:
        return "black", "white"
    if kind < 0.8:
        return "white", rng.choice(PALETTE)
    return rng.choice(PALETTE), rng.choice(("white", "#f5f5f5"))


def strip_batch(rng: random.Random, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures [B, H, W, 3] and labels [B * patches, BINS] of `size` strips. A third of the batches are upright."""
    kind = rng.random()
    strips = [strip(rng, 2 * MERGED if kind < 0.15 else MERGED) for _ in range(size)]
    pictures, labels = np.stack([s.picture for s in strips]), np.stack([s.labels for s in strips])
    if kind > 0.65:
        # Turn a quarter to the left, as y labels are: the right end comes to the top. Bins stay in reading order.
        pictures = np.ascontiguousarray(np.rot90(pictures, axes=(1, 2)))
        labels = labels[:, :, ::-1].transpose(0, 2, 1, 3)
    return pictures, np.ascontiguousarray(labels.reshape(-1, BINS))


@cache
def cell_colours() -> np.ndarray:
    """The named colours that a cell may have: float32 [C, 3], 0 to 255. The first is white."""
    names = dict.fromkeys(["white", *SERIES_COLOURS, *PALETTE, *PAPERS, "gray", "silver", "#f2f2f2"])
    return np.unique([to_rgb(n) for n in names], axis=0)[::-1].astype(np.float32) * 255


def cells(pictures: np.ndarray) -> np.ndarray:
    """The class of the nearest named colour of each 4x4 cell: uint8 [B, H, W, 3] to int64 [B * patches, 49]."""
    size, (height, width) = MERGED // BINS, pictures.shape[1:3]
    means = torch.nn.functional.avg_pool2d(torch.tensor(pictures).permute(0, 3, 1, 2).float(), size)
    nearest = torch.cdist(means.permute(0, 2, 3, 1).flatten(0, 2), torch.from_numpy(cell_colours())).argmin(-1)
    grid = nearest.view(len(pictures), height // MERGED, BINS, width // MERGED, BINS)
    return grid.permute(0, 1, 3, 2, 4).reshape(-1, BINS * BINS).numpy()


class Fetch(torch.nn.Module):
    """A head with one learned query per address: it attends to a picture's visual tokens and names the value there.

    The language model must later do the same lookup, so the eye learns to support it. Labels by place alone are not
    enough: with them, programs did not learn to find the values.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries = torch.nn.Parameter(0.1 * torch.randn(marks.ADDRESSES - 1, width))
        self.keys, self.contents = (torch.nn.Linear(width, width) for _ in range(2))
        self.values = torch.nn.Linear(width, marks.VALUES)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Visual tokens [B, patches, width] to logits of values [B, addresses, VALUES]. Class 0: there is no mark."""
        q, k, v = (
            t.view(len(t), -1, t.shape[-1] // HEAD, HEAD).transpose(1, 2)
            for t in (self.queries.expand(len(seen), -1, -1), self.keys(seen), self.contents(seen))
        )
        found = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return self.values(found.transpose(1, 2).flatten(2))


def listed(labels: np.ndarray) -> np.ndarray:
    """Labels by place [B, 3, patches, BINS] to values by address: int64 [B, addresses]. 0: there is no mark."""
    values, addresses = labels[:, 0], labels[:, 1]
    lists = np.zeros((len(labels), marks.ADDRESSES), np.int64)
    picture, *_ = at = np.nonzero(addresses)
    lists[picture, addresses[tuple(at)]] = values[tuple(at)]
    return lists[:, 1:]


def train_eye(
    visual: torch.nn.Module,
    pictures: dict[str, np.ndarray],
    positions: np.ndarray,
    alone: int,
    warm: int,
    rng: random.Random,
    train: Callable[..., None],
    batch: int = 16,
) -> None:
    """Train the vision tower in place, each step on sketches, charts, pages and strips.

    pictures: by domain. positions: `marks.all_positions` of the charts.
    batch: sketches per step, with half as many charts, a quarter as many pages (if `pictures` has any) and twice as
    many strips.
    alone: the first steps, which see only strips, four times as many. An untrained eye learns letters slowly beside
    everything else (0.09 of them right after 600 steps), and strips are small.
    warm: the steps after that, which train only the heads. Untrained heads would make the eye forget what it learned.
    rng: the loop's. train: `Loop.train` with all arguments set but module, make and losses.

    Logs the loss and, for each head, the share of places named right, among places that hold something. For `heights`
    and `fetched` a value also counts if it is off by one class, a tenth.
    """
    width, classes, colours = visual.config.out_hidden_size, len(CHARACTERS) + 1, len(cell_colours())
    kinds = {
        "letters": BINS * classes,
        "cells": BINS * BINS * colours,
        "heights": BINS * marks.VALUES,
        "addresses": BINS * marks.ADDRESSES,
        "inks": BINS * (1 + len(SERIES_COLOURS)),
    }
    heads = torch.nn.ModuleDict({name: torch.nn.Linear(width, n) for name, n in kinds.items()})
    heads["fetched"] = Fetch(width)

    def make(step: int) -> dict:
        strips, letters = strip_batch(rng, (8 if step < alone else 2) * batch)
        made = {"strips": strips, "letters": letters}
        if step >= alone:
            made |= _scenes(pictures, positions, rng, batch)
        return {name: torch.from_numpy(value) for name, value in made.items()}

    def losses(step: int, given: dict) -> dict:
        visual.requires_grad_(not alone <= step < alone + warm)
        seen = {"letters": _look(visual, given["strips"])}
        if step >= alone:
            shown = _look(visual, given["pictures"]).view(len(given["pictures"]), -1, width)
            with_marks = shown[: batch + batch // 2]
            seen |= {"cells": shown[batch:]} | dict.fromkeys(("heights", "addresses", "inks", "fetched"), with_marks)
        named = {name: _named(heads[name](tokens), given[name], RARE[name]) for name, tokens in seen.items()}
        figures = {name: near if name in ("heights", "fetched") else right for name, (_, right, near) in named.items()}
        return {"loss": sum(loss for loss, _, _ in named.values()), **figures}

    train(torch.nn.ModuleList([visual, heads]).to(visual.device), make=make, losses=losses)
    visual.requires_grad_(True)


def _scenes(
    pictures: dict[str, np.ndarray], positions: np.ndarray, rng: random.Random, batch: int
) -> dict[str, np.ndarray]:
    """A batch of sketches, charts and pages with the labels of all heads but `letters`."""
    rows = sorted(rng.sample(range(len(positions)), batch // 2))
    scenes = pictures[CHART.name][rows]
    if WEB.name in pictures:
        pages = pictures[WEB.name]
        scenes = np.concatenate([scenes, pages[sorted(rng.sample(range(len(pages)), batch // 4))]])
    specs = [spec(rng) for _ in range(batch)]
    sketches, where = zip(*map(sketch, specs), strict=True)
    charts = (marks.place(PRETRAINED[CHART.name].spec(i), positions[i]) for i in rows)
    labels = np.stack([*map(marks.place, specs, where), *charts]).astype(np.int64)
    made = {"pictures": np.concatenate([np.stack(sketches), scenes]), "cells": cells(scenes)}
    return made | {"heights": labels[:, 0], "addresses": labels[:, 1], "inks": labels[:, 2], "fetched": listed(labels)}


def _look(visual, pictures: torch.Tensor) -> torch.Tensor:
    """The visual tokens [B * patches, width] of pictures [B, H, W, 3]."""
    pixels, grid = patches(pictures)
    with torch.autocast(pixels.device.type, torch.bfloat16):
        return visual(pixels, grid_thw=grid).pooler_output.float()


def _named(guess: torch.Tensor, labels: torch.Tensor, rare: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The loss, with weight `rare` for class 0; and, among places that hold something, two shares.

    The shares are of guesses that are right, and of guesses that are off by at most one class.
    """
    target = labels.flatten()
    guess = guess.view(len(target), -1)
    weight = torch.ones(guess.shape[1], device=guess.device)
    weight[0] = rare
    drawn = target > 0
    off = (guess.detach().argmax(-1)[drawn] - target[drawn]).abs()
    loss = torch.nn.functional.cross_entropy(guess, target, weight=weight)
    return loss, (off == 0).float().mean(), (off <= 1).float().mean()
