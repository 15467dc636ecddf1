"""Pre-train the nano policy on a CPU or a GPU, from nothing, in five stages.

    python -m rrvf.nano.pretrain --out runs/nano-policy

1. eye: letters, colours, marks and their values by place (`rrvf.nano.eye`)     2. strips: a strip of text to its words
3. readings: charts and sketches to what is read aloud (`rrvf.nano.gaze`)       4. programs: to answers and first calls
5. feedback: the same mixed with repairs of own drafts

A finished stage is skipped and a killed one goes on from its last snapshot, at most 100 steps back. What the steps buy
stands in docs/nano_card.md and docs/log.md. The finished policy is `DIR/final`. With `--start FOLDER` all stages go on
from that policy.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm
from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer, Qwen2_5_VLConfig

from rrvf.data.seeded import PRETRAINED
from rrvf.domains import CHART, DOMAINS, NANO_CANVAS, WEB
from rrvf.errors import UserError
from rrvf.judge.embedded import judge_pair
from rrvf.nano import corpus, write_manifest
from rrvf.nano.batches import encode, program_batches, sketch_batches, strip_batches
from rrvf.nano.careless import careless
from rrvf.nano.eye import train_eye
from rrvf.nano.gaze import Gaze
from rrvf.nano.loop import Loop, snapshot_of
from rrvf.nano.marks import all_positions
from rrvf.nano.model import SIZES, build_model, build_tokenizer, patches, save
from rrvf.policies.local import LocalPolicy, first_message
from rrvf.policies.vision import batched_vision
from rrvf.protocol import load_prompt
from rrvf.render import Limits, Renderer

#: The weight of each kind of look beside the words.
GAZE = 0.1


@dataclass(frozen=True)
class Recipe:
    """How long, on how much.

    A step has 32 strips and 28 pictures (eye), 128 strips, twice `batch` charts to read, or `batch` pictures with their
    turns.

    pages: with 0 of them the policy knows charts alone. alone, warm: see `train_eye`. size: of `model.SIZES`, where the
    policy begins from nothing. threads: of a CPU. workers: that make batches ahead; a GPU wants some. No steps of
    feedback: no drafts are made for it either.
    """

    eye_steps: int = 3_200
    eye_rate: float = 3e-3
    alone: int = 1_000
    warm: int = 100
    strip_steps: int = 1_600
    reading_steps: int = 450
    program_steps: int = 1_300
    feedback_steps: int = 250
    charts: int = 12_000
    pages: int = 4_000
    chart_repairs: int = 360
    page_repairs: int = 160
    batch: int = 24
    threads: int = 2
    workers: int = 0
    size: str = "nano"
    seed: int = 0


class Corpora:
    """Pictures and transcripts of both domains, built once and kept in a folder."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.recipe = folder, recipe
        counts = {CHART.name: recipe.charts, WEB.name: recipe.pages}
        self.counts = {domain: count for domain, count in counts.items() if count}
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

        self.positions = all_positions(self.recipe.charts, self.folder / f"positions_{self.recipe.charts}.npy")

    def thought(self, domain: str, seed: int) -> str:
        """What is read aloud of picture number `seed`."""
        spec = PRETRAINED[domain].spec(seed)
        return corpus.think(domain, spec, self.marks(domain, seed))

    def marks(self, domain: str, seed: int) -> np.ndarray | None:
        """Where the marks of chart number `seed` stand; None for a page."""
        return self.positions[seed] if domain == CHART.name else None

    def readings(self) -> list[tuple[str, int, list[corpus.Segment]]]:
        """Each chart's answer as far as the chart is read aloud."""
        return [(CHART.name, i, corpus.read_aloud(self.thought(CHART.name, i))) for i in range(self.recipe.charts)]

    def single_turns(self) -> list[tuple[str, int, list[corpus.Segment]]]:
        """Each picture's direct answer and its first turn with tools, a call in four of five.

        (domain, index, segments).
        """
        rows = []
        for domain, count in self.counts.items():
            for seed in range(count):
                spec, thought = PRETRAINED[domain].spec(seed), self.thought(domain, seed)
                drawn = random.Random(f"careless {domain} {seed}")
                answer, call = (careless(DOMAINS[domain], spec, drawn) for _ in range(2))
                first = corpus.first_call(domain, call, thought, at_once=seed % 5 == 0)
                rows += [(domain, seed, corpus.direct(domain, answer, thought)), (domain, seed, first)]
        return rows

    def multi_turns(self, drafter: Path) -> list[tuple[str, int, list[corpus.Segment]]]:
        """First turns of the policy at `drafter`, sampled, with their repairs: over the first pictures.

        Kept as JSON.
        """
        path = self.folder / f"repairs_{self.recipe.chart_repairs}_{self.recipe.page_repairs}.json"
        if not path.exists():
            rows, policy = [], LocalPolicy(str(drafter), max_new_tokens=corpus.MAX_TURN_TOKENS)
            wanted = {CHART.name: self.recipe.chart_repairs, WEB.name: self.recipe.page_repairs}
            for domain, pictures in self.pictures.items():
                prompt = load_prompt(DOMAINS[domain], "tools", "nano").text
                drafts = partial(_sampled, policy, prompt)
                with Renderer(domain, 2, Limits(canvas=NANO_CANVAS)) as renderer:
                    some = pictures[: wanted[domain]]
                    turns = corpus.repairs(
                        domain, some, partial(self.thought, domain), drafts, renderer.render_many, _words
                    )
                    rows += [
                        (domain, i, [(s.text, s.learn) for s in segments])
                        for i, segments in tqdm(turns, total=len(some), desc=f"{domain} repairs")
                    ]
            path.write_text(json.dumps(rows))
        return [(d, i, [corpus.Segment(*s) for s in segments]) for d, i, segments in json.loads(path.read_text())]


