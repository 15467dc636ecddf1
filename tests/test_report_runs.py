"""Runs read from disk, and differences between them. `write_run` writes synthetic runs to a temporary folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rrvf.benchmarks.intervals import bootstrap, wilson
from rrvf.errors import UserError
from rrvf.profile import load_profile
from rrvf.records import Judgement, Provenance, Render, SampleResult
from rrvf.report.audit import overall
from rrvf.report.runs import Run, by_set, contributions, difference, find_runs
from rrvf.report.write import profile_of

#: Made by no shipped profile.
PROVENANCE = Provenance(
    protocol="synthetic",
    prompt_hash="0" * 12,
    judge="synthetic-judge",
    metric_version="0",
    versions={},
    seed=0,
    profile_hash="f" * 12,
)
PARTS = {
    "chartmimic": ("text", "layout", "type", "color"),
    "plot2code": ("text",),
    "websight": ("ssim", "block_match", "text", "position", "color"),
}


def write_run(
    folder: Path,
    benchmark: str = "chartmimic",
    n: int = 60,
    exec_rate: float = 0.7,
    quality: float = 0.5,
    judge_errors: int = 0,
    seed: int = 0,
    provenance: Provenance = PROVENANCE,
    reply: str = "made up",
    ids: str = "s",
    scores: bool = True,
) -> Path:
    """Write a synthetic run at `.../<set>/<policy>`: records, and the summary that follows from them.

    scores: False leaves all metrics but the execution rate out of the summary. Their intervals take seconds.
    """
    rng = np.random.default_rng(seed)
    records = [
        _record(f"{ids}{i:03}", i, n, benchmark, exec_rate, quality, judge_errors, rng, provenance, reply)
        for i in range(n)
    ]
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_text("".join(r.model_dump_json() + "\n" for r in records))
    outcomes = {
        o: sum(r.outcome == o for r in records) for o in ("scored", "policy_error", "render_error", "judge_error")
    }
    summary = {
        "n": n,
        "benchmark": benchmark,
        "set": folder.parent.name,
        "policy": folder.name,
        "outcomes": outcomes,
        "metrics": _metrics(records, benchmark, scores),
        "provenance": provenance.model_dump(),
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def _record(name, i, n, benchmark, exec_rate, quality, judge_errors, rng, provenance, reply) -> SampleResult:
    fields = {"sample_id": name, "reply": reply, "code": f"plt.plot({i})", "provenance": provenance}
    drawn = np.clip(rng.normal(quality, 0.15, 6), 0, 1)
    if i < judge_errors:
        return SampleResult(outcome="judge_error", render=Render(status="ok"), **fields)
    if i >= round(exec_rate * n):
        render = Render(status="render_error", reason="exception", message="NameError")
        return SampleResult(outcome="render_error", render=render, message="NameError", **fields)
    metrics = dict(zip(PARTS[benchmark], map(float, drawn), strict=False))
    metrics["judge"] = float(drawn[5]) * (10 if benchmark == "plot2code" else 100)
    if benchmark == "websight":
        metrics["clip"] = None
    judgement = Judgement(status="ok", score=float(drawn[5]), feedback="---Comments:\n-**Text**- the title is missing.")
    return SampleResult(outcome="scored", metrics=metrics, render=Render(status="ok"), judgement=judgement, **fields)


def _metrics(records, benchmark, scores) -> dict:
    judged = [r for r in records if r.outcome != "judge_error"]
    ran = [r for r in judged if r.outcome == "scored"]
    rate = wilson(sum(r.outcome in ("scored", "judge_error") for r in records), len(records))
    found = {"exec_rate": {"value": rate.value, "low": rate.low, "high": rate.high}}
    if not scores:
        return found
    unit = 1 if benchmark == "websight" else 100

    def put(name, values):
        b = bootstrap(values)
        found[name] = {"value": b.value, "low": b.low, "high": b.high}

    for name in PARTS[benchmark]:
        put(name, [unit * r.metrics.get(name, 0) for r in judged])
    put("judge", [r.metrics.get("judge", 0) for r in judged])
    if benchmark == "chartmimic":
        rows = [
            {k: (1 if k == "judge" else 100) * r.metrics.get(k, 0) for k in (*PARTS[benchmark], "judge")}
            for r in judged
        ]
        put("overall", [overall(row) for row in rows])
    if benchmark == "plot2code" and ran:
        put("text_pass", [100 * r.metrics["text"] for r in ran])
        put("judge_pass", [r.metrics["judge"] for r in ran])
    if benchmark == "websight":
        found["clip"] = {"value": None, "low": None, "high": None}
    return found


def runs_of(root: Path) -> dict:
    return {r.summary.policy: r for r in find_runs(root)}


@pytest.mark.parametrize("benchmark", ["chartmimic", "plot2code", "websight"])
def test_records_lead_to_every_summary_value(tmp_path, benchmark):
    write_run(tmp_path / "set" / "base", benchmark)
    run = runs_of(tmp_path)["base"]
    for name, metric in run.summary.metrics.items():
        if metric.value is not None:
            values, weights = contributions(run, name)
            assert values.sum() / weights.sum() == pytest.approx(metric.value), name


def test_a_run_that_was_moved_aside_is_no_run(tmp_path):
    for name in ("base", "base.stale-0123"):
        write_run(tmp_path / "eval" / "charts" / name, n=3)
    assert [run.folder.name for run in find_runs(tmp_path)] == ["base"]


def test_a_metric_that_was_not_measured_has_no_difference(tmp_path):
    write_run(tmp_path / "set" / "base", "websight")
    write_run(tmp_path / "set" / "rrvf", "websight")
    runs = runs_of(tmp_path)
    assert difference(runs["rrvf"], runs["base"], "clip") is None


def test_a_summary_that_the_records_contradict_gives_no_difference(tmp_path):
    folder = write_run(tmp_path / "set" / "base")
    summary = json.loads((folder / "summary.json").read_text())
    summary["metrics"]["text"]["value"] += 7
    (folder / "summary.json").write_text(json.dumps(summary))
    assert contributions(runs_of(tmp_path)["base"], "text") is None


def test_the_difference_of_a_run_with_itself_is_zero(tmp_path):
    write_run(tmp_path / "set" / "base")
    run = runs_of(tmp_path)["base"]
    assert difference(run, run, "overall").bounds == (0.0, 0.0)


def test_rates_on_different_sets_compare_without_pairing(tmp_path):
    write_run(tmp_path / "a" / "sft", exec_rate=0.9, ids="a")
    write_run(tmp_path / "b" / "rrvf", exec_rate=0.5, ids="b")
    runs = runs_of(tmp_path)
    d = difference(runs["sft"], runs["rrvf"], "exec_rate")
    assert d.value == pytest.approx(40) and 20 < d.low < 40 < d.high < 60


def test_the_last_record_of_a_sample_counts_and_a_cut_line_does_not(tmp_path):
    folder = write_run(tmp_path / "set" / "base", n=5)
    last = SampleResult(sample_id="s000", outcome="policy_error", message="later")
    with (folder / "records.jsonl").open("a") as file:
        file.write(last.model_dump_json() + "\n" + '{"sample_id": "s0')
    records = runs_of(tmp_path)["base"].records
    assert len(records) == 5 and records["s000"].message == "later"


def test_a_judge_error_weighs_nothing_in_a_score_and_counts_as_run(tmp_path):
    write_run(tmp_path / "set" / "base", n=10, judge_errors=2, exec_rate=0.5)
    run = runs_of(tmp_path)["base"]
    assert contributions(run, "judge")[1].sum() == 8
    assert contributions(run, "exec_rate")[0].sum() == pytest.approx(500)


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="rrvf eval"):
        find_runs(tmp_path)


def test_a_broken_summary_is_named(tmp_path):
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(UserError, match=r"summary\.json"):
        find_runs(tmp_path)


def test_the_profile_of_runs_is_the_one_that_made_them(tmp_path):
    gpu = load_profile("gpu").model_copy(update={"seed": 3})
    made = PROVENANCE.model_copy(update={"profile_hash": gpu.hash, "seed": 3})
    write_run(tmp_path / "own" / "chartmimic" / "mine", provenance=made)
    assert profile_of(tmp_path / "own").name == "gpu"
    write_run(tmp_path / "own" / "chartmimic" / "other")
    assert profile_of(tmp_path / "own") is None


def test_two_runs_of_one_policy_on_one_set_are_two_rows(tmp_path):
    for name, rate in (("first", 0.2), ("second", 0.8)):
        write_run(tmp_path / "charts" / name, exec_rate=rate)
    runs = [replace(run, summary=run.summary.model_copy(update={"policy": "mine"})) for run in find_runs(tmp_path)]
    rates = {policy: run.value("exec_rate") for policy, run in by_set(runs)["charts"].items()}
    assert rates == {"mine": 20.0, f"mine, {tmp_path / 'charts' / 'second'}": 80.0}


def test_results_that_a_summary_does_not_cover_are_left_out(tmp_path):
    write_run(tmp_path / "charts" / "rrvf")
    run = find_runs(tmp_path)[0]
    kept = list(run.records)[:3]
    assert list(Run(run.summary.model_copy(update={"ids": kept}), run.folder).records) == kept
