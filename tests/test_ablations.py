"""The ablation study: its runs, and the files it writes."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml
from scipy.stats import tukey_hsd

from reproduce.ablations import PLAN, controls, jobs
from rrvf.errors import UserError
from rrvf.profile import load_profile
from rrvf.report.ablations import (
    BASE,
    AblationRun,
    curves,
    curves_figure,
    differences,
    ends,
    evaluated,
    forest_figure,
    later_turns,
    pairs_apart,
    read_ablations,
    seeds_figure,
    summary,
    write_ablations,
)
from rrvf.report.runs import Metric
from rrvf.study import REPOSITORY


@pytest.fixture(scope="module")
def todo():
    return list(jobs(load_profile("nano"), yaml.safe_load(PLAN.read_text())))


def test_every_variant_is_run_with_every_seed_in_a_folder_of_its_own(todo):
    assert len({job.study.results for job in todo}) == len(todo)
    assert {(job.variant, job.profile.seed) for job in todo[1:]} == {
        (job.variant, seed) for job in todo[1:] for seed in (0, 1, 2)
    }


#: Variants of two settings: a term has two, pictures times episodes stay as many, and the gate is for many turns.
PAIRS = {
    "no tool term": {"reward.tool_step", "reward.tool_full_above"},
    "four turns, tool term above 0.5": {"reward.tool_above", "grpo.chart.max_turns"},
    "8 pictures of 4": {"grpo.chart.prompts_per_step", "grpo.chart.group_size"},
}


def test_variants_differ_from_the_default_in_one_setting(todo):
    default = next(job for job in todo if job.variant == "default").profile.model_dump()

    def leaves(settings, path=""):
        for key, value in settings.items():
            place = f"{path}.{key}".strip(".")
            yield from leaves(value, place) if isinstance(value, dict) else [(place, repr(value))]

    found = {
        job.variant: {place for place, _ in set(leaves(job.profile.model_dump())) - set(leaves(default))}
        for job in todo[1:]
        if job.profile.seed == 0 and job.variant != "default"
    }
    assert {variant for variant, places in found.items() if len(places) != 1} == set(PAIRS)
    assert found | PAIRS == found and all(
        place.startswith(("reward.", "grpo.chart.")) for places in found.values() for place in places
    )


def test_a_control_differs_from_the_profile_in_its_learning_rate_and_seed_alone():
    profile, plan = load_profile("nano"), yaml.safe_load(PLAN.read_text())
    found = list(controls(profile, plan))
    assert [(c.profile.seed, c.section) for c in found] == [(s, name) for s in (0, 1, 2) for name in ("chart", "web")]
    for control in found:
        settings = control.profile.model_dump()
        assert settings["grpo"][control.section].pop("learning_rate") == 0
        unchanged = profile.model_dump() | {"seed": control.profile.seed}
        unchanged["grpo"][control.section].pop("learning_rate")
        assert settings == unchanged


def test_an_unknown_setting_is_named():
    plan = yaml.safe_load(PLAN.read_text()) | {
        "variants": {"a typing error": {"grpo": {"chart": {"advantages": "max"}}}}
    }
    with pytest.raises(UserError, match=r"a typing error.*advantages"):
        list(jobs(load_profile("nano"), plan))


def test_what_was_written_can_be_read_again(tmp_path):
    log = [{"step": step, "rrvf/exec_rate": 0.5, "rrvf/repaired_turn_2": step / 10} for step in range(1, 10)]
    metrics = {"exec_rate": Metric(value=80.0), "judge": Metric(value=20.0), "overall": Metric(value=50.0)}
    runs = [AblationRun(BASE, 0, metrics, [])] + [AblationRun(v, s, metrics, log) for v in "ab" for s in (0, 1)]
    write_ablations(runs, tmp_path)
    evaluations, steps = read_ablations(tmp_path, [BASE, "a", "b"])
    assert list(evaluations["given_exec"]) == [25.0] * 5 and list(evaluations["overall"]) == [50.0] * 5
    assert later_turns(steps).loc["a, last third", "repaired, turn 2"] == pytest.approx(0.8)


def test_a_metric_that_the_benchmark_lacks_is_left_out():
    runs = [
        (v, s, {"exec_rate": Metric(value=80.0 + s), "judge": Metric(value=20.0 - s)})
        for v in ("default", "a")
        for s in (0, 1)
    ]
    evaluations = evaluated([AblationRun(*run, []) for run in runs])
    assert list(summary(evaluations)) == ["runs", "exec_rate", "judge", "given_exec"]
    assert set(differences(evaluations, "default")["metric"]) == {"exec_rate", "given_exec"}


def test_the_ends_of_a_log_are_its_first_and_last_fifth():
    log = [{"reward": float(step)} for step in range(10)]
    assert ends(log, ["reward", "kl"]).loc["reward"].tolist() == [0.5, 8.5]
    assert ends(log[:1], ["reward"]).loc["reward"].tolist() == [0.0, 0.0]


def test_a_variant_is_compared_with_the_default_over_their_seeds():
    rates = {BASE: [50.0], "default": [60.0, 62.0, 64.0], "same": [60.0, 62.0, 64.0], "worse": [40.0, 41.0, 42.0]}
    rows = [(v, rate, rate / 2, rate / 3) for v, values in rates.items() for rate in values]
    found = differences(pd.DataFrame(rows, columns=["variant", "exec_rate", "judge", "given_exec"]), "default")
    by_variant = found[found["metric"] == "exec_rate"].set_index("variant")
    assert list(by_variant.index) == ["same", "worse"]
    same, worse = by_variant.loc["same"], by_variant.loc["worse"]
    assert same["difference"] == 0 and same["low"] < 0 < same["high"]
    assert worse["difference"] == -21 and worse["high"] < 0
    labels = [t.get_text() for t in forest_figure(found, "default").axes[0].get_yticklabels()]
    assert labels == ["same", "worse"]


def test_the_intervals_are_those_of_tukeys_test():
    groups = {"default": [60.0, 62.0, 64.0], "a": [40.0, 45.0], "b": [55.0, 58.0, 50.0, 51.0]}
    rows = [(variant, rate) for variant, rates in groups.items() for rate in rates]
    found = differences(pd.DataFrame(rows, columns=["variant", "exec_rate"]), "default")
    scipys = tukey_hsd(*groups.values()).confidence_interval()
    assert list(found["low"]) == pytest.approx(list(scipys.low[1:, 0]))
    assert list(found["high"]) == pytest.approx(list(scipys.high[1:, 0]))


def test_each_pair_that_is_apart_is_named_once_and_its_own_interval_is_wider_where_it_varies_more():
    groups = {BASE: [0.0], "steady": [40.0, 40.5, 41.0], "wild": [52.0, 60.0, 68.0], "near": [39.0, 39.5, 40.0]}
    rows = [(variant, rate) for variant, rates in groups.items() for rate in rates]
    found = pairs_apart(pd.DataFrame(rows, columns=["variant", "exec_rate"]))
    assert list(zip(found["variant"], found["than"], strict=True)) == [("wild", "near"), ("wild", "steady")]
    assert (found["low"] > 0).all() and (found["Welch low"] < found["low"]).all()


def test_variants_of_one_seed_have_no_interval():
    found = differences(pd.DataFrame({"variant": ["default", "a"], "exec_rate": [60.0, 61.0]}), "default")
    assert list(found["difference"]) == [1.0] and found[["low", "high"]].isna().all(axis=None)


def test_a_forest_draws_the_metrics_that_there_are_even_where_a_row_lacks_one():
    rows = [("a", "judge", 1.0, 0.0, 2.0), ("b", "judge", 1.0, 0.0, 2.0), ("a", "exec_rate", 3.0, 2.0, 4.0)]
    found = pd.DataFrame(rows, columns=["variant", "metric", "difference", "low", "high"])
    axes = forest_figure(found, "base", title="Gains").axes[0]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["execution rate", "judge score"]
    assert axes.get_title(loc="left") == "Gains"


def test_the_studys_figures_have_titles_and_a_line_for_the_base():
    evaluations = pd.DataFrame(
        [(BASE, 0, 50.0, 30.0), ("a", 0, 60.0, 31.0)], columns=["variant", "seed", "exec_rate", "given_exec"]
    )
    left, right = seeds_figure(evaluations).axes
    assert left.get_title(loc="left") and right.lines[-1].get_xdata()[0] == 30.0
    log = [{"step": step, "rrvf/exec_rate": 0.5} for step in (1, 2)]
    metrics = {"exec_rate": Metric(value=80.0), "judge": Metric(value=20.0)}
    steps = curves([AblationRun(v, s, metrics, log) for v in "ab" for s in (0, 1)])
    assert all(axes.get_title(loc="left") for axes in curves_figure(steps, "a", "b").axes)


def test_the_policy_before_training_needs_no_log(tmp_path):
    write_ablations(
        [AblationRun(BASE, 0, {"exec_rate": Metric(value=80.0), "judge": Metric(value=None)}, [])], tmp_path
    )
    assert "before training" in (tmp_path / "summary.csv").read_text()


def test_the_published_study_is_of_the_plan_beside_it():
    published = REPOSITORY / "results" / "ablations"
    plan = yaml.safe_load((published / "plan.yaml").read_text())
    runs = pd.read_csv(published / "evaluations.csv")
    done = {(BASE, 0)} | {(variant, seed) for variant in plan["variants"] for seed in plan["seeds"]}
    assert set(zip(runs["variant"], runs["seed"], strict=True)) == done
    control = pd.read_csv(published / "control.csv")
    assert set(zip(control["seed"], control["section"], strict=True)) == {
        (seed, section) for seed in plan["seeds"] for section in plan["control"]
    }
