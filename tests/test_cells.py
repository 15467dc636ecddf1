"""Every printed cell is a claim with a tolerance, and its verdict follows from the interval."""

from __future__ import annotations

import datetime

import pytest
from test_report_runs import write_run
from test_two_judges import GPT

from rrvf.profile import load_profile
from rrvf.report.cells import cell_claims, cells_markdown, judge_cells
from rrvf.report.claims import load_claims
from rrvf.report.paper import paper_table
from rrvf.report.runs import find_runs
from rrvf.rows import load_rows


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """Sets a date on which makers still serve the rows used here, so that the tests pass on later dates too."""
    monkeypatch.setattr("rrvf.rows._today", lambda: datetime.date(2026, 11, 28))


def test_every_printed_cell_is_covered():
    ours = [(c.table, c.row, c.less, c.column, c.printed) for c in cell_claims()]
    rows = [(n, row) for n in (1, 2, 3) for row in paper_table(n).rows]
    printed = [(n, row.key, "", column, value) for n, row in rows for column, value in row.values.items()]
    deltas = [(n, row.key, "base", column, value) for n, row in rows for column, value in row.delta_values.items()]
    assert sorted(ours) == sorted(printed + deltas) and (len(printed), len(deltas)) == (170, 20)
    assert all(c.tolerance > 0 and c.how for c in cell_claims())


def test_every_claim_says_what_measures_it_and_names_rows_that_exist():
    for claim in load_claims():
        assert set(claim.needed()) <= set(load_rows())


@pytest.mark.parametrize(("rate", "verdict"), [(0.9, "supported"), (0.925, "undecided"), (0.2, "not_supported")])
def test_a_cells_verdict_follows_from_its_interval(tmp_path, rate, verdict):
    write_run(tmp_path / "chartmimic" / "gpt-4o", n=6000, exec_rate=rate, provenance=GPT, scores=False)
    cells = {(c.table, c.row, c.column): c for c in judge_cells(find_runs(tmp_path))}
    assert cells[1, "gpt-4o", "exec_rate"].verdict == verdict
    assert cells[2, "gpt-4o", "exec_rate"].verdict == "not_run"


def test_another_judges_score_decides_no_cell(tmp_path):
    write_run(tmp_path / "chartmimic" / "gpt-4o")
    cells = {(c.table, c.row, c.column): c for c in judge_cells(find_runs(tmp_path))}
    assert "another judge" in cells[1, "gpt-4o", "overall"].ours and cells[1, "gpt-4o", "text"].verdict != "not_run"


@pytest.mark.parametrize(("rate", "verdict"), [(0.99, "supported"), (0.95, "undecided"), (0.5, "not_supported")])
def test_a_printed_deltas_verdict_follows_from_our_two_runs(tmp_path, rate, verdict):
    """The printed Δ is +29.00, between 97.83 and 68.83."""
    write_run(tmp_path / "chartmimic" / "rrvf", n=2000, exec_rate=rate)
    alone = {(c.row, c.less, c.column): c for c in judge_cells(find_runs(tmp_path)) if c.table == 1}
    assert alone["rrvf", "base", "exec_rate"].verdict == "not_run"
    write_run(tmp_path / "chartmimic" / "base", n=2000, exec_rate=0.7)
    cells = {(c.row, c.less, c.column): c for c in judge_cells(find_runs(tmp_path)) if c.table == 1}
    assert cells["rrvf", "base", "exec_rate"].verdict == verdict
    assert (
        "another judge" in cells["rrvf", "base", "overall"].ours and cells["sft", "base", "text"].verdict == "not_run"
    )


@pytest.mark.parametrize("folders", ["ab", "ba"])
def test_of_a_row_that_was_judged_twice_the_papers_judge_decides(tmp_path, folders):
    write_run(tmp_path / folders[0] / "chartmimic" / "gpt-4o", provenance=GPT)
    write_run(tmp_path / folders[1] / "chartmimic" / "gpt-4o")
    cells = {(c.table, c.row, c.column): c for c in judge_cells(find_runs(tmp_path))}
    assert "another judge" not in cells[1, "gpt-4o", "overall"].ours


@pytest.mark.parametrize(("profile", "decides"), [("paper", True), ("gpu", False)])
def test_a_row_of_another_model_decides_no_cell_of_the_papers(tmp_path, profile, decides):
    write_run(tmp_path / "chartmimic" / "rrvf", n=6000, exec_rate=0.978, scores=False)
    cells = {(c.table, c.row, c.less, c.column): c for c in judge_cells(find_runs(tmp_path), load_profile(profile))}
    assert (cells[1, "rrvf", "", "exec_rate"].verdict != "not_run") == decides


def test_of_two_sets_of_a_table_the_first_decides(tmp_path):
    profile = load_profile("paper")
    sets = profile.evaluations | {"a_second": profile.evaluations["chartmimic"]}
    for name, rate in (("chartmimic", 0.978), ("a_second", 0.1)):
        write_run(tmp_path / name / "rrvf", n=6000, exec_rate=rate, scores=False)
    runs = find_runs(tmp_path)
    for some in (runs, runs[::-1]):
        cells = judge_cells(some, profile.model_copy(update={"evaluations": sets}))
        found = next(c for c in cells if (c.table, c.row, c.less, c.column) == (1, "rrvf", "", "exec_rate"))
        assert found.verdict == "supported"


def test_the_markdown_has_a_line_a_cell_with_its_command(tmp_path):
    write_run(tmp_path / "chartmimic" / "gpt-4o")
    text = cells_markdown(judge_cells(find_runs(tmp_path)))
    assert text.count("\n| ") == len(list(cell_claims())) + 1
    assert "make table ROW=gpt-4o" in text and "reported only" in text and "make reproduce PROFILE=paper" in text
