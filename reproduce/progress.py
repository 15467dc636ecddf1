"""One line per notebook and stage on standard output; the bars of long work, on a terminal, on standard error."""

from __future__ import annotations

import sys


class Progress:
    """Also the two files that a kernel's output is written to: see `stages` and `bars`."""

    def __init__(self) -> None:
        self.stages, self.bars = _Stages(self), _Bars()

    def say(self, line: str) -> None:
        """One line that stays."""
        self.bars.clear()
        print(line, flush=True)

    def fail(self, line: str) -> None:
        """The last line of a run that did not end well."""
        self.bars.clear()
        print(line, file=sys.stderr, flush=True)


class _Stages:
    """What a notebook prints: its `stage ...` lines are passed on, as they come in pieces."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._rest = progress, ""

    def write(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.startswith("stage "):
                self._progress.say(f"  {line}")

    def flush(self) -> None:
        """Nothing is held back but half a line."""


class _Bars:
    """What a notebook writes to standard error: progress bars, each over the last; nothing where nobody watches."""

    def __init__(self) -> None:
        self._shown = False

    def write(self, text: str) -> None:
        last = text.rstrip("\n").rpartition("\r")[2].strip()
        if "%|" in last and sys.stderr.isatty():
            print(f"\r\033[K  {last[:100]}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def clear(self) -> None:
        """Remove the bar that is shown."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        self._shown = False

    def flush(self) -> None:
        """Every write is flushed."""
