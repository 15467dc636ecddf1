"""Pre-train the nano policy on a CPU or a GPU, from scratch, in five stages.

    python -m rrvf.nano.pretrain --out runs/nano-policy

1. eye: the vision tower alone: letters, colours, marks and their values (`rrvf.nano.eye`)
2. strips: a strip of text to its words
3. readings: charts and sketches to the thought that reads them aloud (`rrvf.nano.gaze`)
4. programs: pictures to answers and first calls
5. feedback: the same, mixed with repairs of the policy's own drafts

A finished stage is skipped. A killed stage continues from its last snapshot, at most 100 steps back. For the effect of
each stage see docs/nano_card.md and docs/log.md. The finished policy is `DIR/final`. With `--start FOLDER` all stages
continue from that policy.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer, Qwen2_5_VLConfig

from rrvf.errors import UserError
from rrvf.nano import corpus, write_manifest
from rrvf.nano.batches import Example, encode, program_batches, sketch_batches, strip_batches
from rrvf.nano.corpora import Corpora, Row
from rrvf.nano.eye import train_eye
from rrvf.nano.gaze import Gaze
from rrvf.nano.loop import Loop, snapshot_of
from rrvf.nano.model import SIZES, build_model, build_tokenizer, patches, save
from rrvf.nano.recipe import Recipe
from rrvf.outputs import whole
from rrvf.policies.vision import batched_vision

#: The weight of the gaze loss beside the loss of the words.
GAZE = 0.1


class Pretraining:
    """A policy in pre-training, with its tokenizer, corpora and training loop. Each stage is a method.

    out: the folder of the run. log: takes a line every 100 steps. start: a policy whose weights and tokenizer the run
    continues from; None: from scratch.
    """

    def __init__(self, out: Path, recipe: Recipe, log: Callable[[str], None], start: Path | None) -> None:
        torch.set_num_threads(recipe.threads)
        batched_vision()
        self.out, self.recipe = out, recipe
        self.corpora = Corpora(out / "corpora", recipe)
        self.corpora.render()
        single = self.corpora.single_turns()
        self.tokenizer = _tokenizer(start or out / "tokenizer", [s.text for _, _, row in single for s in row])
        self.answers, self.first_turns = (self._encoded(single[k::2]) for k in (0, 1))
        self.model = started(start) if start else build_model(recipe.seed, SIZES[recipe.size])
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model.to(device)
        self.gaze = Gaze(self.model.model.language_model)
        if device == "cpu":
            _compile(self.model)
        self.rng = random.Random(recipe.seed)
        self.loop = Loop(self.rng, log, device, recipe.workers)
        self._make_sources()

    def _make_sources(self) -> None:
        """Sources of batches that several stages share: each call of one draws the next batch."""
        twice = 2 * self.recipe.batch
        charts = self._encoded(self.corpora.readings())
        self.next_strips = strip_batches(self.tokenizer, self.rng)
        (self.next_charts,) = program_batches(self.tokenizer, [charts], self.corpora.pictures, self.rng, twice)
        self.next_sketches = sketch_batches(self.tokenizer, self.rng, twice)

    def _encoded(self, rows: list[Row]) -> list[Example]:
        return [encode(self.tokenizer, d, i, segments, self.corpora.marks(d, i)) for d, i, segments in rows]

    def next_readings(self) -> dict:
        """A batch of sketches or, in three of ten cases, of charts."""
        return self.rng.choices([self.next_sketches, self.next_charts], [0.7, 0.3])[0]()

    def programs_of(self, groups: list[list[Example]], shares: list[float]) -> Callable[[], dict]:
        """A source of batches: of each group, of readings and of strips, in these shares."""
        programs = program_batches(self.tokenizer, groups, self.corpora.pictures, self.rng, self.recipe.batch)
        sources = [*programs, self.next_readings, self.next_strips]
        return lambda: self.rng.choices(sources, shares)[0]()

    def run(self) -> None:
        """Run every stage once, or load its weights if it is finished. Then save the policy to `out/final`."""
        stages = {
            "eye": self.eye,
            "strips": self.strips,
            "readings": self.readings,
            "programs": self.programs,
            "feedback": self.feedback,
        }
        for name, stage in stages.items():
            path = self.out / f"{name}.pt"
            if path.exists():
                self.model.load_state_dict(torch.load(path, map_location=self.model.device))
                continue
            stage(path)
            with whole(path) as partial:
                torch.save(self.model.state_dict(), partial)
            snapshot_of(path).unlink(missing_ok=True)
        save(self.model.to("cpu", torch.bfloat16), self.tokenizer, self.out / "final")
        write_manifest(self.out / "final")

    def eye(self, path: Path) -> None:
        """Train the vision tower. path: the file of the stage, here and in the other stages."""
        recipe, corpora = self.recipe, self.corpora
        train = partial(self.loop.train, steps=recipe.eye_steps, rate=recipe.eye_rate, path=path)
        visual = self.model.model.visual
        train_eye(visual, corpora.pictures, corpora.positions, recipe.alone, recipe.warm, self.rng, train)

    def strips(self, path: Path) -> None:
        """Learn to write the words of strips of text."""
        self._train_reading(self.recipe.strip_steps, self.next_strips, path)

    def readings(self, path: Path) -> None:
        """Learn to read charts aloud."""
        self._train_reading(self.recipe.reading_steps, self.next_readings, path)

    def programs(self, path: Path) -> None:
        """Learn direct answers and first turns."""
        make = self.programs_of([self.answers, self.first_turns], [0.45, 0.35, 0.1, 0.1])
        self._train(self.recipe.program_steps, 1e-3, make, path)

    def feedback(self, path: Path) -> None:
        """Learn to repair drafts, which the policy samples first."""
        if not self.recipe.feedback_steps:
            return
        drafter = self.out / "drafter"
        save(deepcopy(self.model).to(torch.bfloat16), self.tokenizer, drafter)
        repairs = self._encoded(self.corpora.multi_turns(drafter))
        make = self.programs_of([self.answers, self.first_turns, repairs], [0.3, 0.2, 0.35, 0.1, 0.05])
        self._train(self.recipe.feedback_steps, 7e-4, make, path)

    def _train_reading(self, steps: int, make: Callable[[], dict], path: Path) -> None:
        # The vision tower is frozen: it knows what is to be read, and a step takes half the time.
        self.model.model.visual.requires_grad_(False)
        self._train(steps, 2e-3, make, path)
        self.model.model.visual.requires_grad_(True)

    def _train(self, steps: int, rate: float, make: Callable[[], dict], path: Path) -> None:
        self.loop.train(self.model, steps, rate, lambda _: make(), lambda _, batch: self._losses(batch), path)

    def _losses(self, batch: dict) -> dict:
        looks, (pixels, grid) = batch.pop("looks"), patches(batch.pop("pictures"))
        with torch.autocast(pixels.device.type, torch.bfloat16):
            said = self.model(**batch, pixel_values=pixels, image_grid_thw=grid, use_cache=False).loss
        seen = self.gaze.losses(looks)
        return {"loss": said + GAZE * seen.pop("gaze"), "said": said.detach(), **seen}


def pretrain(out: Path, recipe: Recipe, log: Callable[[str], None], start: Path | None = None) -> None:
    """Run all stages in `out`; the finished policy is `out/final`. Arguments as of `Pretraining`."""
    Pretraining(out, recipe, log, start).run()


def _compile(model) -> None:
    for block in model.model.visual.blocks:
        # Strips and pictures, frozen or not, are more than the default limit of eight graphs; beyond the limit the
        # block would run uncompiled.
        block.compile(recompile_limit=64)
    for block in model.model.language_model.layers:
        block.compile(dynamic=True)


def started(folder: Path):
    """The policy in `folder` in float32, with the rotary embedding of Qwen2.5-VL and vLLM in its vision tower.

    Up to version 4 of the nano policy that embedding had a base of 10^6. The eye stage adapts such weights.
    """
    config = AutoConfig.from_pretrained(folder)
    config.vision_config.rope_parameters = Qwen2_5_VLConfig().vision_config.rope_parameters
    return AutoModelForImageTextToText.from_pretrained(folder, config=config, dtype=torch.float32)


def _tokenizer(folder: Path, texts: list[str]):
    if not folder.exists():
        build_tokenizer(texts + corpus.vocabulary()).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def main() -> None:
    """Run all stages with a `Recipe` from the command line."""
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
