"""ChartMimic, direct mimic (Table 1): code out of a reply, items out of code, scores, and how they are averaged.

Scripts run once, in the sandbox; scoring happens here, in a process that no foreign code ever entered. The protocols
are described in `rrvf.benchmarks.chartmimic_scores`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from rrvf.benchmarks.chartmimic_scores import METRICS, ChartProtocol, PairScore, score_items
from rrvf.errors import UserError
from rrvf.records import Render
from rrvf.render import Limits, Renderer

_FENCE = re.compile(r"```python(.*?)```", re.DOTALL)
_BLOCK = 64
#: Scripts of the benchmark take up to 3 s on a quiet machine; the spec suggests 120 s.
LIMITS = Limits(wall_s=120.0, cpu_s=60.0)


def extract_code(reply: str) -> str | None:
    """The first fenced block that opens with exactly three backticks and `python` and is closed (metrics_spec 1.2)."""
    found = _FENCE.search(reply)
    return found.group(1) if found else None


def ran(render: Render) -> bool:
    """Whether the script counts as executed: a blank figure does, as its PDF exists."""
    return render.ok or (render.items is not None and render.reason in ("blank", "no_figure"))


def items_of(render: Render) -> dict | None:
    """The items of a traced render; None where the script did not run."""
    return render.items if ran(render) else None


class References:
    """Items of true scripts, extracted once and kept by content: memory here, JSON files in `folder`."""

    def __init__(self, renderer: Renderer, protocol: ChartProtocol, folder: Path | None = None) -> None:
        self._renderer, self._protocol, self._folder = renderer, protocol, folder
        self._known: dict[str, dict | None] = {}

    def items(self, code: str) -> dict | None:
        """The items of one true script; None where it does not run."""
        key = hashlib.sha256(f"{self._protocol}\n{code}".encode()).hexdigest()[:32]
        if key not in self._known:
            self._known[key] = self._load(key, code)
        return self._known[key]

    def _load(self, key: str, code: str) -> dict | None:
        path = self._folder / f"{key}.json" if self._folder else None
        if path is not None and path.is_file():
            return json.loads(path.read_text())
        items = items_of(self._renderer.render(code, self._protocol))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{id(self)}")
            partial.write_text(json.dumps(items))
            partial.rename(path)
        return items


def aggregate(pairs: Iterable[PairScore]) -> dict[str, float]:
    """Percent over all pairs; a script that did not run counts 0 (metrics_spec 1.8)."""
    scores = list(pairs)
    n = max(1, len(scores))
    means = {metric: 100 * sum(getattr(s, metric).f1 for s in scores) / n for metric in METRICS}
    return {"n": len(scores), "exec_rate": 100 * sum(s.exec_ok for s in scores) / n, **means}


def overall(text: float, layout: float, type: float, color: float, judge: float) -> float:
    """Overall of Table 1: the mean of the low-level mean and the judge's score, all in percent (metrics_spec 1.8)."""
    return ((text + layout + type + color) / 4 + judge) / 2


def pair_names(folder: Path) -> list[str]:
    """Names with both `NAME.gt.py` and `NAME.gen.py`, sorted. UserError for a folder without pairs or with halves."""
    gold = {p.name.removesuffix(".gt.py") for p in folder.glob("*.gt.py")}
    generated = {p.name.removesuffix(".gen.py") for p in folder.glob("*.gen.py")}
    if not gold:
        raise UserError(f"no NAME.gt.py in {folder}: name a folder of pairs NAME.gt.py and NAME.gen.py")
    if odd := sorted(gold ^ generated):
        raise UserError(f"{odd[0]} in {folder} has only one of .gt.py and .gen.py: add the other or remove it")
    return sorted(gold)


def score_folder(folder: Path, out: Path, protocol: ChartProtocol = "fixed", workers: int = 2) -> dict:
    """`rrvf score chartmimic`: every pair of a folder into `out`, the same bytes with any number of workers.

    A line per finished pair goes to `out.partial`; a killed run continues from it.
    """
    names, done = pair_names(folder), _finished(out, folder, protocol)
    with Renderer("chart", workers, LIMITS) as renderer, _partial(out).open("a") as log:
        references = References(renderer, protocol, Path(".cache") / "chartmimic")
        todo = [n for n in names if n not in done]
        for start in tqdm(range(0, len(todo), _BLOCK), desc="score", unit="block"):
            block = todo[start : start + _BLOCK]
            renders = renderer.render_many([(folder / f"{n}.gen.py").read_text() for n in block], protocol)
            for name, render in zip(block, renders, strict=True):
                gold = references.items((folder / f"{name}.gt.py").read_text())
                result = score_items(gold or _EMPTY, items_of(render), name, protocol)
                done[name] = result
                log.write(json.dumps({"name": name, "score": result.model_dump()}) + "\n")
            log.flush()
    pairs = {name: done[name] for name in names}
    result = {"pairs": {n: s.model_dump() for n, s in pairs.items()}, "aggregate": aggregate(pairs.values())}
    _write(out, result)
    _partial(out).unlink()
    return result


_EMPTY = {"text": [], "layout": [], "type": {}, "color": []}


def extract_folder(folder: Path, out: Path, protocol: ChartProtocol = "fixed", workers: int = 2) -> dict:
    """`rrvf extract`: the items of every `NAME.py` of a folder; a script that did not run has none of any kind."""
    paths = sorted(folder.glob("*.py"))
    if not paths:
        raise UserError(f"no .py file in {folder}: name a folder of scripts")
    with Renderer("chart", workers, LIMITS) as renderer:
        renders = []
        for start in tqdm(range(0, len(paths), _BLOCK), desc="extract", unit="block"):
            renders += renderer.render_many([p.read_text() for p in paths[start : start + _BLOCK]], protocol)
    result = {p.stem: items_of(r) or _EMPTY for p, r in zip(paths, renders, strict=True)}
    _write(out, result)
    return result


def _partial(out: Path) -> Path:
    return out.with_name(out.name + ".partial")


def _finished(out: Path, folder: Path, protocol: str) -> dict[str, PairScore]:
    """What an earlier, killed run of the same folder and protocol had scored; its first line says which it was."""
    path, head = _partial(out), json.dumps({"folder": str(folder.resolve()), "protocol": protocol})
    lines = path.read_text().splitlines() if path.is_file() else []
    if lines[:1] != [head]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + "\n")
        return {}
    rows = [row for row in map(_row, lines[1:]) if row is not None]
    path.write_text("\n".join([head, *map(json.dumps, rows)]) + "\n")
    return {row["name"]: PairScore.model_validate(row["score"]) for row in rows}


def _row(line: str) -> dict | None:
    """A line of the log; None for one that a kill cut short."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def _write(out: Path, result: dict) -> None:
    partial = out.with_name(out.name + ".tmp")
    partial.write_text(json.dumps(result, indent=1) + "\n")
    partial.rename(out)
