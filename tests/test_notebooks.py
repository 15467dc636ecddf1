"""The notebooks: their form, the saved notebooks against their text, and the three that draw or train at the smallest size.

nbval runs the others in full against their saved outputs (`make test`).
"""

from __future__ import annotations

import ast
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest
import yaml
from nbconvert import HTMLExporter
from playwright.sync_api import sync_playwright

from reproduce.driver import NOTEBOOKS, execute, read_notebook
from reproduce.progress import Progress
from reproduce.publish import code_digest
from rrvf.chromium import find_chromium
from rrvf.profile import PROFILES
from rrvf.training.checkpoints import read_log

SOURCES = sorted(NOTEBOOKS.glob("[0-9]*.py"))
every = pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)


def cells(source: Path, kind: str) -> list[str]:
    return [c.source for c in read_notebook(source).cells if c.cell_type == kind]


def plain(code: str) -> str:
    """The code without magics, so that it parses."""
    return "\n".join(line for line in code.splitlines() if not line.startswith("%"))


@every
def test_cells_are_small_and_prose_outweighs_code(source):
    code, prose = cells(source, "code"), cells(source, "markdown")
    assert 8 <= len(code) <= 25
    assert statistics.median(len(c.splitlines()) for c in code) <= 6
    imports = next(c for c in code if "from rrvf.profile" in c)
    assert len(" ".join(prose)) > len(" ".join(c for c in code if c is not imports))
    functions = [n for c in code for n in ast.walk(ast.parse(plain(c))) if isinstance(n, ast.FunctionDef)]
    assert all(f.end_lineno - f.lineno < 10 for f in functions)


@every
def test_a_notebook_says_what_the_paper_says_first_and_what_it_does_not_show_last(source):
    prose = cells(source, "markdown")
    assert prose[0].startswith(f"# {int(source.stem[:2])}. ") and "paper" in prose[0]
    assert all(f"**{word}" in prose[-1] for word in ("Shows", "Does not show", "Try next"))


