"""Chart scripts in varied idioms: sixteen kinds, with titles, labels, legends and named colours.

`spec(seed)` decides what is drawn, `code(spec)` writes the program, `generate(seed)` does both. A spec is separate so
that one property at a time can be changed in it (rrvf.nano.corpus makes flawed drafts that way).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from rrvf.data.generated.words import CATEGORIES, SERIES_COLOURS, TOPICS

VERSION = 3
KINDS = (
    "bar grouped stacked barh line multiline scatter pie hist area step stem errorbar box heatmap subplots"
).split()
#: Kinds with two series, and so with two colours and a legend.
PAIRED = ("grouped", "stacked", "multiline")
#: Kinds whose x may be numbers instead of names, with more points.
NUMERIC = ("line", "multiline", "area", "step", "stem", "errorbar")
#: Kinds whose picture does not show the order of the values. Their values are sorted (of a scatter, x).
UNORDERED = ("hist", "box")


@dataclass(frozen=True)
class Spec:
    """Everything that a chart shows, and the idiom of its program (`style`: "ax", "set" or "plt").

    numbers: x, if it is numeric. errors: one error per point, None for one common error. rows: of a heat map.
    """

    kind: str
    title: str | None
    xlabel: str | None
    ylabel: str | None
    colour: str
    second_colour: str
    names: tuple[str, str]
    categories: tuple[str, ...]
    numbers: tuple[int, ...] | None
    values: tuple[int, ...]
    second_values: tuple[int, ...]
    errors: tuple[int, ...] | None
    rows: int
    grid: bool
    marker: str | None
    dashed: bool
    style: str

    @property
    def x(self) -> tuple:
        """The values along x: numbers or names."""
        return self.numbers or self.categories


def spec(seed: int) -> Spec:
    """What chart number `seed` shows."""
    rng = random.Random(f"chart {VERSION} {seed}")
    kind = rng.choice(KINDS)
    steps = _steps(rng) if kind in NUMERIC and rng.random() < 0.6 else None
    count = len(steps) if steps else rng.randint(3, 6)
    rows = rng.randint(2, 3)
    size = {"heatmap": rows * count, "hist": 9, "scatter": rng.randint(6, 10), "box": 7}.get(kind, count)
    top = 9 if kind == "heatmap" else rng.choice((10, 50, 50, 100))
    colour, second = rng.sample(SERIES_COLOURS, 2)
    words = rng.sample(TOPICS, 6)
    return Spec(
        kind=kind,
        title=" ".join(words[: rng.randint(1, 2)]) if rng.random() < 0.9 else None,
        xlabel=words[2] if rng.random() < 0.6 else None,
        ylabel=words[3] if rng.random() < 0.6 else None,
        colour=colour,
        second_colour=second,
        names=(words[4], words[5]),
        categories=tuple(rng.choice(CATEGORIES)[:count]),
        numbers=steps,
        values=numbers(rng, size, top, kind in UNORDERED),
        second_values=numbers(rng, size, top, kind in (*UNORDERED, "scatter")),
        errors=numbers(rng, size, max(2, top // 8)) if rng.random() < 0.5 else None,
        rows=rows,
        grid=rng.random() < 0.3,
        marker=rng.choice((None, None, "o", "s", "^")),
        dashed=rng.random() < 0.3,
        style=rng.choice(("ax", "set", "plt")),
    )


def numbers(rng: random.Random, size: int, top: int, ordered: bool = False) -> tuple[int, ...]:
    """`size` whole numbers from 1 to `top`; sorted if `ordered`."""
    drawn = [rng.randint(1, top) for _ in range(size)]
    return tuple(sorted(drawn) if ordered else drawn)


def _steps(rng: random.Random) -> tuple[int, ...]:
    step = rng.choice((1, 1, 2, 5, 10))
    first = rng.choice((0, step, 2010)) if step == 1 else rng.choice((0, step))
    return tuple(first + step * i for i in range(rng.randint(5, 10)))


def generate(seed: int) -> str:
    """The program of chart number `seed`."""
    return code(spec(seed))


def code(s: Spec) -> str:
    """The program that draws `s`."""
    ax = "plt" if s.style == "plt" else "ax"
    lines = ["import matplotlib.pyplot as plt", *_data(s)]
    if s.kind == "subplots":
        lines += _subplots(s)
    else:
        lines += ["fig, ax = plt.subplots()"] if ax == "ax" else []
        lines += _marks(s, ax)
    return "\n".join(lines + _texts(s, ax))


def _data(s: Spec) -> list[str]:
    x = f"x = {list(s.x)}"
    y, z = f"y = {list(s.values)}", f"z = {list(s.second_values)}"
    if s.kind in ("hist", "box"):
        return [y, z] if s.kind == "box" else [y]
    if s.kind == "scatter":
        return [f"x = {list(s.second_values)}", y]
    if s.kind == "heatmap":
        width = len(s.values) // s.rows
        return [f"y = {[list(s.values[i : i + width]) for i in range(0, len(s.values), width)]}"]
    if s.kind == "errorbar" and s.errors:
        return [x, y, f"e = {list(s.errors)}"]
    return [x, y, z] if s.kind in (*PAIRED, "subplots") else [x, y]


def _marks(s: Spec, ax: str) -> list[str]:
    c, marker = f"color='{s.colour}'", f", marker='{s.marker}'" if s.marker else ""
    dashes = ", linestyle='--'" if s.dashed else ""
    point = s.marker or "o"
    error = "e" if s.errors else max(1, max(s.values) // 10)
    first = f"{c}, label='{s.names[0]}'"
    second = f"color='{s.second_colour}', label='{s.names[1]}'"
    n = len(s.categories)
    return {
        "bar": [f"{ax}.bar(x, y, {c})"],
        "grouped": [
            f"{ax}.bar([i - 0.2 for i in range({n})], y, 0.4, {first})",
            f"{ax}.bar([i + 0.2 for i in range({n})], z, 0.4, {second})",
            f"{ax}.set_xticks(range({n}), x)" if ax == "ax" else f"plt.xticks(range({n}), x)",
        ],
        "stacked": [f"{ax}.bar(x, y, {first})", f"{ax}.bar(x, z, bottom=y, {second})"],
        "barh": [f"{ax}.barh(x, y, {c})"],
        "line": [f"{ax}.plot(x, y, {c}{marker}{dashes})"],
        "multiline": [f"{ax}.plot(x, y, {first}{marker})", f"{ax}.plot(x, z, {second}{dashes})"],
        "scatter": [f"{ax}.scatter(x, y, {c})"],
        "pie": [f"{ax}.pie(y, labels=x)"],
        "hist": [f"{ax}.hist(y, bins=5, {c})"],
        "area": [f"{ax}.fill_between(x, y, {c})"],
        "step": [f"{ax}.step(x, y, {c})"],
        "stem": [f"{ax}.stem(x, y)"],
        "errorbar": [f"{ax}.errorbar(x, y, yerr={error}, {c}, fmt='{point}')"],
        "box": [f"{ax}.boxplot([y, z])"],
        "heatmap": [f"{ax}.imshow(y)"],
    }[s.kind]


def _subplots(s: Spec) -> list[str]:
    return [
        "fig, (ax, bx) = plt.subplots(1, 2)",
        f"ax.bar(x, y, color='{s.colour}')",
        f"bx.plot(x, z, color='{s.second_colour}')",
    ]


def _texts(s: Spec, ax: str) -> list[str]:
    if s.kind == "subplots":
        return [f"fig.suptitle('{s.title}')"] if s.title else []
    labelled = s.kind not in ("pie", "heatmap")
    texts = {"title": s.title, "xlabel": labelled and s.xlabel, "ylabel": labelled and s.ylabel}
    texts = {name: text for name, text in texts.items() if text}
    if s.style == "set":
        lines = ["ax.set(" + ", ".join(f"{name}='{text}'" for name, text in texts.items()) + ")"] if texts else []
    else:
        lines = [f"{'plt.' if ax == 'plt' else 'ax.set_'}{name}('{text}')" for name, text in texts.items()]
    if labelled and s.grid:
        lines.append(f"{ax}.grid()")
    if s.kind in PAIRED:
        lines.append(f"{ax}.legend()")
    return lines
