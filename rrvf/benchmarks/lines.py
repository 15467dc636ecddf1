"""A JSON-lines file with lookup by id. Only the offsets of the lines are kept in memory."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import TextIO


class Lines:
    """The lines of a file by their `id`. The last line of an id counts. A line that a kill has cut is ignored."""

    def __init__(self, path: Path) -> None:
        self._path, self._offsets = path, {}
        self._lock = threading.Lock()
        if path.is_file():
            self._index()

    def _index(self) -> None:
        offset = 0
        with self._path.open("rb") as file:
            for line in file:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    self._offsets[json.loads(line)["id"]] = offset
                offset += len(line)

    def __contains__(self, name: str) -> bool:
        return name in self._offsets

    def __getitem__(self, name: str) -> dict:
        with self._path.open("rb") as file:
            file.seek(self._offsets[name])
            return json.loads(file.readline())

    def add(self, line: dict) -> None:
        """Append a line that has an `id`. Thread-safe."""
        with self._lock, append_lines(self._path) as file:
            self._offsets[line["id"]] = file.tell()
            file.write(json.dumps(line) + "\n")


def append_lines(path: Path) -> TextIO:
    """Open a JSON-lines file for appending. If a kill has cut its last line, that line is ended first."""
    file = path.open("a", encoding="utf-8")
    if file.tell() and not _ends_whole(path):
        file.write("\n")
        file.flush()
    return file


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\n"
