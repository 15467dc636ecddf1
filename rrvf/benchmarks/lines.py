"""JSON lines that are appended to and looked up: of a long run's replies only their places are kept in memory."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import TextIO


class Lines:
    """The lines of a file by their `id`; the last of an id counts, one that a kill has cut does not."""

    def __init__(self, path: Path) -> None:
        self._path, self._places = path, {}
        self._writing = threading.Lock()
        if path.is_file():
            self._index()

    def _index(self) -> None:
        place = 0
        with self._path.open("rb") as file:
            for line in file:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    self._places[json.loads(line)["id"]] = place
                place += len(line)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> dict:
        with self._path.open("rb") as file:
            file.seek(self._places[name])
            return json.loads(file.readline())

    def add(self, line: dict) -> None:
        """Append a line with an `id`; from any thread."""
        with self._writing, append_lines(self._path) as file:
            self._places[line["id"]] = file.tell()
            file.write(json.dumps(line) + "\n")


def append_lines(path: Path) -> TextIO:
    """Open a JSON-lines file to append to, past whatever a kill left of its last line."""
    file = path.open("a", encoding="utf-8")
    if file.tell() and not _ends_whole(path):
        file.write("\n")
        file.flush()
    return file


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\n"
