"""ChartMimic, direct mimic (Table 1): extracts code from replies and items from code, scores them and averages.

    rrvf score chartmimic pairs/ --out scores.json --protocol official

Each script runs once, in the sandbox. Scoring happens in this process, which never runs foreign code.
`rrvf.benchmarks.chartmimic_scores` describes the protocols.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from rrvf.benchmarks.chartmimic_scores import METRICS, NOTHING, ChartProtocol, PairScore, carried, layout, score_items
from rrvf.benchmarks.items import items_of, ran
from rrvf.benchmarks.pairs import (
    CACHE,
    References,
    Scoring,
    failed,
    partial,
    read_script,
    refuse_folder,
    score_pairs,
    visible,
    write_json,
)
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.protocol import read_reply
from rrvf.records import Render
from rrvf.render import Limits, Renderer

__all__ = ["METRICS", "NOTHING", "References", "aggregate", "extract_code", "extract_folder", "items_of", "overall",
           "ran", "sample_metrics", "score_folder"]  # fmt: skip

#: The original has no time limit, its successor has 120 s. The limit of CPU time ends an endless loop earlier. No
#: picture is drawn: the items come from a PDF, and drawing the figure a second time would take half as long again.
LIMITS = Limits(wall_s=120.0, cpu_s=60.0, max_pixels=0)
EMPTY = {"text": [], "layout": [], "axes": 0, "type": {}, "color": []}
_FENCE = re.compile(r"```python(.*?)```", re.DOTALL)


def extract_code(reply: str) -> str | None:
    """The code of a reply. A reply with our tags is read by our grammar (`read_reply`), others by the original's rule.

    The original takes the first closed block that opens with exactly three backticks and `python` (metrics_spec 1.2).
    """
    return read_reply(reply, CHART, _first_block).code


def _first_block(reply: str) -> str | None:
    found = _FENCE.search(reply)
    return found.group(1) if found else None


def sample_metrics(gold: dict | None, generated: Render, name: str, protocol: ChartProtocol) -> dict[str, float]:
    """`exec` (0 or 1) and the four F1 scores (0 to 1) of one sample.

    gold: the items of the true script; None where it does not run, so nothing can match. Protocol `fixed` adds
    `text_drawn` and so on: the F1 over everything drawn, visible or not.
    """
    score = score_items(gold or EMPTY, items_of(generated), name, protocol)
    drawn = {f"{metric}_drawn": f1 for metric, f1 in (score.drawn or {}).items()}
    return {"exec": float(score.exec_ok)} | {m: getattr(score, m).f1 for m in METRICS} | drawn


def aggregate(pairs: Iterable[PairScore]) -> dict[str, float]:
    """Means in percent over all pairs. A script that did not run counts 0 (metrics_spec 1.8)."""
    rows = [(score.exec_ok, *(getattr(score, metric).f1 for metric in METRICS)) for score in pairs]
    totals = map(sum, zip(*rows, strict=True)) if rows else [0] * (1 + len(METRICS))
    means = [100 * total / max(1, len(rows)) for total in totals]
    return {"n": len(rows), **dict(zip(("exec_rate", *METRICS), means, strict=True))}


def overall(text: float, layout: float, type: float, color: float, judge: float) -> float:
    """Overall of Table 1: the mean of the low-level mean and the judge's score, all in percent (metrics_spec 1.8)."""
    return ((text + layout + type + color) / 4 + judge) / 2


def score_folder(
    folder: Path,
    out: Path,
    protocol: ChartProtocol = "fixed",
    workers: int = 2,
    cache: Path | None = CACHE,
    progress: bool = True,
) -> dict:
    """`rrvf score chartmimic`: scores every pair `NAME.gt.py`, `NAME.gen.py` of a folder into `out`.

    A killed run continues.
    """

    def score(name: str, gold: dict | None, renders: list[Render]) -> PairScore:
        found = score_items(gold or EMPTY, items_of(renders[0]), name, protocol)
        return found.model_copy(update={"reason": failed(gold, renders[0] if not found.exec_ok else None)})

    scoring = Scoring(f"chartmimic-{protocol}", protocol, LIMITS, score)
    pairs = score_pairs(folder, out, scoring, workers, cache, progress)
    scores = {name: PairScore.model_validate(pair) for name, pair in pairs.items()}
    means = aggregate(scores.values())
    if protocol == "official":
        own, scores = means["type"], carried(scores)
        means = aggregate(scores.values()) | {"type_own": own}
    pairs = {name: pair.model_dump(exclude_none=True, exclude={"calls"}) for name, pair in scores.items()}
    result = {"protocol": scoring.id, "pairs": pairs, "aggregate": means}
    write_json(out, result)
    partial(out).unlink(missing_ok=True)
    return result


def extract_folder(
    folder: Path, out: Path, protocol: ChartProtocol = "fixed", workers: int = 2, progress: bool = True
) -> dict:
    """`rrvf extract`: writes the items of every `NAME.py` of a folder to `out`, by name.

    A script that did not run has no items, like a blank figure. To tell the two apart, it is named on standard error.
    """
    paths = sorted(visible(folder, "*.py"))
    if not paths:
        raise UserError(f"no .py file in {folder}: name a folder of scripts")
    refuse_folder(out)
    result = {}
    with Renderer(CHART.name, workers, LIMITS) as renderer:
        renders = renderer.render_each(map(read_script, paths), protocol)
        for path, render in zip(tqdm(paths, desc="extract", unit="script", disable=not progress), renders, strict=True):
            items = items_of(render)
            if items is None:
                tqdm.write(f"{path.name} did not run: {render.reason} {render.message}", file=sys.stderr)
            seen = (items or EMPTY) | {"layout": layout(items or EMPTY, path.stem)}
            result[path.stem] = {kind: seen[kind] for kind in METRICS}
    write_json(out, result)
    return result
