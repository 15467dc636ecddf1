"""The driver, on notebooks of one cell each: what it runs, skips, continues and prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from reproduce import __main__ as main_module
from reproduce import seeds as seeds_module
from reproduce.driver import NotebookFailed, notebook_keys, read_notebook, rerun_notebooks, run_notebooks
from reproduce.progress import Progress
from reproduce.publish import publish_notebooks, publish_results
from reproduce.seeds import seed_study
from rrvf.errors import UserError
from rrvf.folders import owned
from rrvf.profile import load_profile
from rrvf.study import Study

ROOT = Path(__file__).parent.parent
HEAD = '# %% tags=["parameters"]\nprofile = "nano"\nresults = None\n\n# %%\n'


@pytest.fixture
def folder(tmp_path):
    """Two notebooks that each append a line to a file."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    for name in ("01_first", "02_second"):
        body = f'with open("{tmp_path}/ran", "a") as file:\n    _ = file.write("{name} ")\nprint("stage x: begins")'
        (notebooks / f"{name}.py").write_text(HEAD + body)
    return notebooks


def run(folder: Path) -> str:
    """Run the unfinished notebooks. Returns the names of the notebooks that ran so far."""
    run_notebooks("nano", folder.parent / "runs", Progress(), folder)
    ran = folder.parent / "ran"
    return ran.read_text() if ran.exists() else ""


def test_notebooks_run_once_and_a_changed_one_runs_again_with_those_after_it(folder, capsys):
    assert run(folder) == "01_first 02_second "
    assert "  stage x: begins" in capsys.readouterr().out
    assert run(folder) == "01_first 02_second "
    assert capsys.readouterr().out.count("finished before") == 2
    second = folder / "02_second.py"
    second.write_text(second.read_text() + "\n# changed")
    assert run(folder) == "01_first 02_second 02_second "


def test_a_failing_cell_names_itself_and_the_next_run_begins_with_its_notebook(folder):
    second = folder / "02_second.py"
    whole = second.read_text()
    second.write_text(whole + "\n\n# %%\n1 / 0")
    with pytest.raises(NotebookFailed, match=r"^02_second, cell 4: ZeroDivisionError: division by zero$"):
        run(folder)
    second.write_text(whole)
    assert run(folder) == "01_first 02_second 02_second "


def test_a_user_error_in_a_cell_comes_out_as_it_is(folder):
    first = folder / "01_first.py"
    first.write_text(first.read_text() + '\nfrom rrvf.errors import UserError\nraise UserError("mend it so")')
    with pytest.raises(UserError, match=r"^mend it so$"):
        run(folder)


def test_a_key_follows_the_profile_and_the_notebooks_before(folder, tmp_path):
    profile = tmp_path / "mine.yaml"
    profile.write_text("name: mine")
    first, second = notebook_keys(str(profile), folder).values()
    profile.write_text("name: other")
    assert first not in notebook_keys(str(profile), folder).values()
    profile.write_text("name: mine")
    (folder / "01_first.py").write_text("# %%\n")
    assert second not in notebook_keys(str(profile), folder).values()


def test_an_unknown_profile_is_one_line_and_exit_code_2():
    done = subprocess.run(
        [sys.executable, "-m", "reproduce", "--profile", "none"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("no profile at") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("change", [{"grpo": {}}, {"evaluations": {}}])
def test_a_profile_that_trains_or_evaluates_nothing_is_refused_at_once(change):
    with pytest.raises(UserError, match="needs a first grpo section"):
        main_module.check_whole(load_profile("nano").model_copy(update=change))


def test_a_second_run_of_a_profile_is_refused_while_the_first_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(main_module, "REPOSITORY", tmp_path)
    with owned(tmp_path / "runs" / "nano"):
        assert main_module.main(["--profile", "nano"]) == 2
    assert "runs/nano is being written by process" in capsys.readouterr().err


def test_a_run_that_skips_all_starts_no_torch():
    code = (
        "import sys, reproduce.__main__, reproduce.publish, rrvf.report.writers, rrvf.report.tables\n"
        "sys.exit('torch' in sys.modules or 'papermill' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ).returncode == 0


def test_small_results_replace_what_was_published_before(tmp_path):
    results, out = tmp_path / "runs", tmp_path / "results" / "nano"
    for name, size in {
        "report/table1.md": 10,
        "report/film.png": 2**20 + 1,
        "eval/a/base/summary.json": 10,
        "eval/a/base.stale-0123/summary.json": 10,  # moved aside by a stage
    }.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_bytes(b"x" * size)
    (out / "old").mkdir(parents=True)
    assert publish_results(results, out) == 2
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == ["summary.json", "table1.md"]


def test_large_records_are_published_without_their_texts(tmp_path):
    path, out = tmp_path / "runs/eval/pages/reference/records.jsonl", tmp_path / "results" / "nano"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"sample_id": "1", "reply": "x" * 2**20, "code": "x", "outcome": "scored"}) + "\n")
    publish_results(tmp_path / "runs", out)
    published = (out / "eval/pages/reference/records.jsonl").read_text()
    assert json.loads(published) == {"sample_id": "1", "reply": "", "code": None, "outcome": "scored"}


