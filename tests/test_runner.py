"""The evaluation runner: six outcomes, no request twice, and the same result after a kill."""

from __future__ import annotations

import json
import threading
import time
import tracemalloc
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
from PIL import Image

from rrvf.benchmarks.answers import answers
from rrvf.benchmarks.intervals import wilson
from rrvf.benchmarks.registry import ChartMimic, column, interval, rate
from rrvf.benchmarks.replies import endpoint_replies, local_replies
from rrvf.benchmarks.results import read_results
from rrvf.benchmarks.run import Run
from rrvf.benchmarks.runner import evaluate
from rrvf.errors import UserError
from rrvf.policies import Answer, NoReply
from rrvf.policies.endpoint import EndpointPolicy
from rrvf.records import Judgement, Provenance, Render, Sample, SampleResult, Usage, json_lines, picture_name

PROVENANCE = Provenance(
    protocol="p", prompt_hash="h", judge="j", metric_version="0", versions={}, seed=0, profile_hash="x"
)


class Benchmark:
    """A benchmark whose code is the text after `code:`; `bad` does not run."""

    name = protocol = "fake"

    def extract(self, reply):
        return reply.removeprefix("code:") if reply.startswith("code:") else None

    #: Samples on which our own part fails, and how often.
    broken: dict[str, int] = {}

    def check(self, reference):
        if reference == "no page":
            raise UserError("its page cannot be drawn (blank)")

    def score(self, sample, reference_code, code):
        if self.broken.get(sample.id, 0):
            self.broken[sample.id] -= 1
            return Render(status="harness_error", message="no memory"), {"exec": 0.0}
        if code == "bad":
            return Render(status="render_error", reason="exception", message="it raised"), {"exec": 0.0}
        if code == "blank":
            return Render(status="render_error", reason="blank", message="one flat colour"), {"exec": 1.0, "text": 0.0}
        return Render(status="ok", png=b"picture"), {"exec": 1.0, "text": float(code == reference_code)}

    def judge_score(self, judgement):
        return 100 * judgement.score

    def summary(self, results, seed):
        return {"n": {"value": float(len(results))}}


class Judge:
    broken = False
    usage: Usage | None = None

    def __init__(self):
        self.calls = 0

    def score(self, reference, generated, domain):
        self.calls += 1
        if self.broken:
            return Judgement(status="judge_error", reason="timeout", usage=self.usage)
        return Judgement(status="ok", score=0.5, usage=self.usage)


@pytest.fixture
def run(tmp_path):
    samples = []
    for i in range(40):
        Image.new("RGB", (16, 16)).save(tmp_path / f"{i}.png")
        (tmp_path / f"{i}.py").write_text(f"c{i}")
        fields = {"domain": "chart", "split": "t", "sha256": "", "phash": "", "source": "", "licence": ""}
        samples.append(Sample(id=f"a/{i}", image=f"{i}.png", code=f"{i}.py", **fields))
    return Run(Benchmark(), samples, tmp_path, Judge(), PROVENANCE, tmp_path / "set" / "policy")


def replies(samples):
    special = {"a/0": None, "a/1": "no code here", "a/2": "code:bad"}
    return [special.get(s.id, f"code:c{s.id[2:]}") for s in samples]


def test_every_sample_ends_in_one_of_the_outcomes(run):
    summary = evaluate(run, replies)
    kinds = {"scored": 37, "policy_error": 2, "render_error": 1, "judge_error": 0, "harness_error": 0, "excluded": 0}
    assert summary["outcomes"] == kinds


def test_a_blank_figure_that_counts_as_run_is_scored_0_and_the_judge_not_asked(run):
    evaluate(run, lambda samples: ["code:blank"] * len(samples))
    result = read_results(run.out)["a/5"]
    assert result.outcome == "scored" and result.metrics["judge"] == 0.0 and run.judge.calls == 0


def test_only_a_scored_sample_has_metrics(run):
    evaluate(run, replies)
    assert {r.outcome for r in read_results(run.out).values() if r.metrics} == {"scored"}


def test_a_failed_judge_is_no_score(run):
    run.judge.broken = True
    evaluate(run, replies)
    assert read_results(run.out)["a/5"].outcome == "judge_error"


