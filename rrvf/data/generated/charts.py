"""Chart scripts in varied idioms: sixteen kinds, titles, labels, legends, named colours.

`spec(seed)` says what is drawn, `code(spec)` writes the program; `generate(seed)` does both. A spec is kept apart so that
one thing at a time can be changed in it (rrvf.nano.corpus makes flawed drafts that way).
"""

# ruff: noqa: SIM905 - long lists of words read better unquoted
from __future__ import annotations

import random
from dataclasses import dataclass, replace

from rrvf.data.generated.words import CATEGORIES, SERIES_COLOURS, TOPICS

VERSION = 1
KINDS = (
    "bar grouped stacked barh line multiline scatter pie hist area step stem errorbar box heatmap subplots"
).split()
#: Kinds with two series, hence two colours and a legend.
PAIRED = ("grouped", "stacked", "multiline")


@dataclass(frozen=True)
class Spec:
    """Everything that a chart shows, and the idiom (`style`: "ax" or "plt") that its program is written in."""

    kind: str
    title: str | None
    xlabel: str | None
    ylabel: str | None
    colour: str
    second_colour: str
    names: tuple[str, str]
    categories: tuple[str, ...]
    values: tuple[int, ...]
    second_values: tuple[int, ...]
    grid: bool
    marker: bool
    style: str


def spec(seed: int) -> Spec:
    """What chart number `seed` shows."""
    rng = random.Random(f"chart {VERSION} {seed}")
    kind = rng.choice(KINDS)
    count = rng.randint(3, 6)
    top = rng.choice((10, 50, 50, 100))
    colour, second = rng.sample(SERIES_COLOURS, 2)
    long = kind in ("scatter", "hist", "box", "heatmap")
    size = 9 if kind == "heatmap" else rng.randint(6, 9) if long else count
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
        values=tuple(rng.randint(1, top) for _ in range(size)),
        second_values=tuple(rng.randint(1, top) for _ in range(size)),
        grid=rng.random() < 0.3,
        marker=rng.random() < 0.5,
        style=rng.choice(("ax", "ax", "plt")),
    )


def generate(seed: int) -> str:
    """The program of chart number `seed`."""
    return code(spec(seed))


def code(s: Spec) -> str:
    """The program that draws `s`."""
    ax = "ax" if s.style == "ax" else "plt"
    lines = ["import matplotlib.pyplot as plt", *_data(s)]
    if s.kind == "subplots":
        lines += _subplots(s)
    else:
        lines += ["fig, ax = plt.subplots()"] if s.style == "ax" else []
        lines += _marks(s, ax)
    return "\n".join(lines + _texts(s, ax))


def _data(s: Spec) -> list[str]:
    x = f"x = {list(s.categories)}"
    y, z = f"y = {list(s.values)}", f"z = {list(s.second_values)}"
    if s.kind in ("hist", "box"):
        return [y, z] if s.kind == "box" else [y]
    if s.kind == "scatter":
        return [f"x = {list(s.second_values)}", y]
    if s.kind == "heatmap":
        return [f"y = {[list(s.values[i : i + 3]) for i in (0, 3, 6)]}"]
    return [x, y, z] if s.kind in (*PAIRED, "subplots") else [x, y]


def _marks(s: Spec, ax: str) -> list[str]:
    c, marker = f"color='{s.colour}'", ", marker='o'" if s.marker else ""
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
        "line": [f"{ax}.plot(x, y, {c}{marker})"],
        "multiline": [f"{ax}.plot(x, y, {first}{marker})", f"{ax}.plot(x, z, {second})"],
        "scatter": [f"{ax}.scatter(x, y, {c})"],
        "pie": [f"{ax}.pie(y, labels=x)"],
        "hist": [f"{ax}.hist(y, bins=5, {c})"],
        "area": [f"{ax}.fill_between(x, y, {c})"],
        "step": [f"{ax}.step(x, y, {c})"],
        "stem": [f"{ax}.stem(x, y)"],
        "errorbar": [f"{ax}.errorbar(x, y, yerr={max(1, max(s.values) // 10)}, {c}, fmt='o')"],
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
    verb = "ax.set_" if ax == "ax" else "plt."
    lines = [f"{verb}title('{s.title}')"] if s.title else []
    if s.kind not in ("pie", "heatmap"):
        lines += [f"{verb}xlabel('{s.xlabel}')"] if s.xlabel else []
        lines += [f"{verb}ylabel('{s.ylabel}')"] if s.ylabel else []
        lines += [f"{ax}.grid()"] if s.grid else []
    if s.kind in PAIRED:
        lines += [f"{ax}.legend()"]
    return lines


def without(s: Spec, part: str) -> Spec:
    """`s` with one text left out: "title", "xlabel" or "ylabel"."""
    return replace(s, **{part: None})