def test_published_seeds_stay_when_the_results_beside_them_are_replaced(tmp_path):
    results, out = tmp_path / "runs", tmp_path / "results" / "nano"
    for path in (results / "report" / "table1.md", out / "seed-1" / "eval" / "summary.json", out / "old.md"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    publish_results(results, out)
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == ["summary.json", "table1.md"]


def test_seeds_that_were_run_to_their_end_are_published_too(tmp_path):
    results, out = tmp_path / "runs", tmp_path / "results" / "nano"
    summary = "eval/a/rrvf/summary.json"
    for name in ("report/table1.md", f"seeds/1/{summary}", "seeds/1/finished"):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text("new")
    (out / "seed-1").mkdir(parents=True)
    (out / "seed-1" / "old.md").write_text("old")
    assert publish_results(results, out) == 2
    found = [p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()]
    assert sorted(found) == ["report/table1.md", "seed-1/eval/a/rrvf/summary.json"]
    (results / "seeds/1/finished").unlink()
    with pytest.raises(UserError, match="run `make seeds` again"):
        publish_results(results, out)
    assert len([p for p in out.rglob("*") if p.is_file()]) == 2


def test_a_seed_is_a_study_of_its_own_on_the_same_pictures(tmp_path):
    nano = load_profile("nano")
    first, second = (seed_study(nano, seed) for seed in (1, 2))
    assert first.data == second.data == Study(nano).data and first.results != second.results
    assert (second.profile.seed, second.profile.grpo) == (2, nano.grpo)


def test_the_profiles_own_seed_is_no_further_one(capsys):
    assert seeds_module.main(["--seeds", "0"]) == 2
    assert "`make reproduce` runs" in capsys.readouterr().err


def test_a_seed_that_numpy_refuses_is_refused_at_once(capsys):
    assert seeds_module.main(["--seeds", "-1"]) == 2
    assert "seed -1" in capsys.readouterr().err


def test_published_notebooks_hold_neither_bars_nor_stages_nor_the_runs_own_parameters(folder):
    first = folder / "01_first.py"  # its cell prints a stage line
    first.write_text(first.read_text() + '\nimport sys\nprint("bar", file=sys.stderr)\nprint("kept")')
    run(folder)
    publish_notebooks(folder.parent / "runs/notebooks", folder)
    text, saved = (folder / "01_first.ipynb").read_text(), nbformat.read(folder / "01_first.ipynb", 4)
    assert str(folder.parent / "runs") not in text
    assert [o.text for c in saved.cells if c.cell_type == "code" for o in c.outputs] == ["kept\n"]
    assert [c.source for c in saved.cells] == [c.source for c in read_notebook(first).cells]


@pytest.mark.parametrize(("profile", "published"), [("nano", ["results/nano", "notebooks"]), ("gpu", ["results/gpu"])])
def test_what_is_committed_changes_only_on_request(profile, published, tmp_path, monkeypatch):
    took = []
    monkeypatch.setattr(main_module, "REPOSITORY", tmp_path)
    monkeypatch.setattr(main_module, "run_notebooks", lambda *_: None)
    monkeypatch.setattr(main_module, "show_tables", lambda *_: None)
    monkeypatch.setattr(main_module, "unfinished", lambda *_: [])  # no judge is served
    for name in ("publish_results", "publish_notebooks"):
        monkeypatch.setattr(main_module, name, lambda _, out: took.append(str(out.relative_to(tmp_path))) or 0)
    main_module.reproduce(profile, False, Progress())
    assert took == []
    main_module.reproduce(profile, True, Progress())
    assert took == published


def test_new_seeds_are_shown_by_notebooks_that_have_run(folder):
    assert run(folder) == "01_first 02_second "
    rerun_notebooks(folder.parent / "runs")
    assert run(folder) == "01_first 02_second 01_first 02_second "
