"""One line per notebook and stage on standard output; on standard error how long work goes on.

On a terminal that is its last bar or training step, each over the one before; elsewhere a training step a minute. That
a run waits for its judge is told always.
"""

from __future__ import annotations

import sys
import time

#: Seconds between two steps that are told where no terminal is.
STEP_S = 60.0


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
    """What a notebook writes to standard error: progress bars, steps of a training, words about its judge."""

    def __init__(self) -> None:
        self._shown, self._told = False, float("-inf")

    def write(self, text: str) -> None:
        for line in text.splitlines():
            line = line.rpartition("\r")[2].strip()
            step = line.startswith("step ")
            if line.startswith("rrvf: ") and " judge " in line:
                self._tell(line)
            elif (step or "%|" in line) and sys.stderr.isatty():
                print(f"\r\033[K  {line[:100]}", end="", file=sys.stderr, flush=True)
                self._shown = True
            elif step and time.monotonic() - self._told >= STEP_S:
                self._tell(line)
                self._told = time.monotonic()

    def _tell(self, line: str) -> None:
        self.clear()
        print(f"  {line}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the bar that is shown."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        self._shown = False

    def flush(self) -> None:
        """Every write is flushed."""
