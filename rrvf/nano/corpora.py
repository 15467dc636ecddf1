"""The corpora of the pre-training: pictures of charts and pages with their transcripts, built once in a folder."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from rrvf.data.seeded import PRETRAINED
from rrvf.domains import CHART, DOMAINS, NANO_CANVAS, WEB
from rrvf.judge.embedded import judge_pair
from rrvf.nano import corpus
from rrvf.nano.careless import careless
from rrvf.nano.corpus import MAX_TURN_TOKENS, Segment
from rrvf.nano.marks import all_positions
from rrvf.nano.recipe import Recipe
from rrvf.outputs import whole
from rrvf.policies.local import LocalPolicy
from rrvf.protocol import first_message, load_prompt
from rrvf.render import Limits, Renderer

#: A transcript with its picture: domain, index of the picture, segments.
Row = tuple[str, int, list[Segment]]


class Corpora:
    """Pictures and transcripts of both domains.

    folder: files that it holds are read, not made again. Call `render` first: it sets `pictures`, uint8
    [count, H, W, 3] by domain, and `positions`, the marks of the charts.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.recipe = folder, recipe
        counts = {CHART.name: recipe.charts, WEB.name: recipe.pages}
        self.counts = {domain: count for domain, count in counts.items() if count}
        self.pictures: dict[str, np.ndarray] = {}

    def render(self) -> None:
        """Render every picture with the product's renderers."""
        for domain, count in self.counts.items():
            path = self.folder / f"{domain}_{count}.npy"
            if path.exists():
                self.pictures[domain] = np.load(path, mmap_mode="r")
                continue
            with Renderer(domain, 2, Limits(canvas=NANO_CANVAS)) as renderer:
                self.pictures[domain] = corpus.render_pictures(domain, 0, count, path, renderer.render_many)

        self.positions = all_positions(self.recipe.charts, self.folder / f"positions_{self.recipe.charts}.npy")

    def thought(self, domain: str, seed: int) -> str:
        """The text of `<think>` for picture number `seed`."""
        spec = PRETRAINED[domain].spec(seed)
        return corpus.think(domain, spec, self.marks(domain, seed))

    def marks(self, domain: str, seed: int) -> np.ndarray | None:
        """The positions of the marks of chart number `seed`; None for a page."""
        return self.positions[seed] if domain == CHART.name else None

    def readings(self) -> list[Row]:
        """A transcript per chart that ends after the thought, before the program."""
        return [(CHART.name, i, corpus.read_aloud(self.thought(CHART.name, i))) for i in range(self.recipe.charts)]

    def single_turns(self) -> list[Row]:
        """Two transcripts per picture, in turn: its direct answer, and its first turn with tools.

        Four in five of these first turns are a call; the others answer at once.
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

    def multi_turns(self, drafter: Path) -> list[Row]:
        """First turns that the policy at `drafter` samples for the first pictures, each with its repairs.

        Kept as JSON in the folder: a second call reads them.
        """
        path = self.folder / f"repairs_{self.recipe.chart_repairs}_{self.recipe.page_repairs}.json"
        if not path.exists():
            policy = LocalPolicy(str(drafter), max_new_tokens=MAX_TURN_TOKENS)
            rows = [
                (domain, i, [(s.text, s.learn) for s in segments])
                for domain in self.pictures
                for i, segments in self._repairs(domain, policy)
            ]
            with whole(path) as partial:
                partial.write_text(json.dumps(rows))
        return [(d, i, [Segment(*s) for s in segments]) for d, i, segments in json.loads(path.read_text())]

    def _repairs(self, domain: str, policy: LocalPolicy) -> Iterator[tuple[int, list[Segment]]]:
        count = {CHART.name: self.recipe.chart_repairs, WEB.name: self.recipe.page_repairs}[domain]
        pictures = self.pictures[domain][:count]
        drafts = partial(_sampled, policy, load_prompt(DOMAINS[domain], "tools", "nano").text)
        with Renderer(domain, 2, Limits(canvas=NANO_CANVAS)) as renderer:
            turns = corpus.repairs(
                domain, pictures, partial(self.thought, domain), drafts, renderer.render_many, _feedback
            )
            yield from tqdm(turns, total=len(pictures), desc=f"{domain} repairs")


def _sampled(policy: LocalPolicy, prompt: str, pictures: np.ndarray) -> list[str]:
    return policy.chat([[first_message(Image.fromarray(p), prompt)] for p in pictures], temperature=1.0)


def _feedback(reference: np.ndarray, generated: np.ndarray, domain: str) -> str:
    return judge_pair(reference, generated, domain).feedback
