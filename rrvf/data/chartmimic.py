"""ChartMimic, direct task: 1,800 pictures to train on and 600 to test on (the paper's Table 1).

The archive `dataset-iclr.tar.gz` holds `direct_600/` and `direct_1800/`, each with `PREFIX_NUMBER.py/.png/.pdf`. Each
folder numbers from the start, so a sample's id is `task/name`; the metrics read the prefix (graph, box). The hub also
has the same data as a table. Public code disagrees whether its GroundTruthFigureCode is code or a path, so both are
accepted.
"""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rrvf.data import hub
from rrvf.data.config import ChartMimic
from rrvf.data.manifest import Item
from rrvf.errors import UserError, first_line

ARCHIVE = "dataset-iclr.tar.gz"
_PICTURES = ("GroundTruthFigurePreview", "InputFigurePreview", "GroundTruthFigure", "InputFigure")
_CODE = "GroundTruthFigureCode"


def items(split: ChartMimic) -> Iterator[Item]:
    """The figures of a task in name order; from the table, in its order."""
    return islice(_table(split) if split.view == "table" else _archive(split), split.count)


def _archive(split: ChartMimic) -> Iterator[Item]:
    path = Path(split.source)
    if path.is_dir():
        yield from _folder(split, path, hub.named(split.source, None))
        return
    path = path if path.is_file() else hub.file(split.source, ARCHIVE, split.revision)
    digest = check_archive(path, split.sha256)
    with TemporaryDirectory() as unpacked:
        folder = Path(unpacked, split.task)
        folder.mkdir()
        _unpack(path, split.task, folder)
        yield from _folder(split, folder, f"{ARCHIVE} with sha256 {digest}")


def _unpack(path: Path, task: str, folder: Path) -> None:
    """Write the files of a task to `folder`. UserError for a file that is no archive, or is cut off."""
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                # Only the last part of a member's name is used: Python 3.11.2 (Debian 12) cannot yet filter members
                # that leave the folder.
                if member.isfile() and Path(member.name).parent.name == task:
                    folder.joinpath(Path(member.name).name).write_bytes(tar.extractfile(member).read())
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is no archive that can be read ({first_line(error)}): fetch it again") from None


def check_archive(path: Path, expected: str | None) -> str:
    """The archive's sha256. Raises UserError if it is not `expected`; None accepts any."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected not in (None, found):
        raise UserError(
            f"{path} has sha256 {found}, not the reported one: fetch it again, or set `sha256` to it or to null"
        )
    return found


def _folder(split: ChartMimic, root: Path, origin: str) -> Iterator[Item]:
    scripts = sorted(p for p in root.rglob("*.py") if p.parent.name == split.task)
    if not scripts:
        raise UserError(f"no folder {split.task} with scripts in {split.source}: name the ICLR archive of ChartMimic")
    for script in scripts:
        code = hub.script(script)
        yield _item(split, script.stem, picture(script.with_suffix(f".{split.picture}")), code, origin)


def picture(path: Path) -> bytes:
    """A shipped figure as PNG. A PDF's first page is drawn at 120 dpi, as the official runner does for a model."""
    if not path.is_file():
        raise UserError(
            f"{path.name} is missing beside its script: fetch the archive again, or choose the other `picture`"
        )
    if path.suffix == ".png":
        return hub.png(path.read_bytes(), str(path))
    command = ["pdftoppm", "-r", "120", "-png", "-singlefile", "-f", "1", str(path)]
    try:
        return hub.png(subprocess.run(command, check=True, capture_output=True).stdout, str(path))
    except FileNotFoundError:
        raise UserError("no pdftoppm to draw PDFs: install poppler-utils, or set `picture: png`") from None
    except subprocess.CalledProcessError as error:
        raise UserError(f"{path.name} cannot be drawn: {error.stderr.decode(errors='replace').strip()[:200]}") from None


def _table(split: ChartMimic) -> Iterator[Item]:
    commit = hub.revision(split.source, split.revision)
    origin = hub.named(split.source, commit)
    for i, row in enumerate(hub.rows(split.source, "chartmimic", "test", images=(), commit=commit)):
        for column in ("ExampleID", _CODE, "Task"):
            hub.text(row, column, i, split.source)
        if belongs(row, split.task):
            column = next((c for c in _PICTURES if _is_picture(row.get(c))), None)
            if column is None:
                raise UserError(f"row {i} of {split.source} ({row['ExampleID']}) has no picture: use `view: archive`")
            code = _code(split, row[_CODE], commit)
            yield _item(
                split, Path(str(row["ExampleID"])).name, hub.picture(row, column, i, split.source), code, origin
            )


def belongs(row: dict[str, Any], task: str) -> bool:
    """Whether a row is of the task: by the folder in its id or code path if there is one, else by its Task."""
    named = f"{row['ExampleID']} {row[_CODE] if _is_path(row[_CODE]) else ''}"
    folders = [f for f in ("direct_600", "direct_1800", "customized_600", "customized_1800") if f in named]
    return task in folders if folders else "direct" in str(row["Task"]).lower()


def _is_picture(value: Any) -> bool:
    return value is not None and not isinstance(value, str)


def _is_path(value: str) -> bool:
    return "\n" not in value.strip() and value.strip().endswith(".py")


def _code(split: ChartMimic, value: str, commit: str | None) -> str:
    if not _is_path(value):
        return value
    local = Path(split.source)
    base = local if local.is_dir() else local.parent
    path = base / value if local.exists() else hub.file(split.source, value, commit)
    if not path.is_file():
        raise UserError(f"{path} is missing, which the table names as code: use `view: archive`")
    return hub.script(path)


def _item(split: ChartMimic, name: str, png: bytes, code: str, origin: str) -> Item:
    return Item(f"{split.task}/{name}", png, code, f"ChartMimic {split.task}/{name} of {origin}", "Apache-2.0")
