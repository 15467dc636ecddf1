"""The published records, report and notebooks of the nano profiles agree with each other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from reproduce.driver import NOTEBOOKS
from rrvf.data.generated import charts
from rrvf.profile import load_profile
from rrvf.report.knob import FRONT_ENDS
from rrvf.report.runs import find_runs, find_seeds
from rrvf.report.seeds import seeds_markdown
from rrvf.report.write import report_texts
from rrvf.study import Study

PUBLISHED = Path(__file__).parent.parent / "results" / "nano"
CHECKED = "# NBVAL_CHECK_OUTPUT"
#: Functions that need pictures or a trained policy, or take hours.
ABSENT = ("split", "tools", "judge", "train_grpo", "train_sft")


@pytest.mark.parametrize("profile", ["nano", "nano-long"])
def test_the_published_report_is_what_the_published_records_give(profile):
    results = PUBLISHED.with_name(profile)
    pages = report_texts(find_runs(results), find_seeds(results), load_profile(profile))
    assert pages.keys() - {"seeds.md"} == {"claims.md", "decomposition.md", "audit.md"}
    assert pages == {name: (results / "report" / name).read_text() for name in pages}


def test_the_seeds_of_another_machine_are_what_their_records_give():
    results = PUBLISHED.with_name("nano-float32")
    text = seeds_markdown(find_runs(results), find_seeds(results), load_profile("nano"))
    assert text == (results / "report" / "seeds.md").read_text()


@pytest.mark.parametrize("stem", ["04_grpo_training", "05_evaluation_tables"])
def test_the_figures_in_a_notebook_are_those_of_the_published_runs(stem, published_study, shell):
    """nbval cannot run these two notebooks, because they train. Their marked cells need only published files."""
    checked = []
    for number, cell in enumerate(code_cells(stem), 1):
        source = cell.source
        if "parameters" in cell.metadata.get("tags", []):
            source += f"\nresults = {str(published_study)!r}"
        with capture_output() as caught:
            done = shell.run_cell(source)
        if cell.source.startswith(CHECKED):
            assert done.success, f"cell {number} of {stem}: {done.error_in_exec}"
            assert read(caught) == saved(cell), f"cell {number} of {stem}: run it again and publish it"
            checked.append(number)
    assert len(checked) > 3


def test_the_program_in_the_notebook_of_pictures_is_the_generators():
    """nbval does not run this notebook, because it draws 1,728 pictures."""
    first = charts.generate(load_profile("nano").data["charts_train"]["seed"])
    assert [f"{first}\n"] in [saved(cell) for cell in code_cells("01_data_splits") if cell.source.startswith(CHECKED)]


def test_the_published_tables_stand_in_the_notebook_of_tables():
    shown = "\n".join(text for cell in code_cells("05_evaluation_tables") for text in saved(cell))
    tables = [(PUBLISHED / "report" / f"table{number}.md").read_text().strip() for number in (1, 2, 3)]
    assert all(table in shown for table in tables)


def code_cells(stem: str) -> list:
    notebook = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def saved(cell) -> list[str]:
    printed = [o.text for o in cell.outputs if o.output_type == "stream"]
    return printed + [o.data["text/markdown"] for o in cell.outputs if "text/markdown" in o.get("data", {})]


def read(caught) -> list[str]:
    printed = [caught.stdout] if caught.stdout else []
    return printed + [o.data["text/markdown"] for o in caught.outputs if "text/markdown" in o.data]


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    yield InteractiveShell.instance()  # `display` writes only to this instance
    InteractiveShell.clear_instance()


def absent(*_arguments, **_named):
    raise FileNotFoundError("neither pictures nor policies are published")


@pytest.fixture
def published_study(tmp_path, monkeypatch) -> Path:
    """A copy of the published results, with a study that can neither train nor draw."""
    for name in ABSENT:
        monkeypatch.setattr(Study, name, absent)
    monkeypatch.setattr("rrvf.report.write.write_browser", lambda *_: [])  # of 1,192 samples, and no figure is in it
    monkeypatch.setattr(Study, "prepare_data", lambda *_, **__: None)
    monkeypatch.setattr(Study, "evaluate", lambda self, *pair: json.loads(summary_of(self, *pair).read_text()))
    for name in FRONT_ENDS:
        monkeypatch.delenv(name, raising=False)
    return shutil.copytree(PUBLISHED, tmp_path / "nano")


def summary_of(study: Study, set_name: str, policy: str) -> Path:
    return study.results / "eval" / set_name / policy / "summary.json"
