"""The progress that `make reproduce` shows while a notebook runs."""

from __future__ import annotations

import sys

import pytest

from reproduce.progress import Progress

STEP = "step {}/36  R +0.50 (vision +0.40 format +0.90 tool +0.33)  12 min left\n"
WAITS = "rrvf: the judge at http://127.0.0.1:8001/v1 cannot be reached: waiting up to 1800 s for it, start it again\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_steps_and_the_judges_absence_reach_whoever_watches(capsys, monkeypatch, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    progress = Progress()
    progress.bars.write("Loading weights:  40%|####      | 2/5\n")
    progress.bars.write(STEP.format(1) + STEP.format(2))
    progress.bars.write(WAITS)
    progress.bars.write("SomeWarning: of a library\n")
    said = capsys.readouterr().err
    assert "step 1/36" in said and f"  {WAITS}" in said and "SomeWarning" not in said
    assert ("step 2/36" in said) is terminal and ("\r" in said) is terminal  # without a terminal: one step per minute