def test_a_line_that_is_no_result_is_named(run):
    run.out.mkdir(parents=True, exist_ok=True)
    (run.out / "records.jsonl").write_text('{"sample_id": 1}\n')
    with pytest.raises(UserError, match=r"records\.jsonl holds a line that is not a result"):
        read_results(run.out)


def test_a_judge_that_was_asked_again_cost_each_time(run):
    run.judge.usage = Usage(calls=1, input_tokens=10, output_tokens=1)
    run.judge.broken = True
    assert evaluate(run, replies)["usage"]["judge"]["calls"] == 37
    run.judge.broken = False
    assert evaluate(run, replies)["usage"]["judge"]["calls"] == 2 * 37
    assert evaluate(run, replies)["usage"]["judge"]["calls"] == 2 * 37


def test_a_failed_judge_is_asked_again_and_nothing_else_is(run):
    run.judge.broken = True
    evaluate(run, replies)
    run.judge.broken, run.judge.calls = False, 0
    summary = evaluate(run, lambda samples: pytest.fail("the policy was asked again"))
    assert summary["outcomes"]["judge_error"] == 0 and run.judge.calls == 37


@pytest.fixture
def break_harness(run, monkeypatch):
    """Makes the harness fail on the samples with these numbers, `times` times each."""

    def break_harness(numbers, times=99):
        monkeypatch.setattr(run.benchmark, "broken", {f"a/{i}": times for i in numbers}, raising=False)

    return break_harness


def test_a_harness_that_fails_for_a_while_is_tried_again_within_the_run(run, break_harness):
    whole = evaluate(replace(run, out=run.out.parent / "whole"), replies)
    break_harness([5, 9], times=1)
    assert evaluate(run, replies)["outcomes"] == whole["outcomes"]


def test_a_sample_that_the_harness_always_fails_on_is_not_scored_and_stops_nothing(run, break_harness):
    break_harness([5])
    assert evaluate(run, replies)["outcomes"] == {"scored": 36, "policy_error": 2, "render_error": 1, "judge_error": 0,
                                                  "harness_error": 1, "excluded": 0}  # fmt: skip
    result = read_results(run.out)["a/5"]
    assert result.outcome == "harness_error" and not result.metrics and "no memory" in result.message


@pytest.mark.parametrize("numbers", [range(3, 40), [20, 21, 22]], ids=["all", "three in a row"])
def test_a_harness_that_keeps_failing_stops_the_run_and_the_rerun_completes_it(run, break_harness, numbers):
    whole = evaluate(replace(run, out=run.out.parent / "whole"), replies)
    break_harness(numbers)
    with pytest.raises(UserError, match="no memory"):
        evaluate(run, replies)
    assert not (run.out / "summary.json").exists()
    break_harness([])
    paid = {json.loads(line)["id"] for line in (run.out / "replies.jsonl").read_text().splitlines()}

    def rest(samples):
        assert not paid & {s.id for s in samples}, "the policy was asked again"
        return replies(samples)

    again = evaluate(run, rest)
    assert (again["outcomes"], again["metrics"]) == (whole["outcomes"], whole["metrics"])


def test_samples_that_the_harness_always_fails_on_stop_no_run_however_many_they_are(run, break_harness):
    """In the second try, and in a rerun, they follow one another."""
    break_harness([5, 15, 25, 35])
    for _ in range(2):
        assert evaluate(run, replies)["outcomes"]["harness_error"] == 4


def test_a_set_of_which_nothing_could_be_rendered_has_no_number(run, break_harness):
    few = replace(run, samples=run.samples[5:7])
    break_harness([5, 6])
    with pytest.raises(UserError, match="no memory"):
        evaluate(few, replies)
    assert not (run.out / "summary.json").exists()


@pytest.fixture
def unusable(run):
    """A run with five unusable references: out of bounds, no picture, damaged, no page, no text."""
    Image.new("RGB", (20, 5000)).save(run.root / "7.png")
    (run.root / "8.png").write_bytes(b"no picture")
    (run.root / "9.png").write_bytes((run.root / "10.png").read_bytes()[:-20])
    (run.root / "11.py").write_text("no page")
    (run.root / "12.py").write_bytes(b"\xff\xfe")
    return run


