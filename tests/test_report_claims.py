"""Claims and the decomposition, on the paper's values and on synthetic runs with known results."""

from __future__ import annotations

import re

import pytest
from test_report_runs import write_run
from test_report_tables import a_profile

from rrvf.errors import UserError
from rrvf.profile import EvalSet
from rrvf.report.claims import claims_markdown, evaluate_claims, load_claims, load_untested
from rrvf.report.decomposition import decomposition_markdown, gain, our_splits, paper_splits
from rrvf.report.gains import gains
from rrvf.report.paper import paper_table
from rrvf.report.runs import find_runs

#: Claims that the paper's own printed values do not support.
FALSE_ON_PAPER = {"all_low_level_vs_sft", "surpasses_teacher_unseen", "unseen_given_exec"}


def verdicts(root, profile=None) -> dict[str, str]:
    return {f.claim.id: f.claim.ours for f in evaluate_claims(load_claims(), find_runs(root), profile)}


@pytest.fixture
def root(tmp_path):
    for i, (policy, rate, quality) in enumerate([("base", 0.6, 0.4), ("sft", 0.9, 0.9), ("rrvf", 0.98, 0.6)]):
        write_run(tmp_path / "charts" / policy, n=200, exec_rate=rate, quality=quality, seed=i)
    write_run(tmp_path / "gallery" / "sft", "plot2code", n=132, exec_rate=0.1, ids="g")
    write_run(tmp_path / "gallery" / "rrvf", "plot2code", n=132, exec_rate=0.97, ids="g")
    return tmp_path


def test_claims_on_the_papers_own_values(root):
    findings = evaluate_claims(load_claims(), find_runs(root))
    assert {f.claim.id for f in findings if not f.claim.paper_holds} == FALSE_ON_PAPER


def others(table: int, group: str = "", ranked: bool = False) -> set[str]:
    rows = (r for r in paper_table(table).rows if r.group.startswith(group) and r.ranked >= ranked)
    return {row.key for row in rows} - {"rrvf"}


@pytest.mark.parametrize(("claim", "rows"), [
    ("exec_vs_everyone", others(1)), ("best_open_overall", others(1, "Open")), ("best_open_exec_unseen", others(2, "Open")),
    ("charts_vs_similar_size", others(1, ranked=True) - {"sft"}), ("unseen_vs_similar_size", others(2, ranked=True)),
    ("web_vs_similar_size", others(3, ranked=True)),
])  # fmt: skip
def test_a_claim_on_all_others_names_them_all(claim, rows):
    assert set(next(c for c in load_claims() if c.id == claim).right.row) == rows


@pytest.mark.parametrize("spec", load_claims(), ids=lambda spec: spec.id)
def test_each_inequality_of_a_claim_is_told_from_the_others(spec):
    names = [spec.named(column, right) for column, _, right in spec.pairs()]
    assert len(set(names)) == len(names) and (names == [""]) == (len(names) == 1)


def test_a_score_out_of_ten_has_an_interval_of_two_digits(tmp_path):
    for i, policy in enumerate(("base", "rrvf")):
        write_run(tmp_path / "gallery" / policy, "plot2code", n=132, seed=i)
    ours = next(f.ours for f in evaluate_claims(load_claims(), find_runs(tmp_path)) if f.claim.id == "unseen_vs_base")
    assert re.search(r"judge [+-]\d\.\d\d \[[+-]\d\.\d\d, [+-]\d\.\d\d\]", ours)


def test_a_real_difference_is_supported_and_its_opposite_is_not(root):
    found = verdicts(root)
    assert found["exec_vs_base"] == "supported"
    assert found["all_low_level_vs_sft"] == "not_supported"


def test_a_finding_names_the_sets_it_stands_on(root):
    ours = {f.claim.id: f.ours for f in evaluate_claims(load_claims(), find_runs(root))}
    assert ours["exec_vs_base"].endswith("(charts)") and ours["sft_drops_unseen"].endswith("(gallery against charts)")


def test_rates_across_sets_are_compared(root):
    found = verdicts(root)
    assert found["sft_drops_unseen"] == "supported"
    assert found["rrvf_stable_unseen"] in ("supported", "undecided")


