"""A folder of pairs, `NAME.gt.py` and `NAME.gen.py`, scored in the sandbox: what the two chart benchmarks share.

True scripts are traced once and kept by content. A line per finished pair goes to `OUT.partial`, so that a killed run
continues; what is written at the end is the same to the byte with any number of workers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from rrvf.benchmarks.items import items_of, tracer_version
from rrvf.errors import UserError
from rrvf.records import Record, Render
from rrvf.render import Limits, Renderer, Trace

CACHE = Path(__file__).parents[2] / ".cache" / "references"


@dataclass(frozen=True)
class Scoring:
    """How one benchmark scores a pair.

    `score` is given the pair's name, the true script's items (None where it does not run) and one render for each of
    the `programs` that a generated script stands for.
    """

    id: str
    trace: Trace
    limits: Limits
    score: Callable[[str, dict | None, list[Render]], Record]
    programs: Callable[[str], list[str]] = lambda code: [code]


class References:
    """Items of true scripts by content, in memory and as JSON files in `folder`. Callable from any thread."""

    def __init__(self, renderer: Renderer, trace: Trace, folder: Path | None = CACHE) -> None:
        self._renderer, self._trace, self._folder = renderer, trace, folder
        self._known: dict[str, dict | None] = {}

    def items(self, code: str) -> dict | None:
        """The items of one true script; None where it does not run."""
        if self._recall(code) is None:
            self._keep(code, self._renderer.render(code, self._trace))
        return self._known[self._key(code)]

    def fill(self, codes: Iterable[str], progress: bool = True) -> None:
        """Trace those of `codes` that are not known yet, the renderer's workers at a time."""
        unknown = [code for code in dict.fromkeys(codes) if self._recall(code) is None]
        renders = self._renderer.render_each(unknown, self._trace)
        shown = tqdm(unknown, desc="references", unit="script", disable=not (progress and unknown))
        for code, render in zip(shown, renders, strict=True):
            self._keep(code, render)

    def _key(self, code: str) -> str:
        setting = f"{self._trace} {self._renderer.limits.canvas} {tracer_version()}"
        return hashlib.sha256(f"{setting}\n{code}".encode(errors="replace")).hexdigest()[:32]

    def _recall(self, code: str) -> dict | None:
        key = self._key(code)
        if key not in self._known and self._folder:
            try:
                self._known[key] = json.loads((self._folder / f"{key}.json").read_text())
            except (OSError, ValueError):
                return None
        return self._known.get(key)

    def _keep(self, code: str, render: Render) -> None:
        """Remember the items; on disk only where there are some, since a busy machine can make a script time out."""
        key = self._key(code)
        self._known[key] = items = items_of(render, self._trace)
        if items is None:
            tqdm.write(f"a true script did not run and scores 0: {render.reason} {render.message}", file=sys.stderr)
        elif self._folder:
            with contextlib.suppress(OSError, UserError):  # without a cache all is the same, only slower
                write_json(self._folder / f"{key}.json", items)


def pair_names(folder: Path) -> list[str]:
    """Names with both `NAME.gt.py` and `NAME.gen.py`, sorted. UserError for a folder without pairs or with halves."""
    gold = {p.name.removesuffix(".gt.py") for p in folder.glob("*.gt.py")}
    generated = {p.name.removesuffix(".gen.py") for p in folder.glob("*.gen.py")}
    if not gold:
        raise UserError(f"no NAME.gt.py in {folder}: name a folder of pairs NAME.gt.py and NAME.gen.py")
    if odd := sorted(gold ^ generated):
        raise UserError(
            f"{odd[0]} in {folder} has only one of .gt.py and .gen.py: remove it, or add the other "
            "(an empty .gen.py counts as a script that did not run)"
        )
    return sorted(gold)


def score_pairs(
    folder: Path, out: Path, scoring: Scoring, workers: int, cache: Path | None = CACHE, progress: bool = True
) -> dict[str, dict]:
    """The score of every pair of `folder` by name, in order of names."""
    pairs = {n: tuple(read_script(folder / f"{n}.{side}.py") for side in ("gt", "gen")) for n in pair_names(folder)}
    with Log(partial(out), {n: _pair_key(scoring, n, *codes) for n, codes in pairs.items()}) as log:
        todo = [n for n in pairs if n not in log.done]
        if todo:
            _score({n: pairs[n] for n in todo}, scoring, workers, cache, progress, log)
        return {n: log.done[n] for n in pairs}


def _score(pairs: dict, scoring: Scoring, workers: int, cache: Path | None, progress: bool, log: Log) -> None:
    with Renderer("chart", workers, scoring.limits) as renderer:
        references = References(renderer, scoring.trace, cache)
        references.fill((gold for gold, _ in pairs.values()), progress)
        programs = [scoring.programs(generated) for _, generated in pairs.values()]
        renders = renderer.render_each((p for some in programs for p in some), scoring.trace)
        shown = tqdm(pairs.items(), desc="score", unit="pair", disable=not progress)
        for (name, (gold, _)), some in zip(shown, programs, strict=True):
            log.add(name, scoring.score(name, references.items(gold), list(islice(renders, len(some)))))


def _pair_key(scoring: Scoring, name: str, gold: str, generated: str) -> str:
    parts = json.dumps([scoring.id, tracer_version(), name, gold, generated])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


class Log:
    """Finished pairs, a line each. A line of an earlier run counts while its scripts and rules are the same."""

    def __init__(self, path: Path, keys: dict[str, str]) -> None:
        self._keys = keys
        self.done: dict[str, dict] = {}
        make_folder(path.parent)
        for line in path.read_text().splitlines() if path.is_file() else []:
            try:
                row = json.loads(line)
            except ValueError:  # cut by a kill
                continue
            if keys.get(row["name"]) == row["key"]:
                self.done[row["name"]] = row["score"]
        self._file = path.open("a")
        self._file.write("\n")  # ends a line that was cut

    def add(self, name: str, score: Record) -> None:
        """Write one finished pair down."""
        self.done[name] = score.model_dump()
        self._file.write(json.dumps({"name": name, "key": self._keys[name], "score": self.done[name]}) + "\n")
        self._file.flush()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_script(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def partial(out: Path) -> Path:
    """Where the log of an unfinished run lies."""
    return out.with_name(out.name + ".partial")


def write_json(path: Path, value: dict) -> None:
    """Write a whole file or none."""
    make_folder(path.parent)
    new = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    new.write_text(json.dumps(value, indent=1) + "\n")
    new.replace(path)


def make_folder(path: Path) -> None:
    """Make a folder; UserError where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {path} ({error.strerror}): choose another place") from None
