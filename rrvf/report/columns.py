"""The columns of the tables: the paper's, and their labels for our own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rrvf.judge.rubrics import OFFICIAL
from rrvf.report.grid import Column
from rrvf.report.runs import Run

#: Column labels as printed. Table 2 ranks only its primary metrics, Table 3 marks only the best value.
PAPER_COLUMNS = {
    1: (
        Column("exec_rate", "Exec rate"),
        Column("text", "Text"),
        Column("layout", "Layout"),
        Column("type", "Type"),
        Column("color", "Color"),
        Column("judge", "GPT-4o score"),
        Column("overall", "Overall"),
    ),
    2: (
        Column("exec_rate", "Exec rate"),
        Column("text", "Text"),
        Column("judge", "GPT-4o score", interval_digits=2),
        Column("text_pass", "Text (pass)", marked=0),
        Column("judge_pass", "GPT-4o score (pass)", interval_digits=2, marked=0),
    ),
    3: (Column("clip", "CLIP score", marked=1), Column("judge", "GPT score", marked=1)),
}
#: Columns of Table 4, pictures without code. The paper has no such table.
PICTURE_COLUMNS = (
    Column("exec_rate", "Exec rate"),
    Column("judge", "Judge score"),
    Column("ssim", "SSIM", 3, 3),
    Column("clip", "CLIP score"),
)
#: Columns of web runs beyond the paper's two.
WEB_EXTRAS = (
    Column("exec_rate", "Exec rate", marked=0),
    Column("clip_masked", "CLIP (text masked)", marked=0),
    Column("ssim", "SSIM", 3, 3, marked=0),
    Column("block_match", "Block match", 3, 3, marked=0),
    Column("text", "Text", 3, 3, marked=0),
    Column("position", "Position", 3, 3, marked=0),
    Column("color", "Color", 3, 3, marked=0),
)
#: Columns that depend on the judge's score.
JUDGED = ("judge", "judge_pass", "overall")


def interval_digits(table: int, column: str) -> int:
    """Decimals of a column's interval, as in the table: a score from 0 to 10 needs more than one from 0 to 100."""
    return next((c.interval_digits for c in PAPER_COLUMNS.get(table, ()) if c.key == column), Column.interval_digits)


def our_columns(number: int, runs: Mapping[str, Run]) -> tuple[Column, ...]:
    """The columns of a table of our runs. "GPT-4o score" is kept only if all runs were judged as in the paper."""
    if number not in PAPER_COLUMNS:
        return PICTURE_COLUMNS
    columns = PAPER_COLUMNS[number]
    if not runs or not all(measured_alike("judge", run) for run in runs.values()):
        columns = tuple(replace(c, label=c.label.replace("GPT-4o", "Judge").replace("GPT", "Judge")) for c in columns)
    measured = {name for run in runs.values() for name in run.summary.metrics}
    return columns + tuple(c for c in WEB_EXTRAS if number == 3 and c.key in measured)


def measured_alike(column: str, run: Run) -> bool:
    """Whether a run's column was measured as in the paper.

    For a judge's score this means that GPT-4o was asked with the benchmark's official prompt.
    """
    gpt = run.summary.provenance.judge.startswith("gpt-4o")
    return column not in JUDGED or (gpt and run.judge_protocol == OFFICIAL.get(run.summary.benchmark))
