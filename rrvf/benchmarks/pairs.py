"""Scores a folder of pairs `NAME.gt.py` and `NAME.gen.py` in the sandbox. The two chart benchmarks share this code.

True scripts are traced once, and their items are cached by content. Each finished pair is written to `OUT.partial`, so
a killed run continues. The final file is the same to the byte with any number of workers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from rrvf import places
from rrvf.benchmarks.items import items_of, scoring_version, tracer_version
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.folders import make
from rrvf.outputs import whole
from rrvf.records import Record, Render, json_lines
from rrvf.render import Limits, Renderer, Trace, settled
from rrvf.render import render as draw
from rrvf.render.limits import BY_LIMIT, trusted
from rrvf.sources import read_script

CACHE = places.CACHE / "references"
_LATEST = 512  # true scripts whose items stay in memory


@dataclass(frozen=True)
class Scoring:
    """How one benchmark scores a pair.

    programs: the programs to run for one generated script. score: gets the pair's name, the true script's items (None
    where it does not run) and the render of each program.
    """

    id: str
    trace: Trace
    limits: Limits
    score: Callable[[str, dict | None, list[Render]], Record]
    programs: Callable[[str], list[str]] = lambda code: [code]


class References:
    """A cache of the items of true scripts and pages, by content: the latest in memory, all as JSON files in `folder`.

    So a set is traced for its first policy only. Thread-safe.
    """

    def __init__(self, renderer: Renderer, trace: Trace, folder: Path | None = CACHE) -> None:
        self._renderer, self._trace, self._folder = renderer, trace, folder
        self._latest: dict[str, dict | None] = {}
        self._lock = threading.Lock()

    def items(self, code: str, made: Render | None = None) -> dict | None:
        """The items of one true script; None where it does not run. made: a traced run of it, if there was one."""
        if not self.known(code):
            self.keep(code, self.run(code, made))
        return self._latest[self._key(code)]

    def run(self, code: str, made: Render | None = None) -> Render:
        """A traced run of true code, without limits where one has ended it. made: as in `items`."""
        run = settled(made or self._renderer.render(code, self._trace))
        if run.reason in BY_LIMIT:
            run = settled(draw(self._renderer.domain, code, trusted(self._renderer.limits), self._trace))
        return run

    def known(self, code: str) -> bool:
        """Whether `items` answers without running the script."""
        key = self._key(code)
        if key not in self._latest and self._folder:
            with contextlib.suppress(OSError, ValueError):
                self._remember(key, json.loads((self._folder / f"{key}.json").read_text()))
        return key in self._latest

    def keep(self, code: str, render: Render) -> None:
        """Cache a traced run; on disk only where it gave items, since a busy machine can make a script time out."""
        key, items = self._key(code), items_of(render, self._trace)
        self._remember(key, items)
        if items is None:
            tqdm.write(f"a true script did not run and scores 0: {render.reason} {render.message}", file=sys.stderr)
        elif self._folder:
            with contextlib.suppress(OSError, UserError):  # without a cache the run is only slower
                write_json(self._folder / f"{key}.json", items)

    def _key(self, code: str) -> str:
        setting = f"{self._trace} {self._renderer.limits.canvas} {tracer_version(self._trace)}"
        return hashlib.sha256(f"{setting}\n{code}".encode(errors="replace")).hexdigest()[:32]

    def _remember(self, key: str, items: dict | None) -> None:
        with self._lock:
            self._latest[key] = items
            if len(self._latest) > _LATEST:
                del self._latest[next(iter(self._latest))]


def visible(folder: Path, pattern: str) -> list[Path]:
    """The files of a pattern whose names do not begin with a dot: macOS puts a `._NAME` beside each file."""
    return [path for path in folder.glob(pattern) if not path.name.startswith(".")]


def pair_names(folder: Path) -> list[str]:
    """Names that have both `NAME.gt.py` and `NAME.gen.py`, sorted.

    UserError for a folder without pairs, or with half a pair.
    """
    gold = {p.name.removesuffix(".gt.py") for p in visible(folder, "*.gt.py")}
    generated = {p.name.removesuffix(".gen.py") for p in visible(folder, "*.gen.py")}
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
    """The score of every pair of `folder`, by name and in order of names.

    Scripts are read pair by pair, so that memory stays flat.
    """
    names = pair_names(folder)
    with Log(partial(out), {n: _pair_key(scoring, n, *_pair(folder, n)) for n in names}) as log:
        todo = [n for n in names if n not in log.done]
        if todo:
            with Renderer(CHART.name, workers, scoring.limits) as renderer:
                references = References(renderer, scoring.trace, cache)
                scores = _scores(folder, todo, scoring, renderer, references)
                for name, score in tqdm(scores, desc="score", total=len(todo), unit="pair", disable=not progress):
                    log.add(name, score.model_dump(exclude_none=True))
        return {n: log.done[n] for n in names}


def _scores(
    folder: Path, names: list[str], scoring: Scoring, renderer: Renderer, references: References
) -> Iterator[tuple[str, Record]]:
    """Each pair's score in turn. True scripts that are not cached run in the same stream as the generated scripts."""
    waiting: deque[tuple[str, str, bool, int]] = deque()

    def programs() -> Iterator[str]:
        for name in names:
            gold, generated = _pair(folder, name)
            known, runs = references.known(gold), scoring.programs(generated)
            waiting.append((name, gold, known, len(runs)))
            yield from runs if known else [*runs, gold]

    renders = renderer.render_each(programs(), scoring.trace)
    for first in renders:
        name, gold, known, runs = waiting.popleft()
        made = [first, *islice(renders, runs - 1)]
        if not known:
            references.keep(gold, next(renders))
        yield name, scoring.score(name, references.items(gold), made)


