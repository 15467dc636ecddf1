"""The documentation: links work, pages are listed, citations exist, and the reference is complete."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
import yaml

from docs.site.alternatives import on_page_content
from docs.site.reference import commands, environment, profile
from rrvf.cli import app
from rrvf.environment import SETTINGS
from rrvf.profile import Profile

ROOT = Path(__file__).parent.parent
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
MKDOCS = ROOT / "mkdocs.yml"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", CODE.sub("", page.read_text())):
        assert (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation():
    found = re.findall(r"[\w/]+\.(?:md|ipynb)", yaml.dump(yaml.load(MKDOCS.read_text(), yaml.BaseLoader)["nav"]))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    notebooks = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert pages | notebooks <= set(found)


def test_a_figure_of_a_notebook_keeps_its_words_on_the_site(tmp_path):
    figure = {"data": {"image/png": "aGk="}, "metadata": {"image/png": {"alt": 'two "bars"'}}}
    bare = {"data": {"image/png": "eW8="}, "metadata": {}}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [{"outputs": [figure, bare]}, {}]}))
    page = SimpleNamespace(file=SimpleNamespace(src_uri="a.ipynb", abs_src_path=tmp_path / "a.ipynb"))
    shown = on_page_content("".join(f'<img src="data:image/png;base64,{data}"\n>' for data in ("aGk=", "eW8=")), page)
    assert re.findall(r' alt="([^"]*)"', shown) == ["two &quot;bars&quot;", ""]


def names(prefix: str, command) -> list[str]:
    inner = getattr(command, "commands", {})
    return [prefix, *(name for sub in inner for name in names(f"{prefix} {sub}", inner[sub]))]


def test_the_reference_has_every_command_and_make_target():
    text = commands()
    assert all(f"\n## {name}\n" in text for name in names("rrvf", typer.main.get_command(app)))
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert all(f"`make {target}`" in text for target in targets)


def test_the_reference_has_every_key_of_a_profile_with_a_meaning():
    text = profile()
    assert all(f"| `{key}` |" in text for key in Profile.model_fields)
    assert "|  |" not in text


def test_the_reference_has_every_environment_variable():
    assert all(f"| `{name}` |" in environment() for name in SETTINGS)


def test_what_code_cites_is_in_the_docs():
    files = [path for folder in ("rrvf", "reproduce", "tests", "bench") for path in (ROOT / folder).rglob("*.py")]
    lines = [line for path in files for line in path.read_text().splitlines()]
    code = "\n".join(line for line in lines if re.search(r"metrics_spec|[Dd]ecisions?[ #.(]|\(D[0-9]|: D[0-9]", line))
    metrics, decisions = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("metrics_spec", "decisions"))
    sections = set(re.findall(r"metrics_spec (?:part )?([\d.]*\d|[TA]\d+)", code))
    assert sections
    for section in sections:
        assert re.search(rf"^(#+ (Part )?{re.escape(section)}[ .]|\| {section} \|)", metrics, re.MULTILINE), section
    assert all(f"| {row} |" in decisions for row in set(re.findall(r"\bD(?:10|[1-9])\b", code)))


#: The README's names of the test sets, and the titles of the nano profile's.
SETS = {
    "held-out charts": "generated charts",
    "held-out pages": "generated pages",
    "wide charts": "wide generated charts, out-of-distribution",
    "long pages": "long generated pages, out-of-distribution",
    "gallery": "matplotlib gallery, out-of-distribution",
    "real pages": "real pages of MIT packages, out-of-distribution",
}
COLUMNS = ("base", "best8", "rft", "sft", "rrvf")


def published() -> dict[tuple[str, ...], list[str]]:
    """The lines of the published seeds.md: n, value and differences by set, metric and row."""
    text = (ROOT / "results" / "nano" / "report" / "seeds.md").read_text()
    return {
        (title, metric, row): rest
        for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        for metric, row, *rest in (
            [cell.strip() for cell in line.split("|")[1:-1]] for line in body.strip().splitlines()[2:]
        )
    }


def test_the_readmes_results_are_the_published_ones():
    readme, found = (ROOT / "README.md").read_text(), published()
    rows = re.findall(r"^\| ([a-z -]+) \((\d+)\)[^|]*\|(.*)\|$", readme, re.MULTILINE)
    assert len(rows) == 9
    for name, n, cells in rows:
        metric, *values, gain = [cell.strip() for cell in cells.split("|")]
        lines = [found[SETS[name], metric, row] for row in COLUMNS]
        assert [(n, value) for value in values] == [(line[0], line[1]) for line in lines]
        assert gain == re.match(r"[^]]*\]", lines[0][2])[0]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130
