"""Everything long is a stage: skipped when finished with the same inputs, continued when broken, else begun anew.

    with stage(Path("runs/nano"), "train/sft_chart", "train", inputs) as (out, finished):
        ...

A stage's key hashes the profile's settings, the code and the earlier stages that it depends on. What was made with
other inputs moves aside.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rrvf.folders import ASIDE, make, owned
from rrvf.places import PACKAGE

#: What each kind of stage is made of: a change in one of these makes a finished stage stale.
CODE = {
    "data": ("domains", "render", "data"),
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
    "eval": ("domains", "protocol", "render", "judge", "policies", "benchmarks", "nano"),
}


@contextmanager
def stage(results: Path, name: str, kind: str, inputs: dict) -> Iterator[tuple[Path, bool]]:
    """The folder of a stage in a study's results, and whether it is finished.

    kind: of `CODE`. Marked finished when the block ends without an exception.

    Prints its state in one line. A second process that comes to the same stage waits for the first. Work of
    other inputs is never deleted: its folder moves aside.
    """
    out = results / name
    key = stage_key(kind, inputs)
    marker, begun = out / "finished", out / "key"
    with owned(out, wait=True, lock=out.with_name(f".{out.name}.lock")):
        if begun.is_file() and not _still_good(name, kind, begun.read_text(), key, marker.is_file()):
            _move_aside(out)
        state = "finished before" if marker.is_file() else "continues" if begun.is_file() else "begins"
        print(f"stage {name}: {state}", flush=True)
        make(out)
        if not marker.is_file():
            begun.write_text(key)
        started = time.monotonic()
        yield out, marker.is_file()
        if not marker.is_file():
            marker.touch()
            print(f"stage {name}: finished after {time.monotonic() - started:.0f} s", flush=True)


def _still_good(name: str, kind: str, before: str, now: str, finished: bool) -> bool:
    """Whether a folder of key `before` serves: a trained policy does while its settings are the same.

    Training costs hours to days, and most changes of code change no weights; what is cheap is made anew.
    """
    if before == now:
        return True
    settings_only = kind == "train" and before.split()[0] == now.split()[0]
    if settings_only and finished:
        print(f"stage {name}: trained by an earlier version of the code; move its folder away to train anew")
    return settings_only


def _move_aside(out: Path) -> None:
    """Give a folder whose inputs have changed a name with its key, beside its place."""
    with owned(out):  # nobody else is writing it
        aside = out.with_name(f"{out.name}{ASIDE}{(out / 'key').read_text().split()[0]}")
        while aside.exists():
            aside = aside.with_name(aside.name + "+")
        out.rename(aside)
    print(f"stage {out.name}: its inputs have changed; what was there is kept as {aside}", flush=True)


def stage_key(kind: str, inputs: dict) -> str:
    """Two hashes of what a stage depends on: of its inputs and of the code."""
    settings = json.dumps(inputs, sort_keys=True, default=str)
    digest = hashlib.sha256()
    for part in CODE[kind]:
        path = PACKAGE / part
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in {".py", ".txt", ".jinja", ".json"} and "__pycache__" not in file.parts:
                digest.update(file.read_bytes())
    return f"{hashlib.sha256(settings.encode()).hexdigest()[:16]} {digest.hexdigest()[:16]}"
