"""Measure rows of the paper's tables and print them beside the paper's values.

`python -m reproduce.rows --row internvl3`.

Each row is evaluated on all sets of the profile that belong to its tables. Finished evaluations are only read. Exit
codes as in `python -m reproduce`.
"""

from __future__ import annotations

import argparse
import sys

from rrvf.cli.named import model_of
from rrvf.errors import UserError
from rrvf.outputs import exit_code, say
from rrvf.profile import load_profile
from rrvf.report.columns import PAPER_COLUMNS, measured_alike
from rrvf.report.lines import against_paper
from rrvf.report.paper import paper_table
from rrvf.report.runs import Run, Summary
from rrvf.report.sets import TABLE_OF
from rrvf.rows import find_row
from rrvf.study import Study


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m reproduce.rows", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--row", action="append", required=True, help="a key of reproduce/models.yaml; can be given several times"
    )
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--estimate", action="store_true", help="print calls, tokens, price and time, and stop")
    options = parser.parse_args(arguments)
    work = lambda: measure(Study(load_profile(options.profile)), options.row, options.estimate)  # noqa: E731
    return exit_code(work, say)


def measure(study: Study, keys: list[str], estimate: bool = False) -> None:
    """Measure rows and print each with its difference from the paper. estimate: only print the estimated cost."""
    todo = [(key, name) for key in keys for name in sets_of(study, key)]
    for key, name in todo:
        if estimate:
            domain = study.profile.evaluations[name].domain
            print(f"{key} on {name}\n{study.estimate(name, key, model_of(study, key, domain), None, None)}")
            continue
        summary = study.evaluate(name, key)
        print(beside_paper(Run(Summary.model_validate(summary), study.results / "eval" / name / key)), flush=True)


def sets_of(study: Study, key: str) -> list[str]:
    """The profile's evaluation sets for the tables of a row. Raises UserError if there are none."""
    row = find_row(key)
    found = [name for name, config in study.profile.evaluations.items() if config.table in row.tables]
    if not found:
        tables = ", ".join(map(str, row.tables))
        raise UserError(f"profile {study.profile.name} has no evaluation set of table {tables}, where {key} stands")
    return found


def beside_paper(run: Run) -> str:
    """A run as a small Markdown table: measured, printed, and the difference with its 95 % interval."""
    number, key = TABLE_OF[run.summary.benchmark], find_row(run.summary.policy).paper_key
    row = paper_table(number).row(key)
    less = against_paper(run, row, number)
    made = run.summary.provenance
    lines = [
        f"\nTable {number}, {run.summary.policy} beside {row.model}: n {run.summary.n}, judge "
        f"{made.judge.split(' ')[0]} by {run.judge_protocol}, protocol {made.protocol}",
        "",
        "| column | measured, 95 % interval | printed | difference, 95 % interval |",
        "|---|---|---:|---|",
    ]
    for column, digits in ((c.key, c.interval_digits) for c in PAPER_COLUMNS[number]):
        metric, printed = run.summary.metrics.get(column), row.printed.get(column, "–")
        ours = (
            "n/a"
            if metric is None or metric.value is None
            else f"{metric.value:.2f} [{metric.low:.{digits}f}, {metric.high:.{digits}f}]"
        )
        if column in less.values:
            low, high = less.intervals[column]
            gap = f"{less.values[column]:+.2f} [{low:+.{digits}f}, {high:+.{digits}f}]"
        else:
            gap = "–" if measured_alike(column, run) else "another judge or judge protocol"
        lines.append(f"| {column} | {ours} | {printed} | {gap} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
