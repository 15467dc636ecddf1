"""Pre-trains the nano policy on a CPU, from nothing, in four stages:

    python -m rrvf.nano.pretrain --out runs/nano-policy

1. eye: letters per patch, densely (`rrvf.nano.eye`)       2. strips: a strip of text to its words
3. programs: pictures to direct answers and first calls     4. feedback: the same mixed with multi-turn repairs

A stage that is finished is skipped; a killed one begins anew from the end of the one before. Minutes per stage are
settings; what they buy stands in docs/nano_card.md.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from rrvf.domains import NANO_CANVAS
from rrvf.judge.embedded import judge_pair
from rrvf.nano import corpus
from rrvf.nano.eye import strip, train_eye
from rrvf.nano.model import CONTROL, MERGED, build_model, build_tokenizer, patches, save
from rrvf.policies.vision import batch_vision_attention
from rrvf.render import Limits, Renderer

START, PAD_IMAGE = CONTROL.index("<|im_start|>"), CONTROL.index("<|image_pad|>")
VISION_START = CONTROL.index("<|vision_start|>")
IGNORED = -100


@dataclass(frozen=True)
class Recipe:
    """How long, on how much. Minutes are wall time on two cores."""

    eye_minutes: float = 11.0
    strip_minutes: float = 8.0
    program_minutes: float = 22.0
    feedback_minutes: float = 12.0
    charts: int = 10_000
    pages: int = 6_000
    chart_repairs: int = 3_000
    page_repairs: int = 1_800
    batch: int = 24
    seed: int = 0


@dataclass(frozen=True)
class Example:
    """Token ids after the picture, which of them carry loss, and where the picture lies: (array, index)."""

    ids: list[int]
    learn: list[bool]
    picture: tuple[str, int]


class Corpora:
    """Pictures and transcripts of both domains, built once and kept in a folder."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.recipe = folder, recipe
        self.counts = {"chart": recipe.charts, "web": recipe.pages}
        self.pictures: dict[str, np.ndarray] = {}

    def render(self) -> None:
        """Draw every picture with the product's own renderers."""
        for domain, count in self.counts.items():
            path = self.folder / f"{domain}_{count}.npy"
            if path.exists():
                self.pictures[domain] = np.load(path, mmap_mode="r")
                continue
            with Renderer(domain, 2, Limits(canvas=NANO_CANVAS)) as renderer:
                self.pictures[domain] = corpus.render_pictures(domain, 0, count, path, renderer.render_many)

    def single_turns(self) -> list[tuple[str, int, list[corpus.Segment]]]:
        """Each picture's direct answer and first call: (domain, index, segments)."""
        rows = []
        for domain, count in self.counts.items():
            for seed in range(count):
                spec = corpus.GENERATORS[domain].spec(seed)
                rows += [(domain, seed, corpus.direct(domain, spec)), (domain, seed, corpus.first_call(domain, spec))]
        return rows

    def multi_turns(self) -> list[tuple[str, int, list[corpus.Segment]]]:
        """Repairs with real errors and real feedback, over the first pictures of each domain; kept as JSON lines."""
        path = self.folder / f"repairs_{self.recipe.chart_repairs}_{self.recipe.page_repairs}.json"
        if not path.exists():
            rows = []
            for domain, count in (("chart", self.recipe.chart_repairs), ("web", self.recipe.page_repairs)):
                with Renderer(domain, 2, Limits(canvas=NANO_CANVAS)) as renderer:
                    turns = corpus.repairs(domain, range(count), self.pictures[domain], renderer.render_many, _words)
                    rows += [
                        (domain, i, [(s.text, s.learn) for s in segments])
                        for i, segments in tqdm(turns, total=count, desc=f"{domain} repairs")
                    ]
            path.write_text(json.dumps(rows))
        return [(d, i, [corpus.Segment(*s) for s in segments]) for d, i, segments in json.loads(path.read_text())]


def _words(reference: np.ndarray, generated: np.ndarray, domain: str) -> str:
    return judge_pair(reference, generated, domain).feedback


def encode(tokenizer, domain: str, index: int, segments: list[corpus.Segment]) -> Example:
    """Segments to ids. They meet at control tokens, where a tokenizer cuts anyway."""
    ids, learn = [], []
    for segment in segments:
        tokens = tokenizer(segment.text, add_special_tokens=False)["input_ids"]
        ids += tokens
        learn += [segment.learn] * len(tokens)
    return Example(ids, learn, (domain, index))


