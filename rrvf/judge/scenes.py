"""Charts and pages for the calibration of judges, drawn from a description that can be changed step by step.

They are drawn in this process with Matplotlib's object interface and Pillow. No policy's code runs here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import numpy as np

KINDS = ("bar", "barh", "line", "scatter", "pie", "area", "step", "hist")
WORDS = (
    *("Sales", "Growth", "Annual", "Output", "Energy", "Rainfall", "Traffic", "Visits"),
    *("Score", "Income", "Cost", "Yield", "Export", "Demand", "Weight", "Speed", "Noise"),
)
COLOURS = "tab:blue tab:orange tab:green tab:red tab:purple tab:brown teal navy gold salmon".split()
CORNERS = ("upper left", "upper right", "lower right", "lower left")


@dataclass(frozen=True)
class ChartScene:
    """One chart.

    values: one row per series, in 0..1. colours, names: one per series. corner: of the legend. box: left, bottom, width
    and height of the axes, in shares of the figure. size: width and height in pixels.
    """

    kind: str
    title: str
    x_label: str
    y_label: str
    values: tuple[tuple[float, ...], ...]
    colours: tuple
    names: tuple[str, ...]
    corner: str = "upper right"
    grid: bool = False
    box: tuple[float, float, float, float] = (0.16, 0.18, 0.78, 0.68)
    size: tuple[int, int] = (280, 224)


def random_chart(
    rng: random.Random, series: int | None = None, kind: str | None = None, bars: int | None = None
) -> ChartScene:
    """A random chart. Hist, barh and pie have one series. bars: values per series; by default 4 to 7."""
    kind = kind or rng.choice(KINDS)
    count = 1 if kind in ("pie", "hist", "barh") else series or rng.choice((1, 1, 2, 3))
    n = bars or rng.randint(4, 7)
    return ChartScene(
        kind,
        " ".join(rng.sample(WORDS, 2)),
        rng.choice(WORDS),
        rng.choice(WORDS),
        tuple(tuple(rng.uniform(0.15, 1) for _ in range(n)) for _ in range(count)),
        tuple(rng.sample(COLOURS, count)),
        tuple(rng.sample(WORDS, count)),
        rng.choice(CORNERS),
        rng.random() < 0.3,
    )


def draw_chart(scene: ChartScene) -> np.ndarray:
    """The chart as (H, W, 3) uint8 RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(scene.size[0] / 100, scene.size[1] / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes(scene.box)
    axes.tick_params(labelsize=7)
    for index, values in enumerate(scene.values):
        _draw_series(axes, scene, index, np.array(values))
    axes.set_title(scene.title, fontsize=9)
    if scene.kind != "pie":
        axes.set_xlabel(scene.x_label, fontsize=8)
        axes.set_ylabel(scene.y_label, fontsize=8)
        axes.grid(scene.grid)
        axes.set_axisbelow(True)
        axes.set_xlim((0, 1.1) if scene.kind == "barh" else None)
        axes.set_ylim(None if scene.kind == "barh" else (0, 1.1 * (len(scene.values) if scene.kind == "bar" else 1)))
    if len(scene.values) > 1 and scene.corner:
        axes.legend(loc=scene.corner, fontsize=7)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _draw_series(axes, scene: ChartScene, index: int, values: np.ndarray) -> None:
    x, colour, name = np.arange(len(values)), scene.colours[index], scene.names[index]
    if scene.kind == "bar":
        below = np.sum([scene.values[i] for i in range(index)], axis=0) if index else None
        axes.bar(x, values, bottom=below, color=colour, label=name)
    elif scene.kind == "barh":
        axes.barh(x, values, color=colour)
    elif scene.kind == "line":
        axes.plot(x, values, color=colour, marker="o", markersize=4, label=name)
    elif scene.kind == "scatter":
        axes.scatter((x * 7919 * (index + 1) % 13) / 13 * len(x), values, color=colour, label=name, s=20)
    elif scene.kind == "pie":
        axes.pie(values, labels=[str(i) for i in x], textprops={"fontsize": 7})
    elif scene.kind == "area":
        axes.fill_between(x, values, color=colour, label=name, alpha=0.9)
    elif scene.kind == "step":
        axes.step(x, values, color=colour, label=name)
    else:
        axes.bar(x, values, width=1.0, color=colour)


@dataclass(frozen=True)
class Block:
    """One block of a page. kind: fill or text. place: top, left, height, width in pixels."""

    kind: str
    place: tuple[int, int, int, int]
    colour: tuple[int, int, int]
    words: str = ""
    font: int = 14


@dataclass(frozen=True)
class PageScene:
    """One page: blocks on a background. size: width and height in pixels."""

    background: tuple[int, int, int]
    blocks: tuple[Block, ...]
    size: tuple[int, int] = (640, 480)

    def without(self, count: int) -> PageScene:
        """The page without its `count` biggest blocks."""
        body = sorted(self.blocks, key=lambda b: -b.place[2] * b.place[3])
        return replace(self, blocks=tuple(b for b in self.blocks if b not in body[:count]))


def random_page(rng: random.Random) -> PageScene:
    """A random page: a header with a name, fill and text blocks in one to three columns, a footer."""
    tone = lambda low, high: tuple(rng.randint(low, high) for _ in range(3))  # noqa: E731
    background, ink = tone(225, 255), tone(0, 70)
    top = rng.randint(40, 80)
    blocks = [
        Block("fill", (0, 0, top, 640), tone(0, 200)),
        Block("text", (top // 3, 20, 24, 300), (255, 255, 255), _words(rng, 2), 20),
    ]
    columns = rng.choice((1, 2, 3))
    wide = 600 // columns
    for column in range(columns):
        left, row = 20 + column * wide, top + 20
        while row < 380:
            if rng.random() < 0.4:
                tall = rng.randint(40, 100)
                blocks.append(Block("fill", (row, left, tall, wide - 20), tone(40, 220)))
            else:
                tall = 18
                blocks.append(
                    Block(
                        "text",
                        (row, left, tall, wide - 20),
                        ink,
                        _words(rng, max(2, wide // 90)),
                        rng.choice((12, 14, 18)),
                    )
                )
            row += tall + rng.randint(8, 24)
    blocks.append(Block("fill", (440, 0, 40, 640), tone(20, 120)))
    return PageScene(background, tuple(blocks))


def _words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(count))


def draw_page(scene: PageScene) -> np.ndarray:
    """The page as (H, W, 3) uint8 RGB."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", scene.size, scene.background)
    draw = ImageDraw.Draw(image)
    for block in scene.blocks:
        top, left, height, width = block.place
        if block.kind == "fill":
            draw.rectangle((left, top, left + width - 1, top + height - 1), fill=block.colour)
        else:
            draw.text((left, top), block.words, fill=block.colour, font=ImageFont.load_default(block.font))
    return np.asarray(image)
