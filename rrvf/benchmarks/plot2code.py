"""Plot2Code, the 132 matplotlib items (Table 2): pass rate, text match, rating.

Scripts run at module level in the sandbox (the original executes them inside a function, where under Python 3.11 list
comprehensions cannot see a script's own names: ambiguity A6; this mode is named `module` in the protocol id).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

import Levenshtein
from tqdm import tqdm

from rrvf.benchmarks.chartmimic import pair_names
from rrvf.records import Render
from rrvf.render import Limits, Renderer

PROTOCOL = "plot2code-module"
LIMITS = Limits(wall_s=30.0, cpu_s=30.0)
_FENCE = re.compile(r"```python(.*?)```", re.DOTALL)
_NEAR = 0.8
_BLOCK = 64


def extract_code(reply: str) -> str | None:
    """All fenced Python blocks joined by newlines; the whole reply where there is none (metrics_spec 2.1)."""
    blocks = _FENCE.findall(reply)
    return "\n".join(blocks) if blocks else reply or None


def text_score(gold: dict, generated: dict) -> float:
    """Matched texts over all texts of both sides, 1 where neither has any (metrics_spec 2.3).

    Items are `{"texts": [[string, x, y], ...], "size": [width, height]}`. In order of the reference, each text takes,
    among generated texts that lie near enough, the one with the smallest edit distance, if that is zero.
    """
    if not gold["texts"] and not generated["texts"]:
        return 1.0
    ratio = [g / max(s, 1e-9) for g, s in zip(gold["size"], generated["size"], strict=True)]
    left = list(generated["texts"])
    matched = 0
    for text, x, y in gold["texts"]:
        near = [t for t in left if _close((x, y), t[1:], ratio)]
        best = min(near, key=lambda t: Levenshtein.distance(text, t[0]), default=None)
        if best is not None and best[0] == text:
            left.remove(best)
            matched += 1
    return matched / (len(gold["texts"]) + len(generated["texts"]) - matched)


def _close(one: tuple, two: list, ratio: list[float]) -> bool:
    if None in one or None in two:
        return False
    distance = math.hypot(*(a - r * b for a, b, r in zip(one, two, ratio, strict=True)))
    return math.exp(-distance / 100) > _NEAR


def ran(render: Render) -> bool:
    """Whether an item passes: it ran and its picture is not blank (metrics_spec 2.2)."""
    return render.ok


def aggregate(scores: Iterable[float | None]) -> dict[str, float | None]:
    """Pass rate in percent, Text over all items and Text_pass over those that ran, in percent (metrics_spec 2.3)."""
    scores = list(scores)
    passed = [s for s in scores if s is not None]
    rate = len(passed) / max(1, len(scores))
    text_pass = 100 * sum(passed) / len(passed) if passed else None
    text = 0.0 if text_pass is None else text_pass * rate
    return {"n": len(scores), "exec_rate": 100 * rate, "text": text, "text_pass": text_pass}


def score_folder(folder: Path, out: Path, workers: int = 2) -> dict:
    """`rrvf score plot2code`: every pair `NAME.gt.py`, `NAME.gen.py` of a folder into `out`."""
    names = pair_names(folder)
    scores: dict[str, float | None] = {}
    with Renderer("chart", workers, LIMITS) as renderer:
        for start in tqdm(range(0, len(names), _BLOCK), desc="score", unit="block"):
            block = names[start : start + _BLOCK]
            codes = [(folder / f"{n}.{side}.py").read_text() for side in ("gt", "gen") for n in block]
            renders = renderer.render_many(codes, "plot2code")
            for name, gold, made in zip(block, renders, renders[len(block) :], strict=False):
                usable = gold.items or {"texts": [], "size": [1.0, 1.0]}
                scores[name] = text_score(usable, made.items) if ran(made) else None
    pairs = {n: {"exec_ok": s is not None, "text_score": s or 0.0} for n, s in scores.items()}
    result = {"pairs": pairs, "aggregate": aggregate(scores.values())}
    partial = out.with_name(out.name + ".tmp")
    partial.write_text(json.dumps(result, indent=1) + "\n")
    partial.rename(out)
    return result
