"""Access to data sets on the hub, by id or local path. Every failure becomes one clear line."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from rrvf.errors import UserError, first_line
from rrvf.pictures import UNREADABLE, as_seen, png_of

_ASK_S = 15.0


def revision(source: str, asked: str | None) -> str | None:
    """The commit of a data set on the hub: of branch, tag or commit `asked`, or the newest.

    None for a local copy. UserError if the hub cannot be asked.
    """
    from huggingface_hub import HfApi

    if Path(source).exists():
        return None
    try:
        return HfApi().dataset_info(source, revision=asked, timeout=_ASK_S).sha
    except Exception as error:
        raise unreachable(source, error) from None


def named(source: str, commit: str | None) -> str:
    """A source in the form that manifests record."""
    return f"{source}@{commit}" if commit else f"{Path(source).name} (local copy)"


def file(source: str, name: str, asked: str | None = None) -> Path:
    """The file `name` of the data set `source` (hub id), downloaded once. UserError if it cannot be."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(source, name, repo_type="dataset", revision=asked))
    except Exception as error:
        raise unreachable(source, error) from None


def rows(
    source: str, config: str | None, split: str, images: tuple[str, ...], commit: str | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of a table in order, streamed. `images`: columns whose pictures stay encoded.

    `source` is a hub id, read at `commit`, or a local parquet file or folder of them. In a local folder, `config` names
    a subfolder if there is one, and `split` selects the files that begin with it if there are any. UserError if the
    source cannot be read.
    """
    import datasets

    try:
        if Path(source).exists():
            files = [str(f) for f in _parquet(Path(source), config, split)]
            table = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
        else:
            table = datasets.load_dataset(source, config, split=split, streaming=True, revision=commit)
        for column in images:
            table = _encoded(table, column, source)
        yield from table
    except UserError:
        raise
    except Exception as error:  # the hub's client raises many types of network, disk and token errors
        raise unreachable(source, error) from None


def _encoded(table, column: str, source: str):
    import datasets

    known = table.column_names
    if known is not None and column not in known:
        raise UserError(
            f"{source} has no column {column!r}: it has {', '.join(known)}; name the right one in the profile"
        )
    is_image = table.features is None or isinstance(table.features[column], datasets.Image)
    return table.cast_column(column, datasets.Image(decode=False)) if is_image else table


def _parquet(path: Path, config: str | None, split: str) -> list[Path]:
    folder = path / config if config and (path / config).is_dir() else path
    files = [path] if path.is_file() else sorted(folder.rglob("*.parquet"))
    if not files:
        raise UserError(f"no parquet files in {folder}: name a copy of the data set, or its hub id")
    return [f for f in files if f.name.startswith(split)] or files


def unreachable(source: str, error: Exception) -> UserError:
    """The error to raise if a data set cannot be read."""
    why = first_line(error).split(". ")[0][:160]
    if Path(source).exists():
        return UserError(f"cannot read {source} ({why}): the copy is damaged or no data set: fetch it again")
    return UserError(f"cannot read the data set {source} ({why}): check the network, or give `source` a local copy")


def cell(row: dict[str, Any], column: str, source: str) -> Any:
    """The value in a column of a row. The UserError names a column that the table lacks."""
    if column not in row:
        raise UserError(f"{source} has no column {column!r}: it has {', '.join(row)}; name a copy with that column")
    return row[column]


def text(row: dict[str, Any], column: str, number: int, source: str) -> str:
    """The text in a column of row `number`. The UserError names the column or the row without text."""
    value = cell(row, column, source)
    if not isinstance(value, str) or not value.strip():
        found = "nothing" if value is None or isinstance(value, str) else type(value).__name__
        raise UserError(f"row {number} of {source}: column {column!r} holds {found}, not text: mend or remove the row")
    return value


def picture(row: dict[str, Any], column: str, number: int, source: str) -> bytes:
    """The picture in a column of row `number`, as `png` returns it. The UserError names the column or the row."""
    return png(cell(row, column, source), f"row {number} of {source}, column {column!r}")


def script(path: Path) -> str:
    """A Python file decoded as Python does: UTF-8, or the declared encoding. The UserError names file and line."""
    data = path.read_bytes()
    try:
        return importlib.util.decode_source(data)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}: not {error.encoding}: save it as UTF-8, or name its encoding in its first line"
        ) from None
    except SyntaxError as error:  # unknown encoding
        raise UserError(f"{path}: {error.msg}: save it as UTF-8") from None


def png(value: Any, where: str = "the data set") -> bytes:
    """A table's picture (bytes, {"bytes", "path"}, or a PIL image) as an RGB PNG, as it is seen (`as_seen`).

    A PNG that is already RGB is kept byte for byte. The UserError says `where` a picture is missing or damaged.
    """
    try:
        if isinstance(value, dict):
            value = value.get("bytes") or Path(value["path"]).read_bytes()
        picture = value if isinstance(value, Image.Image) else Image.open(io.BytesIO(value))
        picture.load()
    except (TypeError, KeyError, FileNotFoundError, UnidentifiedImageError):
        kind = "nothing" if value is None else f"a {type(value).__name__}"
        raise UserError(f"{where}: found {kind} instead of a picture: check the column's name") from None
    except UNREADABLE as error:
        raise UserError(f"{where}: the picture is damaged ({error}): mend or remove it") from None
    return png_of(as_seen(picture)[0], picture, value if isinstance(value, bytes) else None)
