"""Versions that must agree, read from pyproject.toml, the lock files and the places that name this version."""

from __future__ import annotations

import inspect
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from trl import import_utils

import rrvf

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = {
    "dependencies": ("requirements", "reproduce/setup/torch-cuda"),
    "dev": ("requirements", "reproduce/setup/torch-cuda"),
    "vllm": ("requirements-gpu",),
    "gpu": ("requirements-gpu",),
    "vllm-cpu": ("requirements-vllm-cpu", "requirements"),
    "openenv": ("requirements-openenv",),
    "verl": ("requirements-verl",),
    "docs": ("requirements-docs",),
}
ASKED = {"dependencies": PROJECT["project"]["dependencies"]} | PROJECT["project"]["optional-dependencies"]
ASKED |= PROJECT["dependency-groups"]


def locked(names: tuple[str, ...]) -> dict[str, str]:
    text = "".join((ROOT / f"{name}.lock").read_text() for name in names)
    return {canonicalize_name(name): found for name, found in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", text, re.M)}


@pytest.mark.parametrize("part", ASKED)
def test_the_locks_hold_what_is_asked_for(part):
    versions = locked(LOCKS[part])
    for requirement in map(Requirement, ASKED[part]):
        if requirement.name != "rrvf":
            assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("part", ["dependencies", "dev"])
def test_a_lower_bound_is_a_version_that_is_tested(part):
    versions = locked(LOCKS[part])
    for requirement in map(Requirement, ASKED[part]):
        (bound,) = requirement.specifier
        tested = Version(versions[canonicalize_name(requirement.name)])
        assert Version(bound.version).release[:2] == tested.release[:2], requirement


@pytest.mark.parametrize(("file", "package"), [("requirements-gpu", "vllm"), ("requirements-vllm-cpu", "vllm-cpu")])
def test_vllm_is_one_that_trl_is_tested_with(file, package):
    source = inspect.getsource(import_utils.is_vllm_available)
    lowest, highest = map(Version, re.search(r'Version\("([\d.]+)"\) <= .* <= Version\("([\d.]+)"\)', source).groups())
    assert lowest <= Version(locked((file,))[package]) <= highest


def test_package_changelog_and_citation_name_one_version():
    released = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert rrvf.__version__ == PROJECT["project"]["version"] == cited == released[0]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no repository here")
def test_a_tag_of_this_commit_names_its_version():
    here = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert set(here.stdout.split()) <= {f"v{rrvf.__version__}"}