@every
def test_the_parameters_are_the_cpu_default(source):
    tagged = [c.source for c in read_notebook(source).cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1 and 'profile = "nano"' in tagged[0]


@every
def test_the_saved_notebook_is_its_text_with_outputs(source):
    saved = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    assert [c.source for c in saved.cells] == [c.source for c in read_notebook(source).cells]
    outputs = [o for c in saved.cells if c.cell_type == "code" for o in c.outputs]
    assert outputs and not any(o.output_type == "error" for o in outputs)
    # As the start of a path: /rrvf alone also occurs in runs/nano/train/rrvf_chart.
    assert not re.search(rf"(?<![\w.-]){re.escape(str(NOTEBOOKS.parent))}(?![\w-])", json.dumps(outputs))


@every
def test_the_saved_outputs_are_of_this_code(source):
    saved, text = nbformat.read(source.with_suffix(".ipynb"), as_version=4), read_notebook(source)
    assert saved.metadata["executed"] == code_digest(text), "run it and publish it: its code changed after its run"
    silent = [c.source for c in saved.cells if c.cell_type == "code" and speaks(c.source) and not c.outputs]
    assert not silent, "these cells print or show something, and nothing is saved"


def speaks(code: str) -> bool:
    """Whether a cell always prints or shows something. Calls inside functions that the cell defines do not count."""
    body = [n for n in ast.parse(plain(code)).body if not isinstance(n, ast.FunctionDef)]
    calls = [n.func.id for part in body for n in ast.walk(part) if isinstance(n, ast.Call) and hasattr(n.func, "id")]
    return not {"print", "display", "show", "knob"}.isdisjoint(calls)


@every
def test_every_saved_picture_has_its_words(source):
    saved = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    outputs = [o for c in saved.cells if c.cell_type == "code" for o in c.outputs if "image/png" in o.get("data", {})]
    assert all(o.metadata.get("image/png", {}).get("alt") for o in outputs)


@pytest.fixture(scope="module")
def tab():
    """A browser page of a common width, without a network."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        yield browser.new_context(offline=True, viewport={"width": 1100, "height": 800}).new_page()
        browser.close()


@every
def test_a_notebook_is_read_in_a_few_screens(source, tab):
    tab.set_content(HTMLExporter(template_name="lab").from_filename(source.with_suffix(".ipynb"))[0], timeout=120_000)
    # 6,000 with the fonts of one machine; those of another may be a little higher.
    assert tab.evaluate("document.documentElement.scrollHeight") <= 6300


@every
def test_a_notebook_opens_with_a_question_and_closes_with_exercises(source):
    prose = cells(source, "markdown")
    assert re.match(r"# \d\. .+\n\n\*\*.+\?\*\*", prose[0]), "a question in bold under the title"
    assert all(f"**{word}" in prose[0] for word in ("After this notebook you can**", "Time:**", "Prerequisites:**"))
    assert 2 <= prose[-1].count("<details><summary>Answer</summary>") == prose[-1].count("</details>") <= 3


@pytest.fixture(scope="module")
def smallest(tmp_path_factory):
    """The results folder of notebooks 1, 4 and 5 for a profile with two pictures per set, one step and short turns."""
    folder = tmp_path_factory.mktemp("smallest")
    profile = yaml.safe_load((PROFILES / "nano.yaml").read_text()) | {"name": "smallest"}
    profile["data"] = {
        name: {"kind": f"generated_{name.split('_')[0]}", "count": 2, "seed": seed, "pretraining": 0}
        for name, seed in {"charts_train": 1_000_000, "charts_test": 2_000_000}.items()
    }
    step = {
        "steps": 1,
        "prompts_per_step": 1,
        "group_size": 2,
        "micro_batch": 2,
        "max_turns": 2,
        "max_turn_tokens": 120,
    }
    profile["grpo"] = {"chart": profile["grpo"]["chart"] | step}
    profile["sft"] = {"chart": profile["sft"]["chart"] | {"steps": 1, "batch": 2}}
    del profile["rft"]
    profile["evaluations"] = {"charts": profile["evaluations"]["charts"] | {"max_new_tokens": 120}}
    path = folder / "smallest.yaml"
    path.write_text(yaml.safe_dump(profile))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RRVF_DATA", str(folder / "data"))
        for source in (s for s in SOURCES if s.stem[:2] in ("01", "04", "05")):
            parameters = {"profile": str(path), "results": str(folder / "runs")}
            execute(source, folder / f"{source.stem}.ipynb", parameters, Progress())
    return folder


@pytest.mark.timeout(1800)
def test_every_picture_is_verified_and_compared(smallest):
    printed = (smallest / "01_data_splits.ipynb").read_text()
    assert printed.count("2 pictures verified") == 2
    assert "test pictures whose code occurs in a training set: 0" in printed


@pytest.mark.timeout(1800)
def test_training_leaves_a_policy_and_its_curve(smallest):
    for run in ("rrvf_chart", "sft_chart"):
        assert (smallest / "runs/train" / run / "final/model.safetensors").is_file()
        assert [line["step"] for line in read_log(smallest / "runs/train" / run / "log.jsonl")][-1] == 1
    assert (smallest / "runs/report/learning_curve_chart.png").is_file()


def test_every_policy_is_evaluated_and_the_true_code_is_the_ceiling(smallest):
    summaries = {p.parent: json.loads(p.read_text()) for p in (smallest / "runs/eval").glob("*/*/summary.json")}
    assert {p.name for p in summaries} == {"reference", "blank", "base", "sft", "rrvf"}
    assert all(s["n"] == 2 and s["outcomes"]["judge_error"] == 0 for s in summaries.values())
    ceilings = [s["metrics"] for p, s in summaries.items() if p.name == "reference"]
    assert all(m["exec_rate"]["value"] == 100 and m["judge"]["value"] > 99 for m in ceilings)


def test_the_report_and_the_printed_tables_are_there(smallest):
    printed = (smallest / "05_evaluation_tables.ipynb").read_text()
    assert "generated charts" in printed and "without code labels" in printed
    for name in ("table1.md", "table3.csv", "claims.md", "browser/charts.html"):
        assert (smallest / "runs/report" / name).stat().st_size > 0
