"""The numbers in the docstrings of reward, advantage, intervals and metrics match the code."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = ["reward", "training.advantage"]
MODULES += [f"benchmarks.{name}" for name in ("intervals", "chartmimic_scores", "plot2code", "colors", "pixels")]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_give_what_they_say(module):
    found = doctest.testmod(import_module(f"rrvf.{module}"), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted and not found.failed
