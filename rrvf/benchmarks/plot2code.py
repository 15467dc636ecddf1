"""Plot2Code, the 132 matplotlib items (Table 2): pass rate and text match (metrics_spec 2.1 to 2.3).

    rrvf score plot2code pairs/ --out scores.json

Whether a script passes depends on how it is executed. There are two modes:

module    runs it as Python runs a file.
function  is the original pass test. It passes the code to `exec` inside a function. Under Python 3.11 helper functions
          and comprehensions then cannot see the script's own names, so some scripts fail that run well as a file
          (ambiguity A6). A script that forgot an import finds the names that the original's own file imports.

Both modes read the texts from a run at module level, as the original does. The original runs all items in one process,
we run each in its own. A white figure fails in both modes.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from rrvf.benchmarks.items import items_of
from rrvf.benchmarks.pairs import CACHE, Scoring, failed, partial, score_pairs, write_json
from rrvf.domains import CHART
from rrvf.protocol import read_reply
from rrvf.records import Record, Render
from rrvf.render import Limits

ExecMode = Literal["module", "function"]
PROTOCOL = "plot2code-module"
LIMITS = Limits(wall_s=30.0, cpu_s=30.0, max_pixels=0)  # the tracer draws; the picture itself is not needed
#: The imports of the original's file. A script finds their names.
ORIGINAL_NAMES = """import json, multiprocessing, os, matplotlib
import matplotlib.pyplot as plt, numpy as np
from PIL import Image
from matplotlib.pyplot import *
"""
_FENCE = re.compile(r"```python(.*?)```", re.DOTALL)
_NEAR = -100 * math.log(0.8)  # nearer than this, the original's similarity exp(-distance / 100) is above 0.8


class TextScore(Record):
    """One pair: whether the script passes, and the share of texts that match (0 where it does not pass).

    reason: which script failed and why; None where both ran.
    """

    exec_ok: bool
    text_score: float
    reason: str | None = None


def extract_code(reply: str) -> str | None:
    """The code of a reply. A reply with our tags is read by our grammar (`read_reply`), others by the original's rule.

    The original joins all fenced Python blocks with newlines. Without a block it takes the whole reply (metrics_spec
    2.1).
    """
    return read_reply(reply, CHART, _all_blocks).code


def _all_blocks(reply: str) -> str | None:
    blocks = _FENCE.findall(reply)
    return "\n".join(blocks) if blocks else reply if reply.strip() else None


def in_function(code: str) -> str:
    """A script that runs `code` like `exec` inside a function: its names are local, and no function sees them."""
    return f"{ORIGINAL_NAMES}exec(compile({code!r}, 'script.py', 'exec'), globals(), {{}})\n"


def text_score(gold: dict, generated: dict) -> float:
    """Matched texts over all texts of both sides, a match counted once; 1 where no side has a text (metrics_spec 2.3).

    Items are `{"texts": [[string, x, y], ...], "size": [width, height]}`. In the order of the reference, each text is
    matched with the first equal text that is near enough and not yet taken. (The original takes the near text with the
    least edit distance and then requires the distance to be 0. The result is the same.)

    >>> figure = {"size": [8.0, 6.0], "texts": [["Sales", 0.5, 0.9], ["Month", 0.5, 0.1]]}
    >>> text_score(figure, {"size": [8.0, 6.0], "texts": [["Sales", 0.5, 0.9]]})  # one of two texts
    0.5
    """
    if not gold["texts"] and not generated["texts"]:
        return 1.0
    ratio = [g / s if s else 0.0 for g, s in zip(gold["size"], generated["size"], strict=True)]
    left: dict[str, list] = defaultdict(list)
    for text, *place in generated["texts"]:
        left[text].append(place)
    places = {text: _numbers(found) * ratio for text, found in left.items()}
    matched = 0
    for text, *place in gold["texts"]:
        near = np.flatnonzero(_near(_numbers([place])[0], places[text])) if text in places else ()
        if len(near):
            places[text][near[0]] = np.nan
            matched += 1
    return matched / (len(gold["texts"]) + len(generated["texts"]) - matched)


def _numbers(places: list) -> np.ndarray:
    """Positions as an (n, 2) array. A position of None becomes nan, which is near nothing."""
    return np.array(places, dtype=float).reshape(-1, 2)


def _near(place: np.ndarray, others: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.hypot(*(place - others).T) < _NEAR


def sample_metrics(gold: dict | None, generated: Render) -> dict[str, float]:
    """`exec` and `text` of one sample. `gold` None: the true script does not run, so nothing can match."""
    items = items_of(generated, "plot2code")
    text = text_score(gold, items) if gold is not None and items is not None else 0.0
    return {"exec": float(items is not None), "text": text}


def aggregate(scores: Iterable[float | None]) -> dict[str, float | None]:
    """Pass rate, Text over all items, and Text_pass over the items that passed, all in percent (metrics_spec 2.3).

    scores: in [0, 1]; None for an item that did not pass.

    >>> aggregate([1.0, 0.5, None, None])
    {'n': 4, 'exec_rate': 50.0, 'text': 37.5, 'text_pass': 75.0}
    """
    scores = list(scores)
    passed = [s for s in scores if s is not None]
    rate = len(passed) / max(1, len(scores))
    text_pass = 100 * sum(passed) / len(passed) if passed else None
    text = 0.0 if text_pass is None else text_pass * rate
    return {"n": len(scores), "exec_rate": 100 * rate, "text": text, "text_pass": text_pass}


def score_folder(
    folder: Path,
    out: Path,
    workers: int = 2,
    exec_mode: ExecMode = "module",
    cache: Path | None = CACHE,
    progress: bool = True,
) -> dict:
    """`rrvf score plot2code`: scores every pair `NAME.gt.py`, `NAME.gen.py` of a folder into `out`.

    A killed run continues.
    """

    def score(name: str, gold: dict | None, renders: list[Render]) -> TextScore:
        bad = next((r for r in renders if items_of(r, "plot2code") is None), None)
        text = 0.0 if bad else sample_metrics(gold, renders[-1])["text"]
        return TextScore(exec_ok=bad is None, text_score=text, reason=failed(gold, bad))

    original = exec_mode == "function"
    programs = (lambda code: [in_function(code), ORIGINAL_NAMES + code]) if original else lambda code: [code]
    scoring = Scoring(f"plot2code-{exec_mode}", "plot2code", LIMITS, score, programs)
    pairs = score_pairs(folder, out, scoring, workers, cache, progress)
    scores = (p["text_score"] if p["exec_ok"] else None for p in pairs.values())
    result = {"protocol": scoring.id, "pairs": pairs, "aggregate": aggregate(scores)}
    write_json(out, result)
    partial(out).unlink(missing_ok=True)
    return result
