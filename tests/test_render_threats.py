"""Every threat has an attack or a test, and the list of threats names only existing ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hostile_suite import FOLDER, attacks

THREATS: dict[str, list[str]] = yaml.safe_load((FOLDER / "threats.yaml").read_text())


@pytest.fixture(scope="module")
def known() -> set[str]:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_render_*.py"))
    names = {line.split("(")[0].removeprefix("def ") for line in tests.splitlines() if line.startswith("def test_")}
    return names | {a.name for a in attacks("chart")} | {f"{a.name}.html" for a in attacks("web")}


@pytest.mark.parametrize("threat", THREATS)
def test_a_threat_is_stood_for(threat: str, known: set[str]) -> None:
    assert THREATS[threat] and not set(THREATS[threat]) - known


@pytest.mark.parametrize(("domain", "least"), [("chart", 80), ("web", 40)])
def test_the_suite_is_as_large_as_promised(domain: str, least: int) -> None:
    assert len(attacks(domain)) >= least
