"""Compares two charts: the five parts of the score, and the phrases of feedback on each."""

from __future__ import annotations

import cv2
import numpy as np

from rrvf.judge.embedded import colour
from rrvf.judge.embedded.axes import Box, hull
from rrvf.judge.embedded.chart import Chart, Panel, with_legend_of
from rrvf.judge.embedded.feedback import presence, recolour
from rrvf.judge.embedded.picture import INK, pixels
from rrvf.judge.embedded.shape import ink_similarity, overlap, rescaled

_TEXT_WEIGHTS = {
    "title": 3.0, "x label": 2.0, "y label": 2.0, "legend": 2.0, "panel text": 2.0,
    "x ticks": 1.0, "y ticks": 1.0, "side text": 1.0, "top text": 1.0,
}  # fmt: skip
_SPOKEN = {"x ticks": "the x tick text", "y ticks": "the y tick text"}
Parts = dict[str, float]
Phrases = dict[str, list[str]]
Pair = tuple[Panel, Panel]  # of the reference and of the generated chart


def compare_charts(ref: Chart, gen: Chart, aspect: float) -> tuple[Parts, Phrases]:
    """The parts in [0, 1] and the phrases of feedback, by aspect.

    aspect: how well the pictures' proportions agree, 1 if they are equal.
    """
    ref, gen = with_legend_of(ref, gen), with_legend_of(gen, ref)
    pairs = _matched(ref.panels, gen.panels)
    share = 2 * len(pairs) / (len(ref.panels) + len(gen.panels))
    panels = _framed(ref, gen, pairs)
    results = {
        "layout": _layout(ref, gen, pairs, aspect),
        "type": _type(panels, share),
        "text": _text(ref, gen),
        "colour": _colour(ref, gen),
        "data": _data(panels, share),
    }
    return {a: r[0] for a, r in results.items()}, {a: r[1] for a, r in results.items()}


def _framed(ref: Chart, gen: Chart, pairs: list[tuple[int, int]]) -> list[Pair]:
    """The content of each pair of panels.

    Where neither chart has axes, only the picture itself gives the marks a position. Both charts are then framed by one
    common box.
    """
    if ref.axes or gen.axes:
        return [(ref.inside[i], gen.inside[j]) for i, j in pairs]
    box = hull([*ref.panels, *gen.panels])
    return [(ref.framed(box), gen.framed(box))]


def _iou(a: Box, b: Box) -> float:
    high, wide = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0, high) * max(0, wide)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _near(a: Box, b: Box, shape: tuple[int, int]) -> float:
    """How near two boxes are, in [0, 1]: their overlap and the distance of their centres."""
    away = np.hypot((a[0] + a[2] - b[0] - b[2]) / 2 / shape[0], (a[1] + a[3] - b[1] - b[3]) / 2 / shape[1])
    return 0.4 * _iou(a, b) + 0.6 * max(0.0, 1 - 1.5 * float(away))


def _matched(ref: tuple[Box, ...], gen: tuple[Box, ...]) -> list[tuple[int, int]]:
    """Pairs of panels, by greedy matching of their overlap. If both charts have one panel, these two are a pair."""
    if len(ref) == len(gen) == 1:
        return [(0, 0)]
    ranked = sorted(((_iou(a, b), -i, -j) for i, a in enumerate(ref) for j, b in enumerate(gen)), reverse=True)
    pairs: list[tuple[int, int]] = []
    for value, i, j in ranked:
        if value > 0.2 and all(-i != p and -j != q for p, q in pairs):
            pairs.append((-i, -j))
    return pairs


def _layout(ref: Chart, gen: Chart, pairs: list[tuple[int, int]], aspect: float) -> tuple[float, list[str]]:
    panels = 2 * sum(_iou(ref.panels[i], gen.panels[j]) for i, j in pairs) / (len(ref.panels) + len(gen.panels))
    legend = (
        _near(ref.legend, gen.legend, ref.picture.shape)
        if ref.legend and gen.legend
        else float(ref.legend is gen.legend)
    )
    phrases = []
    if len(ref.panels) != len(gen.panels):
        phrases.append(f"panels should be {min(9, len(ref.panels))}, yours are {min(9, len(gen.panels))}")
    elif panels < 0.75:
        phrases.append("the plot area differs")
    if ref.legend and gen.legend and _iou(ref.legend, gen.legend) < 0.3:
        phrases.append("the legend is elsewhere")
    if grid := presence("the grid", ref.grid, gen.grid, True):
        phrases.append(grid)
    return aspect * (0.65 * rescaled(panels, 0.3, 0.97) + 0.25 * legend + 0.1 * (ref.grid == gen.grid)), phrases


def _type(panels: list[Pair], share: float) -> tuple[float, list[str]]:
    if not panels:
        return 0.0, []
    gaps = [np.abs(a.statistics - b.statistics).mean() for a, b in panels]
    value = share * float(np.mean([rescaled(-g, -0.32, -0.02) for g in gaps]))
    return value, ["the mark type differs"] if value < 0.5 else []


def _text(ref: Chart, gen: Chart) -> tuple[float, list[str]]:
    total = got = 0.0
    losses: list[tuple[float, str]] = []
    for region, weight in _TEXT_WEIGHTS.items():
        a, b = ref.texts.get(region), gen.texts.get(region)
        if a is None and b is None:
            continue
        alike = ink_similarity(a, b) if a is not None and b is not None else 0.0
        total, got = total + weight, got + weight * alike
        spoken = _SPOKEN.get(region, f"the {region}")
        if phrase := presence(spoken, a is not None, b is not None, alike > 0.6):
            losses.append((-weight * (1 - alike), phrase))
    return (got / total if total else 1.0), [phrase for _, phrase in sorted(losses)]