def test_a_reference_that_cannot_be_used_is_excluded_and_counted(unusable, capsys):
    policy = SimpleNamespace(reply=lambda pictures, prompt: ["code:c"] * len(pictures))
    summary = evaluate(unusable, local_replies(policy, unusable.root, ""))
    assert (summary["n"], summary["excluded"], summary["outcomes"]["excluded"]) == (35, 5, 5)
    assert summary["outcomes"]["policy_error"] == 0
    found = read_results(unusable.out)
    assert {i for i, result in found.items() if result.outcome == "excluded"} == {f"a/{i}" for i in (7, 8, 9, 11, 12)}
    assert "20 x 5000" in found["a/7"].message
    assert "5 of 40 samples excluded, as their reference cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("block", [40, None], ids=["local", "endpoint"])
def test_a_sample_is_asked_once_its_picture_can_be_read(run, block):
    whole = (run.root / "8.png").read_bytes()

    class Policy:
        def reply(self, pictures, prompt):
            return ["code:c"] * len(pictures)

        def answers(self, conversations, keep):
            nothing = Answer(None, "there is no question", failed=True)
            return (nothing if messages is None else Answer("code:c") for messages in conversations)

    source = local_replies if block else endpoint_replies
    ask = lambda: evaluate(replace(run, block=block), source(Policy(), run.root, ""))["outcomes"]  # noqa: E731
    (run.root / "8.png").write_bytes(b"damaged")
    assert ask()["excluded"] == 1
    (run.root / "8.png").write_bytes(whole)
    assert ask()["scored"] == 40


def test_an_excluded_sample_weighs_nothing_whatever_the_policy_wrote(unusable):
    """It is excluded even for a policy without a reply, so that all policies are measured on the same samples."""
    results = list(evaluated(unusable, lambda samples: [None] * len(samples)).values())
    assert Counter(r.outcome for r in results) == {"excluded": 5, "policy_error": 35}
    assert len(column(results, "text", 1)) == 35
    assert rate(results) == interval(wilson(0, 35))


