"""A profile's two judges, and how a table names the one that gave its scores."""

from __future__ import annotations

import pytest
from test_report_runs import PROVENANCE, write_run
from test_report_tables import a_profile, printed

from rrvf.errors import UserError
from rrvf.evaluation import Evaluation
from rrvf.evaluation.estimate import estimate_costs
from rrvf.judge.rubrics import OFFICIAL, OWN
from rrvf.profile import EvalSet, JudgeConfig, load_profile
from rrvf.records import Sample
from rrvf.report.claims import evaluate_claims, load_claims
from rrvf.report.runs import find_runs
from rrvf.report.tables import build_tables
from rrvf.report.writers import comma_separated, latex, markdown
from rrvf.rows import load_rows
from rrvf.study import Study

SAMPLE = Sample(id="a", domain="chart", split="t", image="a.png", sha256="", phash="", source="", licence="")
NANO, PAPER = load_profile("nano"), load_profile("paper")
GPT = PROVENANCE.model_copy(
    update={
        "judge": "gpt-4o-2024-11-20@unknown chart x",
        "judge_protocol": OFFICIAL["chartmimic"],
        "choices": {"figure size": "told", "repetition_penalty": "1"},
    }
)


def test_the_papers_profile_trains_by_the_72b_and_scores_tables_by_gpt_4o():
    assert "72B" in PAPER.judge.model and PAPER.table_judge.model == "gpt-4o-2024-11-20"
    assert NANO.table_judge is NANO.judge and NANO.judge.url is None


def test_what_is_not_set_leaves_a_profiles_hash_as_it_was():
    """So earlier results still belong to the profile."""
    fields = {"evaluation_judge", "prompt", "judge_prompt", "timeout_s", "repetition_penalty"}
    dumped = NANO.model_dump()
    assert not fields & {*dumped, *dumped["evaluations"]["charts"]}
    other = NANO.model_copy(update={"evaluation_judge": JudgeConfig(url="http://127.0.0.1:1", model="m")})
    assert other.hash != NANO.hash


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The paper's profile on a machine without a network."""

    def fails(folder):
        raise UserError("no network")

    monkeypatch.setattr("rrvf.evaluation.prompts.download", fails)
    return Study(PAPER, tmp_path / "runs", tmp_path / "data")


def test_a_set_that_asks_in_the_benchmarks_words_brings_them(study, monkeypatch):
    """So a single command for a row uses the benchmark's judge prompt on a new machine too."""
    here = []
    monkeypatch.setattr("rrvf.evaluation.prompts.download", here.append)
    monkeypatch.setattr("rrvf.evaluation.prompts.text", lambda name, folder: f"text of {name}" if here else None)
    assert Evaluation(study, "websight").rubric is None and not here
    for _ in range(2):
        assert Evaluation(study, "chartmimic").rubric.id == OFFICIAL["chartmimic"]
    assert here == [study.prompts]


def test_without_the_benchmarks_text_our_rubric_is_asked_and_said(study, capsys):
    evaluation = Evaluation(study, "chartmimic")
    assert evaluation.rubric is None
    for _ in range(2):
        estimate_costs(evaluation, "reference", None, [])
    told = capsys.readouterr().err
    assert told.count("our rubric") == 1  # said when judging, not when only reading the settings
    assert told.count("no network") == 1
    made = evaluation._provenance("p", "j")
    assert made.judge_protocol == OWN and made.choices["question"] == "chartmimic-direct"
    assert made.choices["time limit of a render"] == "120 s" and made.choices["repetition_penalty"] == "1"


def test_with_the_text_the_official_rubric_is_asked_but_not_of_the_embedded_judge(study, monkeypatch):
    monkeypatch.setattr("rrvf.evaluation.prompts.text", lambda name, folder: f"text of {name}")
    assert Evaluation(study, "chartmimic").rubric.id == OFFICIAL["chartmimic"]
    assert Evaluation(study, "plot2code").rubric.prompt.text == "text of plot2code-judge"
    assert Evaluation(study, "websight").rubric is None
    embedded = PAPER.model_copy(update={"evaluation_judge": JudgeConfig()})
    assert Evaluation(Study(embedded, study.results, study.data), "chartmimic").rubric is None


