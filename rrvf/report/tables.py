"""Tables 1 to 3: the paper's rows as printed, and below them, in separate blocks, our own measurements.

Example:
    tables = build_tables(find_runs(Path("results/nano")), load_profile("nano"))
"""

from __future__ import annotations

from collections.abc import Sequence

from rrvf.profile import Profile
from rrvf.report.columns import PAPER_COLUMNS, our_columns
from rrvf.report.grid import Block, Group, Table
from rrvf.report.lines import our_lines, paper_line
from rrvf.report.made_with import footer_of, head_of, title_of
from rrvf.report.paper import SOURCE, paper_table
from rrvf.report.runs import Run
from rrvf.report.sets import TABLE_OF, Evaluated, by_judge, evaluated_sets

RANKING = (
    "Bold and underlined: best and second best by the paper's rule (open-source models under 10B; ours: base and "
    "trained rows). Marks rank values; the intervals show whether a difference is significant."
)
BRACKETS = "Brackets: 95 % intervals (rates: Wilson; means: bootstrap over samples; Δ: paired bootstrap)."
NO_CODE = (
    "Pictures without true code: the metrics that read it (text, layout, type, colour, blocks) are missing, not 0."
)


def build_tables(
    runs: Sequence[Run], profile: Profile | None = None, allow_judge_errors: bool = False, seeds: Sequence[Run] = ()
) -> list[Table]:
    """Tables 1 to 3 with the paper's block first, then one block per evaluation set.

    Table 4 is added if pictures without code were run.

    profile: names the expected sets and policies; None: those of the runs. seeds: runs with other seeds (`find_seeds`),
    whose mean and range are printed below a row. Raises UserError if judge or renderer failed on more than 1 % of a
    run's samples, unless `allow_judge_errors`.
    """
    if not allow_judge_errors:
        for run in (*runs, *seeds):
            run.check_judge()
    sets = evaluated_sets(runs, profile, seeds)
    by_table = {n: [s for s in sets if s.settings.table == n] for n in TABLE_OF.values()}
    tables = [_table(number, by_table[number], profile) for number in PAPER_COLUMNS]
    return [*tables, pictures_table(by_table[4])] if by_table[4] else tables


def pictures_table(sets: Sequence[Evaluated]) -> Table:
    """Table 4: our measurements on pictures without code. The paper has no such table."""
    blocks = tuple(our_block(s, None) for s in sets)
    return Table(4, "Table 4: Pictures without true code", blocks, (NO_CODE, BRACKETS))


def _table(number: int, sets: Sequence[Evaluated], profile: Profile | None) -> Table:
    blocks = (paper_block(number), *(our_block(part, profile) for s in sets for part in by_judge(s)))
    footer = (RANKING, BRACKETS) if sets else (RANKING,)
    return Table(number, f"Table {number}: {paper_table(number).title}", blocks, footer)


def paper_block(number: int) -> Block:
    """The paper's rows, as printed."""
    table = paper_table(number)
    groups = tuple(Group(name, tuple(map(paper_line, rows))) for name, rows in table.groups.items())
    stars = any(row.starred for row in table.rows)
    footer = f"As printed in {SOURCE}, n = {table.n}; the paper prints no intervals."
    footer += " *: reported by the original benchmark." if stars else ""
    return Block(f"The paper ({SOURCE})", PAPER_COLUMNS[number], groups, (footer,))


def our_block(evaluated: Evaluated, profile: Profile | None) -> Block:
    """Our rows on one set."""
    columns = our_columns(evaluated.settings.table, evaluated.runs)
    lines = [line for policy in evaluated.policies for line in our_lines(policy, evaluated, columns, profile)]
    return Block(
        title_of(evaluated, profile),
        columns,
        (Group("", tuple(lines)),),
        tuple(footer_of(evaluated)),
        head_of(evaluated.runs),
    )