def test_a_set_without_one_reference_that_can_be_used_is_refused(run):
    few = replace(run, samples=run.samples[5:7])
    for i in (5, 6):
        (run.root / f"{i}.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"2 of 2 samples excluded.*none is left"):
        evaluate(few, replies)


def test_where_the_judge_failed_on_all_it_is_one_line_and_the_next_run_goes_on(run):
    """With the summary of a real benchmark, which has nothing to average."""
    few = replace(run, samples=run.samples[5:8])
    run.benchmark.summary, run.judge.broken = ChartMimic.summary, True
    with pytest.raises(UserError, match=r"no sample was scored \(timeout\)"):
        evaluate(few, replies)
    run.judge.broken, run.benchmark.summary = False, lambda *_: {}
    assert evaluate(few, replies)["outcomes"]["scored"] == 3


def evaluated(run, reply):
    evaluate(run, reply)
    return read_results(run.out)


def test_a_pasted_picture_is_flagged_and_scored(run, monkeypatch):
    drawn = Render(status="ok", png=b"picture", pasted_share=0.9), {"exec": 1.0, "text": 1.0}
    monkeypatch.setattr(run.benchmark, "score", lambda *_: drawn, raising=False)
    assert evaluate(run, replies)["pasted"] == 38
    result = read_results(run.out)["a/5"]
    assert result.pasted and result.outcome == "scored" and result.render.pasted_share == 0.9


@pytest.mark.parametrize("change", ["policy", "weights", "set"])
def test_records_of_one_run_are_not_taken_for_another_s(run, change):
    evaluate(run, replies)
    with pytest.raises(UserError, match=f"holds another run .{change} None there, 'other' here"):
        evaluate(replace(run, who={change: "other"}), replies)


def test_samples_may_be_added_to_a_run(run):
    evaluate(replace(run, samples=run.samples[:10]), replies)
    assert evaluate(run, replies)["n"] == 40


def test_who_is_interrupted_does_not_wait_for_all_samples(run, monkeypatch):
    """Samples in progress end; the others are not started."""

    stopped = threading.Event()

    def interrupted(result):
        stopped.set()
        raise KeyboardInterrupt

    def score(*pair):
        assert stopped.wait(60)
        time.sleep(0.01)
        return Judge.score(run.judge, *pair)

    monkeypatch.setattr(SampleResult, "model_dump_json", interrupted)
    run.judge.score = score
    with pytest.raises(KeyboardInterrupt):
        evaluate(run, replies)
    assert run.judge.calls < 37


def test_a_finished_run_asks_and_judges_nothing(run):
    first = evaluate(run, replies)
    run.judge.calls = 0
    assert evaluate(run, lambda samples: pytest.fail("asked again")) == first and run.judge.calls == 0


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_run_killed_in_the_middle_of_a_line_continues_to_the_same_summary(run, cut):
    whole = evaluate(run, replies)
    for name in ("records.jsonl", "replies.jsonl"):
        data = (run.out / name).read_bytes()
        (run.out / name).write_bytes(data[: int(len(data) * cut)])
    assert evaluate(run, replies) == whole
    assert len(read_results(run.out)) == 40


def test_blocks_do_not_depend_on_where_a_run_was_killed(run):
    blocks = []
    ask_in = lambda samples: blocks.append([s.id for s in samples]) or replies(samples)  # noqa: E731
    run.out.mkdir(parents=True)
    list(answers(run, ask_in))
    first = list(blocks)
    lines = (run.out / "replies.jsonl").read_text().splitlines()
    (run.out / "replies.jsonl").write_text("\n".join(lines[:10]) + "\n")
    blocks.clear()
    list(answers(run, ask_in))
    assert blocks == first


def test_scores_alone_take_a_fraction_of_the_memory(run):
    """A summary of 100,000 samples holds the scores of all."""
    evaluate(run, replies)
    whole, scores = (held(lambda only=only: read_results(run.out, scores_only=only)) for only in (False, True))
    assert scores < whole / 2


def held(make) -> int:
    """The bytes of what `make` returns."""
    make()  # what is made once and kept, such as validators, is not counted
    tracemalloc.start()
    try:
        made = make()
        return tracemalloc.get_traced_memory()[0] if made else 0
    finally:
        tracemalloc.stop()


def test_renders_are_kept_under_names_that_stay_in_the_folder(run):
    evaluate(run, replies)
    assert (run.out / "renders" / picture_name("a/5")).is_file()


def test_the_summary_names_set_policy_and_provenance(run):
    evaluate(run, replies)
    summary = json.loads((run.out / "summary.json").read_text())
    assert (summary["set"], summary["policy"], summary["provenance"]["protocol"]) == ("set", "policy", "p")


def test_a_reply_with_a_line_separator_is_read_again(run):
    """U+2028 does not end a line of a file, and pydantic writes it unescaped."""
    reply = "code:a\u2028b\u0085c"
    evaluate(run, lambda samples: [reply] * len(samples))
    assert {result.reply for result in read_results(run.out).values()} == {reply}


def test_an_endpoint_that_nobody_listens_at_is_no_answer_of_the_policy(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    policy = EndpointPolicy("http://127.0.0.1:9/v1", "m")
    policy._client.max_retries = 0
    with pytest.raises(UserError, match="does not answer"):
        policy.reply([Image.new("RGB", (8, 8))], "draw")


def test_why_there_is_no_reply_stands_in_the_record_and_outlives_a_kill(run):
    evaluate(run, lambda samples: [NoReply("cut at 9 tokens")] * len(samples))
    (run.out / "records.jsonl").unlink()
    evaluate(run, lambda samples: pytest.fail("the policy was asked again"))
    assert {(r.outcome, r.message) for r in read_results(run.out).values()} == {("policy_error", "cut at 9 tokens")}


def test_half_a_character_in_a_reply_ends_no_evaluation(run):
    evaluate(run, lambda samples: ["code:\ud83d"] * len(samples))
    assert {result.code for result in read_results(run.out).values()} == {"\ufffd"}


def test_a_line_cut_within_a_character_is_left_out(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_bytes(b'{"a": "' + "标".encode()[:1] + b'\n{"a": 1}\n{"a": "' + "标".encode()[:2])
    assert list(json_lines(path)) == [{"a": 1}]


@pytest.mark.parametrize("name", ["a/b", "a\0b", "a\nb", "a\x7fb"], ids=ascii)
def test_a_picture_of_any_sample_has_a_file_name(name, tmp_path):
    (tmp_path / picture_name(name)).write_bytes(b"")
    assert picture_name(name) != picture_name("a__b") == "a__b.png" and picture_name("a\ud83d") == "a\ufffd.png"
