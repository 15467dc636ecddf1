"""First stage of pre-training: teach the eye letters, densely.

Strips of text, horizontal as in titles and ticks, upright as in y labels, and a linear head on each merged patch that
says which characters lie in it; the renderer knows where it drew them. Without this stage a small model takes hours to
begin to read (the loss stays flat); with it, minutes. The head is thrown away.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from rrvf.nano.model import MERGED, TEXT_WIDTH, patches
from rrvf.data.generated.words import CHARACTERS, PALETTE, WORDS

LIBERATION = Path("/usr/share/fonts/truetype/liberation")
_PLACE = {c: i for i, c in enumerate(CHARACTERS)}


@cache
def fonts() -> list[ImageFont.FreeTypeFont]:
    """DejaVu Sans as matplotlib draws it, Liberation Sans as Chromium does, at the sizes of charts and pages."""
    dejavu = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    files = [dejavu, dejavu, *(LIBERATION / f"LiberationSans-{style}.ttf" for style in ("Regular", "Bold"))]
    return [ImageFont.truetype(str(f), size) for f in files if f.is_file() for size in (9, 10, 11, 12, 13, 14, 16)]


def phrase(rng: random.Random) -> str:
    """One to four words: half from the vocabulary, the rest random strings and numbers, so that letters are learned."""
    return " ".join(_word(rng) for _ in range(rng.randint(1, 4)))


def _word(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(WORDS)
    if kind < 0.65:
        return f"{rng.randint(0, 2100) / rng.choice((1, 1, 10)):g}"
    letters = "".join(rng.choice(CHARACTERS) for _ in range(rng.randint(2, 8)))
    return letters.capitalize() if rng.random() < 0.5 else letters


def strip(
    rng: random.Random, height: int, text: str | None = None, plain: bool = False
) -> tuple[np.ndarray, str, np.ndarray]:
    """A 280-pixel strip: picture [height, 280, 3], its text, and which characters lie in each merged patch [n, C].

    plain: black on white.
    """
    text = text or phrase(rng)
    font = rng.choice(fonts())
    ink, paper = ("black", "white") if plain else _colours(rng)
    picture = Image.new("RGB", (280, height), paper)
    draw = ImageDraw.Draw(picture)
    while draw.textlength(text, font=font) > 276 and " " in text:
        text = text.rpartition(" ")[0]
    x = rng.uniform(0, max(1, 279 - draw.textlength(text, font=font)))
    y = rng.uniform(-1, height - font.size - 2)
    draw.text((x, y), text, fill=ink, font=font)
    return np.asarray(picture), text, _labels(draw, font, text, x, y, height)


def _labels(draw: ImageDraw.ImageDraw, font, text: str, x: float, y: float, height: int) -> np.ndarray:
    rows, columns = height // MERGED, 280 // MERGED
    labels = np.zeros((rows, columns, len(CHARACTERS)), np.float32)
    top, bottom = y + 0.25 * font.size, y + 1.05 * font.size
    for i, character in enumerate(text):
        if character not in _PLACE:
            continue
        middle = x + (draw.textlength(text[:i], font=font) + draw.textlength(text[: i + 1], font=font)) / 2
        column = int(middle // MERGED)
        for row in range(rows):
            seen = min(bottom, (row + 1) * MERGED) - max(top, row * MERGED)
            if 0 <= column < columns and seen > 0.4 * (bottom - top):
                labels[row, column, _PLACE[character]] = 1
    return labels.reshape(rows * columns, -1)


def _colours(rng: random.Random) -> tuple[str, str]:
    kind = rng.random()
    if kind < 0.6:
        return "black", "white"
    if kind < 0.8:
        return "white", rng.choice(PALETTE)
    return rng.choice(PALETTE), rng.choice(("white", "#f5f5f5"))


def dense_batch(rng: random.Random, size: int, plain: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Pictures [B, H, W, 3] and labels [B*n, C]; one shape a batch, a third of the batches upright.

    plain: low, level and black on white, to begin with; on the full variety the loss stays flat for many minutes.
    """
    kind = 0.5 if plain else rng.random()
    height = 56 if kind < 0.2 else 28
    strips = [strip(rng, height, plain=plain) for _ in range(size)]
    pictures, labels = np.stack([s[0] for s in strips]), np.stack([s[2] for s in strips])
    if kind > 0.7:
        # A quarter turn to the left, as y labels are written: what was right is now on top.
        pictures = np.ascontiguousarray(np.rot90(pictures, axes=(1, 2)))
        labels = labels.reshape(size, height // MERGED, 10, -1)[:, :, ::-1].transpose(0, 2, 1, 3)
    return pictures, np.ascontiguousarray(labels.reshape(-1, len(CHARACTERS)))


def train_eye(model, seconds: float, seed: int, log: Callable[[str], None], batch: int = 96, rate: float = 2e-3) -> None:
    """Train the vision tower in place for `seconds`; logs loss, precision and recall of letters per patch."""
    rng = random.Random(seed)
    visual = model.model.visual
    head = torch.nn.Linear(TEXT_WIDTH, len(CHARACTERS))
    parameters = [*visual.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.95), weight_decay=0.05)
    weight = torch.tensor(6.0)
    started, step = time.monotonic(), 0
    while (elapsed := time.monotonic() - started) < seconds:
        part = elapsed / seconds
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 60) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * part)))
        pictures, labels = dense_batch(rng, batch, plain=part < 0.35 or rng.random() < 2 * (0.6 - part))
        pixels, grid = patches(pictures)
        target = torch.from_numpy(labels)
        with torch.autocast("cpu", torch.bfloat16):
            seen = visual(pixels, grid_thw=grid)
            seen = seen.pooler_output if hasattr(seen, "pooler_output") else seen
            guess = head(torch.cat(list(seen)) if isinstance(seen, (list, tuple)) else seen).float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(guess, target, pos_weight=weight)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        step += 1
        if step % 100 == 0:
            hit = ((guess > 0) * target).sum()
            precision, recall = hit / (guess > 0).sum().clamp(min=1), hit / target.sum()
            log(f"eye {step} loss {loss.item():.4f} precision {precision:.3f} recall {recall:.3f} {elapsed:.0f}s")
