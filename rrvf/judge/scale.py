"""Measures what one change costs in the embedded judge's score: on charts of every kind and style, and on pages.

    .venv/bin/python -m rrvf.judge.scale                        # all: about 6,000 comparisons
    .venv/bin/python -m rrvf.judge.scale --style ggplot bmh     # only these two styles

Prints the median score of each change by kind and by style, then the quantiles and the extreme cases of each change.
Scores should follow the rubric: a near copy high, an unrelated picture low, and only an unchanged picture at 1.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from rrvf.domains import CHART, WEB
from rrvf.judge.embedded import judge_pair
from rrvf.judge.embedded.picture import mode_colour
from rrvf.judge.scenes import PageScene, draw_page, random_page
from rrvf.judge.styled import DAMAGES, FORMS, KINDS, StyledChart, draw_styled, random_styled

Pair = tuple[str, np.ndarray, np.ndarray]  # name of the change, picture before, picture after
Row = tuple[str, str, str]  # kind, style, change


def chart_pairs(kind: str, style: str, form: str = "full", size: tuple[int, int] = (280, 224)) -> Iterator[Pair]:
    """One chart paired with each of its damaged copies and with two unrelated charts.

    A change that leaves the picture as it was is left out.
    """
    rng = random.Random(f"{kind} {style} {form}")
    other_kind = list(KINDS)[(list(KINDS).index(kind) + 3) % len(KINDS)]
    scene, same, other = (random_styled(rng, k, style, form) for k in (kind, kind, other_kind))
    draw: Callable[[StyledChart], np.ndarray] = lambda s: draw_styled(s, size)  # noqa: E731
    wanted = draw(scene)
    changed = [(name, change(scene)) for name, change in DAMAGES.items()]
    made = [(name, draw(new)) for name, new in changed if new != scene]
    made += [("unrelated same kind", draw(same)), ("unrelated other kind", draw(other))]
    made += [("left half", _part(wanted, 1, 2))]
    yield from ((name, wanted, picture) for name, picture in made if not np.array_equal(wanted, picture))


def page_pairs(seed: int, size: tuple[int, int] = (280, 210)) -> Iterator[Pair]:
    """One page paired with each of its damaged copies and with an unrelated page."""
    scene = random_page(random.Random(seed))
    draw = lambda s: cv2.resize(draw_page(s), size, interpolation=cv2.INTER_AREA)  # noqa: E731
    wanted = draw(scene)
    fills, texts = ([b for b in scene.blocks if b.kind == kind] for kind in ("fill", "text"))
    recoloured = {fills[0]: replace(fills[0], colour=tuple(255 - c for c in fills[0].colour))}
    word = {texts[-1]: replace(texts[-1], words=" ".join([*texts[-1].words.split()[:-1], "Quantity"]))}
    made = {
        "one word": draw(_with(scene, word)),
        "one colour of several": draw(_with(scene, recoloured)),
        "hue turned 18": _turned(wanted, 18),
        "hue foreign": _turned(wanted, 150),
        "missing block": draw(scene.without(1)),
        "left half": _part(wanted, 1, 2),
        "top half": _part(wanted, 0, 2),
        "text blocks only": draw(replace(scene, blocks=tuple(texts))),
        "fill blocks only": draw(replace(scene, blocks=tuple(fills))),
        "dark pixels only": np.where(cv2.cvtColor(wanted, cv2.COLOR_RGB2GRAY)[..., None] < 128, 0, 255).repeat(3, 2),
        "unrelated": draw(random_page(random.Random(seed + 1))),
    }
    yield from ((name, wanted, picture.astype(np.uint8)) for name, picture in made.items())


def _with(scene: PageScene, new: dict) -> PageScene:
    return replace(scene, blocks=tuple(new.get(block, block) for block in scene.blocks))


def _part(picture: np.ndarray, axis: int, parts: int) -> np.ndarray:
    """The first of `parts` equal parts of a picture along an axis; the other parts are blank."""
    out = picture.copy()
    keep = picture.shape[axis] // parts
    out[(slice(None),) * axis + (slice(keep, None),)] = mode_colour(picture.reshape(-1, 3))
    return out


def _turned(picture: np.ndarray, degrees: int) -> np.ndarray:
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + degrees // 2) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def table(scores: dict[Row, list[float]], column: int) -> str:
    """Median scores as a markdown table: one line per kind (column=0) or style (column=1), one column per change."""
    changes = list(dict.fromkeys(row[2] for row in scores))
    names = list(dict.fromkeys(row[column] for row in scores))
    lines = ["| | " + " | ".join(changes) + " |", "|---" * (len(changes) + 1) + "|"]
    for name in names:
        cells = [
            [s for row, found in scores.items() if (row[column], row[2]) == (name, c) for s in found] for c in changes
        ]
        lines.append(f"| {name} | " + " | ".join(f"{np.median(c):.2f}" if c else "" for c in cells) + " |")
    return "\n".join(lines)


def spread(scores: dict[Row, list[float]]) -> str:
    """Quantiles of each change over all kinds and styles, and the kind and style of the lowest and highest score."""
    lines = ["| change | n | min | 5 % | median | 95 % | max | lowest | highest |", "|---" * 9 + "|"]
    for change in dict.fromkeys(row[2] for row in scores):
        found = sorted((s, f"{row[0]}, {row[1]}") for row, each in scores.items() if row[2] == change for s in each)
        values = [f"{v:.2f}" for v in np.quantile([s for s, _ in found], (0, 0.05, 0.5, 0.95, 1))]
        lines.append(f"| {change} | {len(found)} | {' | '.join(values)} | {found[0][1]} | {found[-1][1]} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print the tables."""
    from matplotlib import style as styles

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", nargs="*", default=["default", *styles.available])
    parser.add_argument("--kind", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--size", nargs=2, type=int, default=(280, 224), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--pages", type=int, default=24)
    args = parser.parse_args()
    rows = [(style, "full") for style in args.style]
    rows += [(style, form) for style in ("default", "dark_background") if style in args.style for form in FORMS[1:]]
    charts: dict[Row, list[float]] = defaultdict(list)
    for style, form in rows:
        for kind in args.kind:
            for change, a, b in chart_pairs(kind, style, form, tuple(args.size)):
                charts[kind, f"{style} {form}", change].append(judge_pair(a, b, CHART.name).score)
    pages: dict[Row, list[float]] = defaultdict(list)
    for seed in range(args.pages):
        for change, a, b in page_pairs(seed):
            pages["page", str(seed), change].append(judge_pair(a, b, WEB.name).score)
    print("\n\n".join([table(charts, 0), table(charts, 1), spread(charts), spread(pages)]))


if __name__ == "__main__":
    main()