def _colour(ref: Chart, gen: Chart) -> tuple[float, list[str]]:
    both, either = ref.marks & gen.marks, ref.marks | gen.marks
    both |= _unseen(ref, gen) & ~either
    gap = np.linalg.norm(pixels(ref.picture.lab, both) - pixels(gen.picture.lab, both), axis=1)
    placed = float(colour.nearness(gap).mean()) if both.any() else 0.0
    say = 0.75 * both.sum() / max(1, either.sum())  # colours are compared by place only where marks overlap
    ground = float(colour.nearness(np.linalg.norm(ref.picture.background - gen.picture.background)))
    value = ground * float((1 - say) * colour.palette_similarity(ref.palette, gen.palette) + say * placed)
    lost, extra = colour.unmatched(ref.palette, gen.palette), colour.unmatched(gen.palette, ref.palette)
    phrases = [recolour("marks", lost, extra)]
    if ground < 0.4:
        wanted, found = colour.name_of(ref.picture.background), colour.name_of(gen.picture.background)
        phrases.insert(0, recolour("the background", [wanted], [found], "is") if wanted != found else None)
    return value, [p for p in phrases if p]


def _unseen(ref: Chart, gen: Chart) -> np.ndarray:
    """Where the insides of the panels differ in colour, even if no marks were found there: HxW bool."""
    away = cv2.absdiff(ref.picture.lab, gen.picture.lab)
    apart = cv2.magnitude(cv2.magnitude(*cv2.split(away)[:2]), cv2.split(away)[2]) > INK
    inner = np.zeros(apart.shape, bool)
    for top, left, bottom, right in ref.panels:
        inner[top + 3 : bottom - 3, left + 3 : right - 3] = True
    for chart in (ref, gen):
        if chart.legend:
            inner[chart.legend[0] : chart.legend[2], chart.legend[1] : chart.legend[3]] = False
    return inner & apart


def _data(panels: list[Pair], share: float) -> tuple[float, list[str]]:
    """The overlap of marks and of their edges, and the agreement of shades inside them.

    Edges and shades show differences inside a pie or a heat map.
    """
    if not panels:
        return 0.0, []
    areas = float(np.mean([rescaled(overlap(a.marks, b.marks, (1.0, 3.0, 8.0)), 0.12, 1.0) for a, b in panels]))
    lines = float(np.mean([rescaled(overlap(a.edges, b.edges, (1.0, 3.0)), 0.12, 1.0) for a, b in panels]))
    inside = float(np.mean([_shades(a, b) for a, b in panels]))
    value = share * (0.6 * areas + 0.4 * lines) * inside
    phrases = _heights(*(panel.marks for panel in panels[0])) if len(panels) == 1 else []
    return value, phrases or (["the marks differ"] if value < 0.85 else [])


def _shades(a: Panel, b: Panel) -> float:
    """Whether the shades inside the marks of both charts correspond: 1 if they do, or if there is only one shade.

    They correspond if each shade of one chart is always the same shade in the other, whichever that is: a change of
    colours is no change of data.
    """
    both = (a.marks > 0.95) & (b.marks > 0.95)
    if both.sum() < 20:
        return 1.0
    seen = min(1.0, both.mean() / 0.3)  # thin lines show little of a shade
    return 1 - 0.6 * seen * max(_scatter(a, b, both), _scatter(b, a, both))


def _scatter(a: Panel, b: Panel, where: np.ndarray) -> float:
    """The share of the variance of shades in `b` that the colours of `a` do not explain; less for a small variance."""
    y = b.gray[where]
    spread = float(y.var())
    bins = (a.gray[where] / 8).astype(np.int32) * 32 + (a.warmth[where] / 16).astype(np.int32) + 16
    counts = np.maximum(1, np.bincount(bins))
    within = float((y**2).sum() - (np.bincount(bins, y) ** 2 / counts).sum()) / len(y)
    left = rescaled(within / max(spread, 1e-6), 0.05, 1.0)  # binning alone leaves some variance unexplained
    return min(1.0, spread / 400) * left


def _heights(a: np.ndarray, b: np.ndarray) -> list[str]:
    """Phrases on tops of the marks that differ by over a twentieth of the panel; of horizontal bars, on their ends."""
    lying = all((m[:, :3] > 0.3).any(1).mean() > 0.35 and (m[-3:] > 0.3).any(0).mean() < 0.3 for m in (a, b))
    tops = [_tops(m[:, ::-1].T if lying else m) for m in (a, b)]
    words = ("long", "short", ("top", "middle", "bottom")) if lying else ("high", "low", ("left", "middle", "right"))
    gaps = []
    for place, x, y in zip(words[2], np.array_split(tops[0], 3), np.array_split(tops[1], 3), strict=True):
        known = ~(np.isnan(x) | np.isnan(y))
        gaps.append((float((y - x)[known].mean()) if known.sum() > 3 else 0.0, place))
    high, low = max(gaps), min(gaps)
    told = [(abs(g), f"too {w} at {p}") for (g, p), w in ((high, words[0]), (low, words[1]))]
    told = [t for t, g in zip(told, (high[0], -low[0]), strict=True) if g > 0.05]
    return [("marks are " if i == 0 else "") + text for i, (_, text) in enumerate(sorted(told, reverse=True))]


def _tops(mask: np.ndarray) -> np.ndarray:
    """The height of the topmost mark in each column, 0..1; nan where there is none."""
    strong = mask > 0.3
    return np.where(strong.any(0), 1 - strong.argmax(0) / mask.shape[0], np.nan)
