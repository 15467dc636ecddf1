"""Files in, pictures out: what `rrvf render` does with one program or with a folder of programs."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from rrvf.domains import domain as known_domain
from rrvf.errors import UserError
from rrvf.folders import make
from rrvf.records import Render, json_lines
from rrvf.render import Renderer, render
from rrvf.render.limits import Limits

RECORDS = "records.jsonl"


def render_file(domain: str, path: Path, out: Path, limits: Limits = Limits()) -> Render:
    """Render the program in `path` and write its picture to `out`.

    If the program draws none, an earlier picture there is removed. UserError for a missing file.
    """
    if not path.is_file():
        raise UserError(f"no file at {path}: name a {known_domain(domain).suffix} file")
    record = render(domain, read_program(domain, path), limits)
    _write(record, out)
    return record


def render_folder(
    domain: str, folder: Path, out: Path, workers: int = 1, limits: Limits = Limits()
) -> Iterator[tuple[str, Render]]:
    """Render every program of `folder` in name order; yields (name, record) as each one is done.

    Writes `NAME.png` for each program that has a picture, and `records.jsonl` with one record per line and its `name`.
    """
    paths = programs(domain, folder)
    make(out)
    before = {row.get("name") for row in json_lines(out / RECORDS) if row.get("status") == "ok"}
    with Renderer(domain, workers, limits) as renderer, open(out / RECORDS, "w", encoding="utf-8") as lines:
        made = renderer.render_each((read_program(domain, p) for p in paths), settle=False)
        for path, record in zip(paths, made, strict=True):
            if record.png or path.stem in before:  # another file of this name is the user's
                _write(record, out / f"{path.stem}.png")
            lines.write(json.dumps({"name": path.stem, **record.model_dump()}) + "\n")
            lines.flush()
            yield path.stem, record


def _write(record: Render, path: Path) -> None:
    """Write a picture. Where a program draws none, remove an earlier one, which would be taken for it."""
    if record.png:
        make(path.parent)
        path.write_bytes(record.png)
    elif record.status == "render_error":
        path.unlink(missing_ok=True)


def programs(domain: str, folder: Path) -> list[Path]:
    """The programs of `folder` in name order. Raises UserError if there are none."""
    suffix = known_domain(domain).suffix
    paths = sorted(p for p in folder.glob(f"*{suffix}") if p.is_file()) if folder.is_dir() else []
    if not paths:
        raise UserError(f"no {suffix} files in {folder}: name a folder that holds some")
    return paths


def read_program(domain: str, path: Path) -> str:
    """The text of a program file, decoded as the renderer's runtime would decode it."""
    return pkgutil.resolve_name(known_domain(domain).reader_at)(path)
