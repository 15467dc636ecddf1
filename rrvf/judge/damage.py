"""Controlled degradations: families of pictures, of charts and pages (`scenes`), that get worse step by step.

steps = FAMILIES["chart", "colour"](random.Random(0))    # the undamaged picture, then four steps of growing damage
"""

from __future__ import annotations

import pkgutil
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rrvf.domains import DOMAINS
from rrvf.judge.scenes import WORDS, Block, ChartScene, PageScene, draw_chart, draw_page, random_chart, random_page

Steps = list[np.ndarray]  # pictures: the undamaged one, then each worse than the one before
Make = Callable[[random.Random], Steps]


def _charts(change: Callable[[ChartScene, int, random.Random], ChartScene], **fixed) -> Make:
    def make(rng: random.Random) -> Steps:
        scene, seed = random_chart(rng, **fixed), rng.random()
        return [draw_chart(scene if k == 0 else change(scene, k, random.Random(seed))) for k in range(5)]

    return make


def _pages(change: Callable[[PageScene, int, random.Random], PageScene]) -> Make:
    def make(rng: random.Random) -> Steps:
        scene, seed = random_page(rng), rng.random()
        return [draw_page(scene if k == 0 else change(scene, k, random.Random(seed))) for k in range(5)]

    return make


def _pixels(draw: Callable[[random.Random], np.ndarray], change: Callable[[np.ndarray, int], np.ndarray]):
    def make(rng: random.Random) -> Steps:
        picture = draw(rng)
        return [picture] + [change(picture, k) for k in range(1, 5)]

    return make


def _shifted(rgb, k: int) -> tuple[float, float, float]:
    """A colour (0..1) moved by k quarters of the way towards yellow or indigo, whichever is farther away."""
    goal = max(((1.0, 0.9, 0.1), (0.2, 0.0, 0.5)), key=lambda g: sum((a - b) ** 2 for a, b in zip(g, rgb, strict=True)))
    return tuple((1 - k / 4) * v + k / 4 * g for v, g in zip(rgb, goal, strict=True))


def _recoloured(scene: ChartScene, k: int, rng: random.Random) -> ChartScene:
    from matplotlib.colors import to_rgb

    return replace(scene, colours=tuple(_shifted(to_rgb(c), k) for c in scene.colours))


def _misspelt(text: str, k: int, rng: random.Random) -> str:
    """The text with k quarters of its letters replaced."""
    spots = rng.sample(range(len(text)), round(len(text) * k / 4))
    return "".join(rng.choice("aegmowx") if i in spots else c for i, c in enumerate(text))


def _text_errors(scene: ChartScene, k: int, rng: random.Random) -> ChartScene:
    return replace(scene, title=_misspelt(scene.title, k, rng), x_label=_misspelt(scene.x_label, k, rng))


def _text_missing(scene: ChartScene, k: int, rng: random.Random) -> ChartScene:
    return replace(scene, y_label="", x_label="" if k > 1 else scene.x_label, title="" if k > 2 else scene.title,
                   names=tuple("i" for _ in scene.names) if k > 3 else scene.names)  # fmt: skip


def _mapped(scene: ChartScene, change: Callable[[float], float]) -> ChartScene:
    return replace(scene, values=tuple(tuple(change(v) for v in row) for row in scene.values))


def _permuted(scene: ChartScene, k: int, rng: random.Random) -> ChartScene:
    row = list(scene.values[0])
    for i in range(k):
        row[2 * i], row[2 * i + 1] = row[2 * i + 1], row[2 * i]
    return replace(scene, values=(tuple(row), *scene.values[1:]))


def _fewer(scene: ChartScene, k: int, rng: random.Random) -> ChartScene:
    keep = len(scene.values) - k
    return replace(scene, values=scene.values[:keep], colours=scene.colours[:keep], names=scene.names[:keep])


def _retyped(rng: random.Random) -> Steps:
    """Two steps: the right and a wrong kind of mark, with the same data and text."""
    scene = random_chart(rng, series=1)
    other = rng.choice([kind for kind in ("bar", "line", "scatter", "area") if kind != scene.kind])
    return [draw_chart(scene), draw_chart(replace(scene, kind=other))]


def _squeezed(scene: ChartScene, k: int, rng: random.Random) -> ChartScene:
    left, bottom, width, height = scene.box
    return replace(scene, box=(left, bottom + 0.1 * k * height, width * (1 - 0.15 * k), height * (1 - 0.15 * k)))


