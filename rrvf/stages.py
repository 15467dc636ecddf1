"""Long work runs as a stage. A stage that is finished is skipped, a broken one continues, a stale one begins anew.

    with stage(Path("runs/nano"), "train/sft_chart", "train", inputs) as (out, finished):
        ...

A stage's key hashes its inputs (the profile's settings, and the earlier stages that it depends on) and the code,
without its comments and docstrings. A folder that was made with another key is stale and is moved aside, never deleted.
A training is stale only if its inputs differ: a change of code leaves it as it is (`_still_good`), and so does one of
its settings that was followed by a training by hand.
"""

from __future__ import annotations

import ast
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from rrvf.folders import ASIDE, make, owned
from rrvf.outputs import whole
from rrvf.places import PACKAGE

#: The code that each kind of stage runs. A change in it makes finished evaluations stale.
CODE = {
    "train": (
        "domains",
        "protocol",
        "render",
        "judge",
        "policies",
        "reward.py",
        "rollout.py",
        "best_of.py",
        "training",
        "nano",
    ),
    "eval": (
        "domains",
        "protocol",
        "render",
        "judge",
        "policies",
        "rollout.py",
        "best_of.py",
        "benchmarks",
        "evaluation",
        "pictures.py",
        "nano",
    ),
}


@contextmanager
def stage(
    results: Path, name: str, kind: str, inputs: dict, is_made: Callable[[Path], bool] = lambda out: False
) -> Iterator[tuple[Path, bool]]:
    """The folder of a stage in a study's results, and whether the stage is finished.

    kind: a key of `CODE`. is_made: whether a folder holds what these inputs give, although its key is another, as after
    a training by hand with new settings. The stage is marked finished when the block ends without an exception. Its
    state is printed in one line. A second process that enters the same stage waits for the first. A stale folder is
    moved aside.
    """
    out = results / name
    key = stage_key(kind, inputs)
    marker, begun = out / "finished", out / "key"
    with owned(out, wait=True, lock=out.with_name(f".{out.name}.lock")):
        if begun.is_file() and not _still_good(name, kind, begun.read_text(), key, marker.is_file()):
            if is_made(out):
                _write(begun, key)
            else:
                _move_aside(out)
        state = "finished before" if marker.is_file() else "continues" if begun.is_file() else "begins"
        print(f"stage {name}: {state}", flush=True)
        make(out)
        if not marker.is_file():
            _write(begun, key)
        started = time.monotonic()
        yield out, marker.is_file()
        if not marker.is_file():
            marker.touch()
            print(f"stage {name}: finished after {time.monotonic() - started:.0f} s", flush=True)


def _write(path: Path, key: str) -> None:
    with whole(path) as partial:
        partial.write_text(key)


def _still_good(name: str, kind: str, before: str, now: str, finished: bool) -> bool:
    """Whether a folder with key `before` is used for the key `now`.

    A trained policy is used while its settings are the same: training takes hours to days, and most changes of code
    change no weights. The other kinds are made anew after any change.
    """
    if before == now:
        return True
    settings_only = kind == "train" and before.split()[0] == now.split()[0]
    if settings_only and finished:
        print(f"stage {name}: trained by an earlier version of the code; move its folder away to train anew")
    return settings_only


def _move_aside(out: Path) -> None:
    """Rename a stale folder, beside its old place, to a name with its key."""
    with owned(out):  # no other process is writing it
        aside = out.with_name(f"{out.name}{ASIDE}{(out / 'key').read_text().split()[0]}")
        while aside.exists():
            aside = aside.with_name(aside.name + "+")
        out.rename(aside)
    print(f"stage {out.name}: its inputs have changed; what was there is kept as {aside}", flush=True)


def stage_key(kind: str, inputs: dict) -> str:
    """The key of a stage: a hash of its inputs and a hash of the code of its kind."""
    settings = json.dumps(inputs, sort_keys=True, default=str)
    digest = hashlib.sha256()
    for part in CODE[kind]:
        path = PACKAGE / part
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in {".py", ".txt", ".jinja", ".json"} and "__pycache__" not in file.parts:
                digest.update(_meaning(file))
    return f"{hashlib.sha256(settings.encode()).hexdigest()[:16]} {digest.hexdigest()[:16]}"


@cache
def _meaning(file: Path) -> bytes:
    """The content of a file; of Python code the program without comments, docstrings and layout."""
    if file.suffix != ".py":
        return file.read_bytes()
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return ast.dump(tree).encode()