def collate(examples: list[Example], pictures: np.ndarray, user: list[int]) -> dict[str, torch.Tensor]:
    """A batch for the model: `user` ids, the picture's places, then each example's ids, padded on the right."""
    pixels, grid = patches(pictures)
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
        "pixel_values": pixels,
        "image_grid_thw": grid,
        "mm_token_type_ids": (ids == PAD_IMAGE).long(),
    }


def train(model, minutes: float, rate: float, make: Callable[[], dict], log: Callable[[str], None], name: str) -> None:
    """AdamW with warm-up and cosine over wall time; the loss is the mean over the tokens that carry it."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.05)
    model.train()
    started, step, recent = time.monotonic(), 0, []
    while (part := (time.monotonic() - started) / 60 / minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 60) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * part)))
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(**make()).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        recent.append(loss.item())
        step += 1
        if step % 100 == 0:
            log(f"{name} {step} loss {np.mean(recent[-100:]):.4f} {60 * minutes * part:.0f}s")


def strip_batches(tokenizer, user: list[int], rng: random.Random, size: int = 64) -> Callable[[], dict]:
    """Strips of text with their words as the answer, in the place where programs will stand."""
    opening = tokenizer("<|vision_end|><|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]

    def make() -> dict:
        strips = [strip(rng, MERGED) for _ in range(size)]
        answers = [tokenizer(f"{s[1]}<|im_end|>", add_special_tokens=False)["input_ids"] for s in strips]
        rows = [Example(opening + a, [False] * len(opening) + [True] * len(a), ("", 0)) for a in answers]
        return collate(rows, np.stack([s[0] for s in strips]), user)

    return make


def program_batches(
    groups: list[list[Example]], shares: list[float], pictures: dict[str, np.ndarray], user: list[int], rng, size: int
) -> Callable[[], dict]:
    """Batches of one group each, drawn by `shares`; examples of like length together, to spare padding."""
    orders = [_passes(group, rng, size) for group in groups]

    def make() -> dict:
        batch = next(rng.choices(orders, shares)[0])
        return collate(batch, np.stack([pictures[d][i] for d, i in (e.picture for e in batch)]), user)

    return make


def _passes(group: list[Example], rng: random.Random, size: int):
    while True:
        order = rng.sample(group, len(group))
        for start in range(0, len(order) - size + 1, 16 * size):
            near = sorted(order[start : start + 16 * size], key=lambda e: len(e.ids))
            batches = [near[i : i + size] for i in range(0, len(near), size)]
            yield from rng.sample(batches, len(batches))


def pretrain(out: Path, recipe: Recipe, log: Callable[[str], None]) -> None:
    """All stages into `out`; the finished policy is `out/final`."""
    batch_vision_attention()
    out.mkdir(parents=True, exist_ok=True)
    corpora = Corpora(out / "corpora", recipe)
    corpora.render()
    single = corpora.single_turns()
    multi = corpora.multi_turns()
    tokenizer = build_tokenizer([s.text for _, _, segments in single + multi for s in segments])
    user = tokenizer("user\n", add_special_tokens=False)["input_ids"]
    answers, calls = ([encode(tokenizer, *row) for row in single[k::2]] for k in (0, 1))
    repairs = [encode(tokenizer, *row) for row in multi]
    model = build_model(recipe.seed)
    rng = random.Random(recipe.seed)
    pictures, size = corpora.pictures, recipe.batch

    def eye():
        train_eye(model, 60 * recipe.eye_minutes, recipe.seed, log)

    def strips():
        train(model, recipe.strip_minutes, 1e-3, strip_batches(tokenizer, user, rng), log, "strips")

    def programs():
        make = program_batches([answers, calls], [0.6, 0.4], pictures, user, rng, size)
        train(model, recipe.program_minutes, 1e-3, make, log, "programs")

    def feedback():
        make = program_batches([answers, calls, repairs], [0.35, 0.15, 0.5], pictures, user, rng, size)
        train(model, recipe.feedback_minutes, 6e-4, make, log, "feedback")

    for stage in (eye, strips, programs, feedback):
        path = out / f"{stage.__name__}.pt"
        if path.exists():
            model.load_state_dict(torch.load(path))
            continue
        stage()
        torch.save(model.state_dict(), path)
        save(model.to(torch.float32), tokenizer, out / stage.__name__)
    save(model, tokenizer, out / "final")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    for name, value in vars(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args())
    out = options.pop("out")
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log.txt").open("a", buffering=1) as file:
        pretrain(out, Recipe(**options), lambda line: print(line, file=file, flush=True))


if __name__ == "__main__":
    main()