def test_equal_policies_leave_a_claim_undecided(tmp_path):
    for policy in ("base", "rrvf"):
        write_run(tmp_path / "charts" / policy)
    assert verdicts(tmp_path)["overall_vs_base"] == "undecided"


def test_a_handful_of_samples_decides_nothing(tmp_path):
    write_run(tmp_path / "charts" / "base", n=5, exec_rate=0.0)
    write_run(tmp_path / "charts" / "rrvf", n=5, exec_rate=1.0)
    assert verdicts(tmp_path)["exec_vs_base"] == "undecided"


def test_a_missing_run_is_not_run(root):
    assert verdicts(root)["web_vs_base"] == "not_run"


def test_a_metric_without_weights_is_not_run(tmp_path):
    for policy in ("base", "rrvf"):
        write_run(tmp_path / "pages" / policy, "websight")
    finding = next(f for f in evaluate_claims(load_claims(), find_runs(tmp_path)) if f.claim.id == "web_clip_vs_base")
    assert finding.claim.ours == "not_run" and "clip was not measured" in finding.ours


def test_the_stand_in_cannot_surpass_a_judge_that_writes_no_code(root):
    finding = next(
        f for f in evaluate_claims(load_claims(), find_runs(root), a_profile()) if f.claim.id == "surpasses_teacher"
    )
    assert finding.claim.ours == "not_run" and "writes no code" in finding.ours


def test_the_markdown_has_a_row_a_claim_and_says_what_a_stand_in_is(root):
    text = claims_markdown(evaluate_claims(load_claims(), find_runs(root), a_profile()), a_profile())
    assert sum(line.startswith("| ") for line in text.splitlines()) == len(load_claims()) + 1
    assert "does not replicate" in text and all(f"- {x.statement}" in text for x in load_untested())


def test_a_wrong_claims_file_is_named(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text("claims:\n- {id: x, statement: y}")
    with pytest.raises(UserError, match="where"):
        load_claims(path)


def test_the_papers_scores_given_execution():
    found = {(s.policy[:4], s.metric): round(s.given, 1) for n in (1, 2) for s in paper_splits(n)}
    assert found["SFT ", "overall"] == 87.2
    assert found["RRVF", "overall"] == 65.8
    assert found["RRVF", "text"] == 41.5


def test_the_two_parts_of_a_gain_add_up():
    by_rate, by_given = gain(97.83, 65.79, 68.83, 55.46)
    assert by_rate + by_given == pytest.approx(64.36 - 38.17, abs=0.02)
    assert by_rate / (by_rate + by_given) == pytest.approx(0.67, abs=0.01)


def test_ours_split_into_their_factors(root):
    splits = [s for s in our_splits(find_runs(root)) if s.group == "charts"]
    assert len(splits) == 3
    for s in splits:
        assert s.rate * s.given / 100 == pytest.approx(s.score) and s.given_bounds[0] < s.given < s.given_bounds[1]
    assert "[" in decomposition_markdown(splits)


def test_gains_are_paired_differences_from_the_base_in_points_of_a_hundred(root):
    found = gains(find_runs(root), a_profile()).set_index("metric").loc["exec_rate"]
    assert found["variant"] == "Generated charts" and found["difference"] == pytest.approx(38, abs=1)
    assert found["low"] < found["difference"] < found["high"]


def test_a_judge_of_ten_gains_in_points_of_a_hundred_too(tmp_path):
    for policy, quality in (("base", 0.2), ("rrvf", 0.6)):
        write_run(tmp_path / "gallery" / policy, "plot2code", exec_rate=1.0, quality=quality)
    gallery = EvalSet(benchmark="plot2code", dataset="g", table=2, title="Gallery", domain="chart")
    profile = a_profile().model_copy(update={"evaluations": {"gallery": gallery, "empty": gallery}})
    found = gains(find_runs(tmp_path), profile).set_index("metric")
    assert found.loc["judge", "difference"] == pytest.approx(40, abs=5) and set(found["variant"]) == {"Gallery"}
