"""The paper's numbers, and checks of their arithmetic."""

from __future__ import annotations

import pytest

from rrvf.errors import UserError
from rrvf.report.audit import audit, nearest_count
from rrvf.report.grid import marks
from rrvf.report.paper import paper_table
from rrvf.report.tables import paper_block

#: The three printed cells that do not follow from the others.
INCONSISTENT = {
    ("(2025/02) LLaVA-OneVision-7B", "Exec rate 104/600"),
    ("(2025/02) Qwen2.5-VL-7B-Instruct", "Exec rate 93/132"),
    ("(2025/05) Claude-4-Sonnet", "judge = pass x rate"),
}


def test_every_printed_cell_follows_but_three():
    assert {(c.model, c.what) for c in audit() if not c.ok} == INCONSISTENT


def test_the_audit_looks_at_every_row_the_authors_ran():
    counted = {(c.table, c.model) for c in audit()}
    run = {(t, r.model) for t in (1, 2) for r in paper_table(t).rows if not r.starred}
    assert run <= counted


def test_llava_dropped_four_items_from_its_denominator():
    assert nearest_count(17.28, 596) == (103, 17.28)


@pytest.mark.parametrize(("number", "rows", "cells"), [(1, 12, 12 * 7 + 14), (2, 14, 14 * 5 + 6), (3, 8, 16)])
def test_tables_are_whole(number, rows, cells):
    table = paper_table(number)
    assert len(table.rows) == rows
    assert sum(len(r.printed) + len(r.delta) for r in table.rows) == cells


def test_the_paper_runs_three_models_of_other_peoples_numbers_in_table_1_and_2():
    starred = [r.key for t in (1, 2) for r in paper_table(t).rows if r.starred]
    assert starred == ["gemini-1.0", "deepseek-vl", "gpt-4v", "gemini-1.0", "claude-3", "mini-gemini"]


def test_marks_follow_the_papers_rule():
    """These underlines are in the paper's text. The 72B teacher's 83.83 is second in value but not ranked."""
    block = paper_block(1)
    names = [line.row.model for line in block.lines]
    found = {(names[i], column): mark for (i, column), mark in marks(block).items()}
    assert found["(2025/04) InternVL3-8B", "exec_rate"] == "second"
    assert found["RRVF (Ours) [without text labels]", "type"] == "second"
    assert found["SFT [with text labels]", "type"] == "best"
    assert ("(2025/02) Qwen2.5-VL-72B-Instruct", "exec_rate") not in found


@pytest.mark.parametrize(("number", "marked"), [(2, {"exec_rate", "text", "judge"}), (3, {"clip", "judge"})])
def test_only_primary_columns_are_marked(number, marked):
    assert {column for _, column in marks(paper_block(number))} == marked


def test_an_unknown_row_lists_the_known_ones():
    with pytest.raises(UserError, match="rrvf"):
        paper_table(3).row("sft")
