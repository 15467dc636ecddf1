"""Imports go one way, without cycles, and `import rrvf` loads nothing heavy."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest
from machine import REPOSITORY

import rrvf
from rrvf.stages import CODE

#: The layers, lowest first. A name imports only from the lines before its own, and from itself.
LAYERS = """
errors places wrong_keys sources environment
outputs chromium domains pictures
folders records
stages
protocol endpoints profile prices runtime
render served rows reward
data judge rollout
policies own_pictures starter equipment preconditions
best_of nano references
benchmarks
evaluation report
training redrawing
study
plan
doctor
cli
"""
LEVEL = {name: number for number, line in enumerate(LAYERS.strip().splitlines()) for name in line.split()}
#: Files in the sandbox run in the plotting runtime and import each other by bare names.
FILES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
    for root in ("rrvf", "reproduce")
    for path in (REPOSITORY / root).rglob("*.py")
    if "sandbox" not in path.parts and path.name != "__main__.py"
}


def imports(path: Path) -> set[str]:
    """The modules of this project that a file imports anywhere, except imports only for the type checker."""
    tree = ast.parse(path.read_text())
    checked = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    unseen = {id(node) for branch in checked for node in ast.walk(branch)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which this function does not follow"
            inside = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name if name in FILES else node.module for name in inside}
    return found & FILES.keys()


ARROWS = {name: imports(path) - {name} for name, path in FILES.items()}


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("module", [name for name in FILES if name.startswith("rrvf.")])
def test_a_module_imports_from_below(module):
    above = {m for m in ARROWS[module] if part(m) != part(module) and LEVEL[part(m)] >= LEVEL[part(module)]}
    assert above == set()


def test_nothing_in_the_package_imports_reproduce():
    assert [m for m in ARROWS if m.startswith("rrvf") and any(a.startswith("reproduce") for a in ARROWS[m])] == []


def test_there_is_no_circle():
    list(graphlib.TopologicalSorter(ARROWS).static_order())  # a CycleError names the cycle


#: What an evaluation imports and no key of it covers: settings and data, which are hashed apart, and what surrounds the
#: scores: records, paths, files, errors, prices, addresses.
AROUND_SCORES = {
    *("profile", "rows", "data", "records", "references", "sources", "evaluation", "errors", "wrong_keys"),
    *("places", "folders", "outputs", "prices", "endpoints", "served", "chromium", "environment"),
}


def test_a_change_of_the_code_that_an_evaluation_runs_makes_it_stale():
    reached, todo = set(), [module for module in ARROWS if part(module) in ("benchmarks", "evaluation")]
    while todo:
        module = todo.pop()
        todo += ARROWS[module] - reached
        reached |= ARROWS[module]
    hashed = {name.removesuffix(".py") for name in CODE["eval"]}
    assert {part(module) for module in reached} - hashed <= AROUND_SCORES


#: In this order, because what one module loads stays loaded for the next.
LIGHT = {
    "rrvf": {"torch", "transformers", "numpy", "pydantic"},
    "rrvf.cli": {"torch", "transformers", "numpy"},
    "rrvf.evaluation": {"torch", "transformers"},  # of served models, or of replies in a file
    "rrvf.evaluation.turns": {"torch", "transformers"},
    "rrvf.redrawing": {"torch", "transformers"},
}


def test_importing_loads_nothing_heavy():
    code = "import sys\n"
    for module, heavy in LIGHT.items():
        code += f"import {module}\nprint('{module}', *{heavy} & sys.modules.keys())\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(LIGHT)


@pytest.mark.parametrize("name", rrvf.__all__)
def test_every_public_name_is_there(name):
    assert getattr(rrvf, name) is not None
    assert name in dir(rrvf)


def test_no_other_name_is():
    with pytest.raises(AttributeError, match="redrew"):
        rrvf.redrew  # noqa: B018
