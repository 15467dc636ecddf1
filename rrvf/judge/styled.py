"""Charts of every common kind, in every style of Matplotlib and with every form of axes, for `rrvf.judge.scale`.

    draw_styled(random_styled(random.Random(0), "stacked", "ggplot", "no bottom"))

They are drawn in this process with Matplotlib's object interface. No policy's code runs here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rrvf.judge.scenes import WORDS

#: How the axes are framed: as in the style; without the top and right spine (seaborn's despine); without the bottom
#: spine too; without axes.
FORMS = ("full", "despined", "no bottom", "off")
VALUES = 8
_SERIES = 3


@dataclass(frozen=True)
class StyledChart:
    """One chart.

    values: one row per series, `VALUES` each, in 0..1. colours: one per series; in a pie one per wedge. marks, words:
    whether they are drawn.
    """

    kind: str
    style: str
    form: str
    title: str
    x_label: str
    y_label: str
    values: tuple[tuple[float, ...], ...]
    colours: tuple[str, ...]
    names: tuple[str, ...]
    marks: bool = True
    words: bool = True


def random_styled(rng: random.Random, kind: str, style: str, form: str = "full") -> StyledChart:
    """A random chart in the colours of its style."""
    from matplotlib import rcParams
    from matplotlib import style as styles

    series = _SERIES if kind in SEVERAL else 1
    with styles.context(style):
        cycle = rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    title, x_label, y_label = rng.sample(WORDS, 2), rng.choice(WORDS), rng.choice(WORDS)
    values = tuple(tuple(round(rng.uniform(0.2, 1), 3) for _ in range(VALUES)) for _ in range(series))
    first = rng.randrange(len(cycle))
    count = VALUES if kind == "pie" else series
    colours = tuple(cycle[(first + i) % len(cycle)] for i in range(count))
    return StyledChart(kind, style, form, " ".join(title), x_label, y_label, values, colours,
                       tuple(rng.sample(WORDS, series)))  # fmt: skip


def draw_styled(scene: StyledChart, size: tuple[int, int] = (280, 224), font: float = 8.0) -> np.ndarray:
    """The chart as (H, W, 3) uint8 RGB at `size` (width, height). font: size in points, as the renderer sets it."""
    from matplotlib import rc_context
    from matplotlib import style as styles

    with rc_context(), styles.context(["default", scene.style]), rc_context({"font.size": font, "figure.dpi": 100}):
        return _drawn(scene, size)


def _drawn(scene: StyledChart, size: tuple[int, int]) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.16, 0.18, 0.78, 0.68))
    KINDS[scene.kind](axes, scene, np.array(scene.values))
    for artist in (*axes.patches, *axes.lines, *axes.collections, *axes.images, *axes.containers):
        if not scene.marks and hasattr(artist, "set_visible"):
            artist.set_visible(False)
    _dress(axes, scene)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _dress(axes, scene: StyledChart) -> None:
    if axes.get_legend_handles_labels()[0] and len(scene.values) > 1 and scene.words and scene.marks:
        axes.legend(loc="upper right", fontsize="small")
    axes.set(title=scene.title, xlabel=scene.x_label, ylabel=scene.y_label)
    gone = {"full": (), "despined": ("top", "right"), "no bottom": ("top", "right", "bottom"), "off": ()}[scene.form]
    for side in gone:
        axes.spines[side].set_visible(False)
    if scene.form == "off":
        axes.set_axis_off()
    if not scene.words:
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts):
            text.set_alpha(0)
        axes.tick_params(labelcolor="none")


def _grouped(axes, scene: StyledChart, values: np.ndarray) -> None:
    width = 0.8 / len(values)
    for i, row in enumerate(values):
        axes.bar(np.arange(VALUES) + (i - 1) * width, row, width, color=scene.colours[i], label=scene.names[i])


def _stacked(axes, scene: StyledChart, values: np.ndarray) -> None:
    for i, row in enumerate(values):
        axes.bar(range(VALUES), row, bottom=values[:i].sum(axis=0), color=scene.colours[i], label=scene.names[i])


def _area(axes, scene: StyledChart, values: np.ndarray) -> None:
    for i in reversed(range(len(values))):
        level = values[: i + 1].sum(axis=0)
        axes.fill_between(range(VALUES), level, color=scene.colours[i], label=scene.names[i])


def _pie(axes, scene: StyledChart, values: np.ndarray) -> None:
    labels = [str(i) for i in range(len(scene.colours))]
    axes.pie(values[0][: len(labels)], colors=scene.colours, labels=labels if scene.words else None)


def _hist(axes, scene: StyledChart, values: np.ndarray) -> None:
    axes.hist(range(VALUES), bins=np.arange(VALUES + 1) - 0.5, weights=values[0], color=scene.colours[0])


def _box(axes, scene: StyledChart, values: np.ndarray) -> None:
    drawn = axes.boxplot(list(values), patch_artist=True)
    for box, colour in zip(drawn["boxes"], scene.colours, strict=True):
        box.set_facecolor(colour)


def _heat(axes, scene: StyledChart, values: np.ndarray) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("shades", ["white", scene.colours[0]])
    axes.imshow(np.concatenate([values, values[:, ::-1] ** 2, 1 - values]), cmap=shades, aspect="auto", vmin=0, vmax=1)


def _series(draw: Callable) -> Callable:
    """A kind of chart whose series are drawn one after the other over the same x values."""

    def each(axes, scene: StyledChart, values: np.ndarray) -> None:
        for row, colour, name in zip(values, scene.colours, scene.names, strict=True):
            draw(axes, np.arange(VALUES), row, {"color": colour, "label": name})

    return each


def _stem(axes, x, y, look: dict) -> None:
    marker, stems, base = axes.stem(x, y, label=look["label"])
    for artist in (marker, stems, base):
        artist.set_color(look["color"])


KINDS: dict[str, Callable] = {
    "bar": _series(lambda axes, x, y, look: axes.bar(x, y, **look)),
    "barh": _series(lambda axes, x, y, look: axes.barh(x, y, **look)),
    "grouped": _grouped,
    "stacked": _stacked,
    "line": _series(lambda axes, x, y, look: axes.plot(x, y, **look)),
    "scatter": _series(lambda axes, x, y, look: axes.scatter(x, y, **look)),
    "pie": _pie,
    "hist": _hist,
    "area": _area,
    "box": _box,
    "heat map": _heat,
    "step": _series(lambda axes, x, y, look: axes.step(x, y, **look)),
    "errorbar": _series(lambda axes, x, y, look: axes.errorbar(x, y, 0.08, fmt="o", capsize=2, **look)),
    "stem": _series(_stem),
}
SEVERAL = ("grouped", "stacked", "line", "scatter", "area", "box", "step", "errorbar")


def turned(colour: str, degrees: float) -> str:
    """A colour with its hue turned. Over 90 degrees, a nearly gray colour is made vivid, so that the turn shows."""
    import colorsys

    from matplotlib.colors import to_hex, to_rgb

    hue, saturation, value = colorsys.rgb_to_hsv(*to_rgb(colour))
    if degrees > 90 and saturation < 0.3:
        saturation, value = 0.8, max(0.5, value)
    return to_hex(colorsys.hsv_to_rgb((hue + degrees / 360) % 1, saturation, value))


def _words(scene: StyledChart) -> StyledChart:
    first, second = scene.title.split()
    rest = (word for word in WORDS if word not in (first, second))
    other = min(rest, key=lambda word: abs(len(word) - len(second)))
    return replace(scene, title=f"{first} {other}")


def _value(scene: StyledChart) -> StyledChart:
    row = list(scene.values[0])
    row[4] = row[4] - 0.5 if row[4] > 0.6 else row[4] + 0.5
    return replace(scene, values=(tuple(row), *scene.values[1:]))


def _removed(scene: StyledChart) -> StyledChart:
    """The chart without its last series, or, if it has only one, without its last two values."""
    if len(scene.values) > 1:
        return replace(scene, values=scene.values[:-1], colours=scene.colours[:-1], names=scene.names[:-1])
    if scene.kind == "pie":
        return replace(scene, colours=scene.colours[:-2])
    fill = float("nan") if scene.kind not in ("hist", "heat map") else 0.0
    return replace(scene, values=((*scene.values[0][:-2], fill, fill),))


def _one_colour(scene: StyledChart) -> StyledChart:
    return replace(scene, colours=(turned(scene.colours[0], 150), *scene.colours[1:]))


def _recoloured(degrees: float) -> Callable[[StyledChart], StyledChart]:
    return lambda scene: replace(scene, colours=tuple(turned(colour, degrees) for colour in scene.colours))


#: The damages by name, one change each. A damage may leave a chart as it was, as turning the hue of a gray one.
DAMAGES: dict[str, Callable[[StyledChart], StyledChart]] = {
    "one word": _words,
    "one colour of several": lambda s: _one_colour(s) if len(s.colours) > 1 else s,
    "hue turned 18": _recoloured(18),
    "hue foreign": _recoloured(150),
    "one value of eight": _value,
    "part removed": _removed,
    "text only": lambda s: replace(s, marks=False),
    "marks only": lambda s: replace(s, words=False),
}
