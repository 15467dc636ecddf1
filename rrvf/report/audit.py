"""Checks the arithmetic of the paper's own numbers: which printed cells follow from which others.

Three do not, and `audit` finds them:

    for check in audit(): print(check.ok, check.what, check.printed, check.expected)
"""

from __future__ import annotations

from dataclasses import dataclass

from rrvf.report.paper import PaperRow, paper_table

#: The rounding error to expect: half a unit of the last printed digit in each cell that is used, rounded up.
TOLERANCE = {"overall": 0.0101, "exec_rate": 0.00501, "text": 0.0101, "judge": 0.0101, "delta": 0.0101}
LOW_LEVEL = ("text", "layout", "type", "color")


@dataclass(frozen=True)
class Check:
    """One recomputed cell. ok: whether the printed value follows within rounding."""

    table: int
    model: str
    what: str
    printed: float
    expected: float
    ok: bool


def overall(values: dict[str, float]) -> float:
    """ChartMimic: the mean of (the mean of the four low-level scores) and the judge's score (metrics_spec 1.8)."""
    return (sum(values[c] for c in LOW_LEVEL) / 4 + values["judge"]) / 2


def nearest_count(rate: float, n: int) -> tuple[int, float]:
    """The k for which 100 k / n is closest to `rate`, and this 100 k / n, rounded as the paper rounds."""
    k = round(rate * n / 100)
    return k, round(100 * k / n, 2)


def audit() -> list[Check]:
    """Every check: Overall, execution rates as k/n, non-pass = pass x rate, printed deltas.

    Starred cells are skipped if their printed digits do not allow a check.
    """
    return [*_overall_checks(), *_count_checks(), *_pass_checks(), *_delta_checks()]


def _overall_checks() -> list[Check]:
    rows = [row for row in paper_table(1).rows if not row.starred]
    return [_check(1, row, "Overall", row.values["overall"], overall(row.values), TOLERANCE["overall"]) for row in rows]


def _count_checks() -> list[Check]:
    checks = []
    for number in (1, 2):
        table = paper_table(number)
        for row in (row for row in table.rows if not row.starred):
            k, rate = nearest_count(row.values["exec_rate"], table.n)
            printed = row.values["exec_rate"]
            checks.append(_check(number, row, f"Exec rate {k}/{table.n}", printed, rate, TOLERANCE["exec_rate"]))
    return checks


def _pass_checks() -> list[Check]:
    checks = []
    for row in paper_table(2).rows:
        values = row.values
        for column in ("text", "judge"):
            expected = values[f"{column}_pass"] * values["exec_rate"] / 100
            checks.append(_check(2, row, f"{column} = pass x rate", values[column], expected, TOLERANCE[column]))
    return checks


def _delta_checks() -> list[Check]:
    checks = []
    for number in (1, 2):
        base = paper_table(number).row("base").values
        for row in paper_table(number).rows:
            for column, printed in row.delta_values.items():
                expected = row.values[column] - base[column]
                checks.append(_check(number, row, f"delta {column}", printed, expected, TOLERANCE["delta"]))
    return checks


def _check(table: int, row: PaperRow, what: str, printed: float, expected: float, tolerance: float) -> Check:
    return Check(table, row.model, what, printed, round(expected, 4), abs(printed - expected) <= tolerance)
