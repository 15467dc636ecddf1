"""The gain of RRVF over each other row, by seed."""

import math
from pathlib import Path

import pytest
from test_report_runs import PROVENANCE, write_run

from rrvf.profile import load_profile
from rrvf.report.runs import Run, difference, find_runs, find_seeds
from rrvf.report.seeds import longer_markdown, seeds_markdown

CHARTS = "eval/charts"


@pytest.fixture
def results(tmp_path):
    """Base, and RRVF with two seeds, with execution rates 0.5, 0.8 and 0.9 on 60 answers."""
    write_run(tmp_path / CHARTS / "base", exec_rate=0.5)
    write_run(tmp_path / CHARTS / "rrvf", exec_rate=0.8)
    second = PROVENANCE.model_copy(update={"seed": 1})
    write_run(tmp_path / "seeds" / "1" / CHARTS / "rrvf", exec_rate=0.9, provenance=second)
    return tmp_path


def lines(results: Path) -> dict[tuple[str, str], list[str]]:
    text = seeds_markdown(find_runs(results), find_seeds(results), load_profile("nano"))
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return {(metric, row): rest for metric, row, *rest in cells}


def run(results: Path, policy: str) -> Run:
    return next(r for r in find_runs(results) if r.summary.policy == policy)


def test_a_row_with_one_seed_is_compared_with_every_seed_of_rrvf(results):
    n, value, gains = lines(results)["execution rate", "base"]
    assert (n, value) == ("60", "50.0")
    assert [gain.split(" ")[0] for gain in gains.split("], ")] == ["+30.0", "+40.0"]


def test_rows_of_several_seeds_show_mean_and_range(results):
    assert lines(results)["execution rate", "rrvf"] == ["60", "85.0 (80.0, 90.0)", ""]


def test_a_row_that_lacks_one_of_several_seeds_is_not_compared_with_another_seed(results):
    write_run(results / CHARTS / "sft", exec_rate=0.6)
    for seed, policy in ((1, "sft"), (2, "rrvf")):
        other = PROVENANCE.model_copy(update={"seed": seed})
        write_run(results / "seeds" / str(seed) / CHARTS / policy, exec_rate=0.7, provenance=other)
    gains = lines(results)["execution rate", "sft"][-1]
    assert gains.endswith("n/a") and gains.count("n/a") == 1


def test_one_seed_makes_no_page(results):
    assert seeds_markdown(find_runs(results), [], load_profile("nano")) == ""


def test_a_longer_training_is_compared_with_every_seed_of_the_shorter_one(results, tmp_path):
    longer = tmp_path / "longer"
    write_run(longer / CHARTS / "base", exec_rate=0.5)
    write_run(longer / CHARTS / "rrvf", exec_rate=1.0)
    shorter = [run(results, "rrvf"), *find_seeds(results)]
    text = longer_markdown(find_runs(longer), shorter, load_profile("nano-long"))
    line = next(line for line in text.splitlines() if "execution rate" in line)
    *_, base, short, long, gains = [cell.strip() for cell in line.split("|")[1:-1]]
    assert (base, short, long) == ("50.0", "85.0 (80.0, 90.0)", "100.0")
    assert [gain.split(" ")[0] for gain in gains.split("], ")] == ["+20.0", "+10.0"]


def test_a_set_that_the_shorter_training_was_not_measured_on_is_left_out(results, tmp_path):
    shorter = [run(results, "rrvf")]
    for policy in ("base", "rrvf"):
        write_run(tmp_path / "longer" / "eval/charts_wide" / policy)
    text = longer_markdown(find_runs(tmp_path / "longer"), shorter, load_profile("nano-long"))
    assert len(text.splitlines()) == 2


def test_the_low_level_score_is_the_mean_of_four(results):
    rrvf, base = run(results, "rrvf"), run(results, "base")
    parts = [rrvf.summary.metrics[name].value for name in ("text", "layout", "type", "color")]
    assert math.isclose(rrvf.value("low_level"), sum(parts) / 4)
    gain = difference(rrvf, base, "low_level")
    assert math.isclose(gain.value, rrvf.value("low_level") - base.value("low_level"), abs_tol=1e-6)
    assert gain.low < gain.value < gain.high