def _pair(folder: Path, name: str) -> tuple[str, str]:
    return read_script(folder / f"{name}.gt.py"), read_script(folder / f"{name}.gen.py")


def _pair_key(scoring: Scoring, name: str, gold: str, generated: str) -> str:
    parts = json.dumps([scoring.id, scoring_version(), name, gold, generated])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def failed(gold: dict | None, generated: Render | None) -> str | None:
    """Why a pair scores nothing; None where both scripts ran.

    gold: None where the true script failed. generated: the failed run of the generated script, if one failed.
    """
    if generated is not None:
        return generated.reason or "forbidden"  # it ran, but its report is malformed
    return "the true script did not run" if gold is None else None


class Log:
    """The finished pairs, one line each. A line of an earlier run counts if its scripts and rules are the same."""

    def __init__(self, path: Path, keys: dict[str, str]) -> None:
        self._keys = keys
        self.done: dict[str, dict] = {}
        make(path.parent)
        for row in json_lines(path):
            if keys.get(row["name"]) == row["key"]:
                self.done[row["name"]] = row["score"]
        self._file = path.open("a")
        self._file.write("\n")  # ends a line that a kill has cut

    def add(self, name: str, score: dict) -> None:
        """Append one finished pair."""
        self.done[name] = score
        self._file.write(json.dumps({"name": name, "key": self._keys[name], "score": score}) + "\n")
        self._file.flush()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def refuse_folder(out: Path) -> None:
    """UserError where `out` is a folder; called before any work is done."""
    if out.is_dir():
        raise UserError(f"{out} is a folder: name the JSON file to write")


def partial(out: Path) -> Path:
    """The path of an unfinished run's log. UserError where `out` is a folder."""
    refuse_folder(out)
    return out.with_name(out.name + ".partial")


def write_json(path: Path, value: dict) -> None:
    """Write a whole file or none."""
    make(path.parent)
    with whole(path) as partial_file, partial_file.open("w") as file:
        json.dump(value, file, indent=1)  # piece by piece: the whole text would double the memory
        file.write("\n")