def test_an_estimate_of_turns_counts_every_turn_with_what_was_said_before(study, monkeypatch):
    monkeypatch.setattr("rrvf.evaluation.estimate.picture_size", lambda path: (512, 512))
    one, four = (
        {line.split(":")[0]: line for line in estimate_costs(
            Evaluation(study, "chartmimic"), "gpt-4o", load_rows()["gpt-4o"], [SAMPLE] * 10, turns).splitlines()}
        for turns in (1, 4)
    )  # fmt: skip
    assert " 10 calls" in one["policy"] and " 40 calls" in four["policy"] and "feedback" not in one
    assert " 30 calls" in four["feedback"] and "72B" in four["feedback"] and " 40 calls" in four["judge"]
    tokens = [int(line["policy"].split(" tokens in")[0].split()[-1].replace(",", "")) for line in (one, four)]
    assert tokens[1] > 6 * tokens[0]


def test_a_judge_whose_key_is_not_set_is_refused_before_anything_is_asked(study, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="set OPENAI_API_KEY"), study.judge(PAPER.table_judge):
        pass


def test_scores_of_two_judge_protocols_never_share_a_block(tmp_path):
    write_run(tmp_path / "charts" / "base")
    write_run(tmp_path / "charts" / "gpt", provenance=GPT)
    ours = build_tables(find_runs(tmp_path))[0].blocks[1:]
    assert [[line.row.model for line in block.lines] for block in ours] == [["gpt"], ["Base"]]
    labels = [[c.label for c in block.columns][5] for block in ours]
    assert labels == ["GPT-4o score", "Judge score"]


def test_the_same_policy_under_two_judge_protocols_is_there_twice(tmp_path):
    write_run(tmp_path / "a" / "charts" / "gpt")
    write_run(tmp_path / "b" / "charts" / "gpt", provenance=GPT)
    assert len(build_tables(find_runs(tmp_path))[0].blocks) == 3


@pytest.mark.parametrize("write", [markdown, comma_separated, latex])
def test_a_tables_head_names_what_moves_its_numbers(tmp_path, write):
    write_run(tmp_path / "charts" / "gpt", provenance=GPT)
    text = write(build_tables(find_runs(tmp_path))[0]).replace("\\", "")
    for said in ("judge gpt-4o-2024-11-20@unknown", f"judged by {OFFICIAL['chartmimic']}", "figure size told",
                 "repetition_penalty 1", "protocol synthetic", "prompt 000000000000"):  # fmt: skip
        assert said in text


@pytest.mark.parametrize(("provenance", "cells"), [(GPT, 7), (PROVENANCE, 5)])
def test_ours_less_the_paper_holds_only_what_was_measured_alike(tmp_path, provenance, cells):
    """With another judge or judge protocol, there is no difference for the judge's score and Overall."""
    write_run(tmp_path / "charts" / "base", provenance=provenance)
    block = build_tables(find_runs(tmp_path), a_profile("Qwen/Qwen2.5-VL-7B-Instruct"))[0].blocks[1]
    rows = printed(block)
    less, paper = rows["ours less the paper"], rows["the paper: (2025/02) Qwen2.5-VL-7B-Instruct"]
    assert sum(c.text != "–" for c in less) == sum(c.text != "–" for c in paper) == cells
    assert less[0].interval  # rates: the interval covers both counts


def test_a_set_may_ask_in_its_own_way():
    config = EvalSet(benchmark="chartmimic", dataset="d", table=1, title="t", domain="chart")
    assert (config.prompt, config.judge_prompt, config.timeout_s) == ("own", "own", None)


def test_a_claim_on_a_score_is_not_decided_by_two_judges(tmp_path):
    write_run(tmp_path / "charts" / "base", n=60, exec_rate=0.5)
    write_run(tmp_path / "charts" / "rrvf", n=60, exec_rate=0.9, provenance=GPT)
    found = {f.claim.id: f for f in evaluate_claims(load_claims(), find_runs(tmp_path))}
    assert found["overall_vs_base"].claim.ours == "not_run" and "two judges" in found["overall_vs_base"].ours
    assert found["exec_vs_base"].claim.ours == "supported"  # this claim does not depend on a judge