def _sampled(policy: LocalPolicy, prompt: str, pictures: np.ndarray) -> list[str]:
    return policy.chat([[first_message(Image.fromarray(p), prompt)] for p in pictures], temperature=1.0)


def _words(reference: np.ndarray, generated: np.ndarray, domain: str) -> str:
    return judge_pair(reference, generated, domain).feedback


def pretrain(out: Path, recipe: Recipe, log: Callable[[str], None], start: Path | None = None) -> None:
    """All stages into `out`; the finished policy is `out/final`.

    From nothing, or from the weights and words of `start`.
    """
    torch.set_num_threads(recipe.threads)
    batched_vision()
    corpora = Corpora(out / "corpora", recipe)
    corpora.render()
    single = corpora.single_turns()
    tokenizer = _tokenizer(start or out / "tokenizer", [s.text for _, _, row in single for s in row])

    def encoded(rows: list) -> list:
        return [encode(tokenizer, d, i, segments, corpora.marks(d, i)) for d, i, segments in rows]

    answers, firsts = (encoded(single[k::2]) for k in (0, 1))
    model = started(start) if start else build_model(recipe.seed, SIZES[recipe.size])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    gaze = Gaze(model.model.language_model)
    if device == "cpu":
        _compile(model)
    rng = random.Random(recipe.seed)
    loop = Loop(rng, log, device, recipe.workers)
    strips = strip_batches(tokenizer, rng)

    (drawn,) = program_batches(tokenizer, [encoded(corpora.readings())], corpora.pictures, rng, 2 * recipe.batch)
    sketched = sketch_batches(tokenizer, rng, 2 * recipe.batch)

    def readings() -> dict:
        return rng.choices([sketched, drawn], [0.7, 0.3])[0]()

    def programs(groups: list, shares: list[float]) -> Callable[[], dict]:
        sources = [*program_batches(tokenizer, groups, corpora.pictures, rng, recipe.batch), readings, strips]
        return lambda: rng.choices(sources, shares)[0]()

    def train(steps: int, rate: float, make: Callable[[], dict], path: Path) -> None:
        loop.train(model, steps, rate, lambda _: make(), lambda _, batch: _loss(model, gaze, batch), path)

    def read(steps: int, make: Callable[[], dict], path: Path) -> None:
        model.model.visual.requires_grad_(False)  # half the time of a step; what is to be read it can say already
        train(steps, 2e-3, make, path)
        model.model.visual.requires_grad_(True)

    def feedback(path: Path) -> None:
        if not recipe.feedback_steps:
            return
        save(deepcopy(model).to(torch.bfloat16), tokenizer, out / "drafter")
        repairs = encoded(corpora.multi_turns(out / "drafter"))
        make = programs([answers, firsts, repairs], [0.3, 0.2, 0.35, 0.1, 0.05])
        train(recipe.feedback_steps, 7e-4, make, path)

    stages = {
        "eye": lambda path: train_eye(
            model.model.visual,
            corpora.pictures,
            corpora.positions,
            recipe.alone,
            recipe.warm,
            rng,
            partial(loop.train, steps=recipe.eye_steps, rate=recipe.eye_rate, path=path),
        ),
        "strips": lambda path: read(recipe.strip_steps, strips, path),
        "readings": lambda path: read(recipe.reading_steps, readings, path),
        "programs": lambda path: train(
            recipe.program_steps, 1e-3, programs([answers, firsts], [0.45, 0.35, 0.1, 0.1]), path
        ),
        "feedback": feedback,
    }
    _run(stages, model, out)
    save(model.to("cpu", torch.bfloat16), tokenizer, out / "final")
    write_manifest(out / "final")


