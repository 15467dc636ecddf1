"""Prints one line per notebook and stage to standard output, and progress to standard error.

On a terminal, progress is the latest bar or training step, which replaces the one before. Elsewhere it is one training
step per minute. A message that the run waits for its judge is always printed.
"""

from __future__ import annotations

import sys
import time

#: Seconds between two printed steps without a terminal.
STEP_S = 60.0


class Progress:
    """Prints progress. `stages` and `bars` are the files that take a kernel's standard output and standard error."""

    def __init__(self) -> None:
        self.stages, self.bars = _Stages(self), _Bars()

    def say(self, line: str) -> None:
        """Print a line that is not replaced."""
        self.bars.clear()
        print(line, flush=True)

    def fail(self, line: str) -> None:
        """Print the last line of a failed run to standard error."""
        self.bars.clear()
        print(line, file=sys.stderr, flush=True)


class _Stages:
    """Takes what a notebook prints, in pieces, and prints only its `stage ...` lines."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._rest = progress, ""

    def write(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.startswith("stage "):
                self._progress.say(f"  {line}")

    def flush(self) -> None:
        """Does nothing: whole lines are already printed."""


class _Bars:
    """Takes what a notebook writes to standard error: progress bars, training steps, messages about its judge."""

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
        """Remove the current bar from the terminal."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        self._shown = False

    def flush(self) -> None:
        """Does nothing: every write is flushed."""