def _noisy(picture: np.ndarray, k: int) -> np.ndarray:
    noise = np.random.default_rng(k).normal(0, 6 * 2**k, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _cropped(picture: np.ndarray, k: int) -> np.ndarray:
    height, width = picture.shape[:2]
    return picture[: height - k * height // 9, : width - k * width // 9].copy()


def _whitened(picture: np.ndarray, k: int) -> np.ndarray:
    out = picture.copy()
    out[:, : k * picture.shape[1] // 4] = picture[0, 0]
    return out


def _page_colours(scene: PageScene, k: int, rng: random.Random) -> PageScene:
    blocks = (replace(b, colour=_tint(b.colour, k)) if b.kind == "fill" else b for b in scene.blocks)
    return replace(scene, blocks=tuple(blocks))


def _tint(colour: tuple[int, int, int], k: int) -> tuple[int, ...]:
    return tuple(round(255 * v) for v in _shifted([c / 255 for c in colour], k))


def _page_text(scene: PageScene, k: int, rng: random.Random) -> PageScene:
    texts = [b for b in scene.blocks if b.kind == "text"]
    wrong = texts[: -(-len(texts) * k // 4)]
    return replace(
        scene, blocks=tuple(replace(b, words=rng.choice(WORDS)[::-1]) if b in wrong else b for b in scene.blocks)
    )


def _page_misspelt(scene: PageScene, k: int, rng: random.Random) -> PageScene:
    return replace(scene, blocks=tuple(replace(b, words=_misspelt(b.words, k, rng)) for b in scene.blocks))


def _page_quarters(change: Callable[[Block], list[Block]]) -> Callable[[PageScene, int, random.Random], PageScene]:
    """A damage that applies `change` to the first k quarters of the text lines."""

    def worsen(scene: PageScene, k: int, rng: random.Random) -> PageScene:
        texts = [b for b in scene.blocks if b.kind == "text"]
        hit = texts[: -(-len(texts) * k // 4)]
        return replace(scene, blocks=tuple(new for b in scene.blocks for new in (change(b) if b in hit else [b])))

    return worsen


def _page_swapped(scene: PageScene, k: int, rng: random.Random) -> PageScene:
    """The page with up to k pairs of neighbouring blocks below the header swapped."""
    blocks = list(scene.blocks)
    for i in range(2, min(2 + 2 * k, len(blocks) - 1), 2):
        one, two = blocks[i], blocks[i + 1]
        blocks[i], blocks[i + 1] = replace(one, place=two.place), replace(two, place=one.place)
    return replace(scene, blocks=tuple(blocks))


def _page_squeezed(scene: PageScene, k: int, rng: random.Random) -> PageScene:
    share = 1 - 0.1 * k
    narrow = lambda top, left, height, width: (top, round(left * share), height, round(width * share))  # noqa: E731
    return replace(scene, blocks=tuple(replace(b, place=narrow(*b.place)) for b in scene.blocks))


def _page_moved(scene: PageScene, k: int, rng: random.Random) -> PageScene:
    blocks = (
        replace(b, place=(b.place[0] + 3 * 2**k, *b.place[1:])) if i > 1 else b for i, b in enumerate(scene.blocks)
    )
    return replace(scene, blocks=tuple(blocks))


def _legend_moved(rng: random.Random) -> Steps:
    """The legend moves along the top, above the lines. Nothing else changes."""
    scene = _mapped(random_chart(rng, series=2, kind="line"), lambda v: 0.7 * v)
    return [draw_chart(replace(scene, corner=(0.02 + 0.13 * k, 0.72))) for k in range(5)]


def _chart(rng: random.Random) -> np.ndarray:
    return draw_chart(random_chart(rng))


def _page(rng: random.Random) -> np.ndarray:
    return draw_page(random_page(rng))


CHARTS: dict[str, Make] = {
    "colour": _charts(_recoloured, kind="bar"),
    "text errors": _charts(_text_errors),
    "text missing": _charts(_text_missing, kind="line", series=2),
    "data scaled": _charts(lambda s, k, r: _mapped(s, lambda v: v * (1 - 0.18 * k)), kind="bar"),
    "data jittered": _charts(lambda s, k, r: _mapped(s, lambda v: max(0.02, v + 0.12 * k * r.uniform(-1, 1)))),
    "bars permuted": _charts(_permuted, kind="hist", bars=8),
    "series missing": _charts(_fewer, kind="bar", series=5),
    "type": _retyped,
    "legend moved": _legend_moved,
    "layout": _charts(_squeezed),
    "noise": _pixels(_chart, _noisy),
    "crop": _pixels(_chart, _cropped),
    "blank": _pixels(_chart, _whitened),
}
PAGES: dict[str, Make] = {
    "colour": _pages(_page_colours),
    "text": _pages(_page_text),
    "text errors": _pages(_page_misspelt),
    "text missing": _pages(_page_quarters(lambda b: [])),
    "type": _pages(_page_quarters(lambda b: [replace(b, kind="fill")])),
    "font": _pages(lambda s, k, r: replace(s, blocks=tuple(replace(b, font=b.font + 2 * k) for b in s.blocks))),
    "blocks swapped": _pages(_page_swapped),
    "layout": _pages(_page_squeezed),
    "blocks missing": _pages(lambda s, k, r: s.without(k)),
    "moved": _pages(_page_moved),
    "noise": _pixels(_page, _noisy),
    "crop": _pixels(_page, _cropped),
    "blank": _pixels(_page, _whitened),
}
FAMILIES: dict[tuple[str, str], Make] = {
    (domain.name, name): make
    for domain in DOMAINS.values()
    for name, make in pkgutil.resolve_name(domain.damage_at).items()
}