def _compile(model) -> None:
    for block in model.model.visual.blocks:
        # Strips and pictures, frozen or not: after eight forms, the default, it would run uncompiled.
        block.compile(recompile_limit=64)
    for block in model.model.language_model.layers:
        block.compile(dynamic=True)


def _run(stages: dict[str, Callable[[Path], None]], model: torch.nn.Module, out: Path) -> None:
    """Each stage once: of a finished one the weights are read back."""
    for name, stage in stages.items():
        path = out / f"{name}.pt"
        if path.exists():
            model.load_state_dict(torch.load(path, map_location=model.device))
            continue
        stage(path)
        torch.save(model.state_dict(), path)
        snapshot_of(path).unlink(missing_ok=True)


def started(folder: Path):
    """The policy in `folder`, float32, its eye's places turned as the large model's and vLLM's are.

    Up to version 4 they were turned by a base of 10^6; the eye's stage teaches them anew.
    """
    config = AutoConfig.from_pretrained(folder)
    config.vision_config.rope_parameters = Qwen2_5_VLConfig().vision_config.rope_parameters
    return AutoModelForImageTextToText.from_pretrained(folder, config=config, dtype=torch.float32)


def _loss(model, gaze: Gaze, batch: dict) -> dict:
    looks, (pixels, grid) = batch.pop("looks"), patches(batch.pop("pictures"))
    with torch.autocast(pixels.device.type, torch.bfloat16):
        said = model(**batch, pixel_values=pixels, image_grid_thw=grid, use_cache=False).loss
    seen = gaze.losses(looks)
    return {"loss": said + GAZE * seen.pop("gaze"), "said": said.detach(), **seen}


def _tokenizer(folder: Path, texts: list[str]):
    if not folder.exists():
        build_tokenizer(texts + corpus.vocabulary()).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def main() -> None:
    """Run the stages with a Recipe from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path)
    for name, value in vars(Recipe()).items():
        choices = SIZES if name == "size" else None
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, choices=choices)
    options = vars(parser.parse_args())
    out, start = options.pop("out"), options.pop("start")
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log.txt").open("a", buffering=1) as file:
        try:
            pretrain(out, Recipe(**options), lambda line: print(line, file=file, flush=True), start)
        except UserError as error:
            parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
