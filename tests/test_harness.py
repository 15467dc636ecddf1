"""The evaluation runner: parallel stages, parts of a run, replies from a file, several turns, and costs."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
import test_runner
from dialects import body, refused, reply
from test_runner import replies

from rrvf.benchmarks import runner
from rrvf.benchmarks.kept import KeptMetrics
from rrvf.benchmarks.lines import Lines
from rrvf.benchmarks.merge import merge
from rrvf.benchmarks.registry import summarised
from rrvf.benchmarks.replies import endpoint_replies, file_replies, local_replies, oracle_replies
from rrvf.benchmarks.results import read_results
from rrvf.benchmarks.runner import evaluate
from rrvf.errors import UserError
from rrvf.policies import Answer
from rrvf.policies.endpoint import EndpointPolicy
from rrvf.records import Usage, json_lines, picture_name
from rrvf.report.runs import find_runs

run = test_runner.run


def one_by_one(samples):
    yield from replies(samples)


def test_while_the_policy_writes_what_it_wrote_before_is_scored(run):
    """The policy holds back its second block until the first is judged. If stages did not overlap, it would never end."""
    judged = threading.Event()
    run.judge.score = lambda *pair: judged.set() or test_runner.Judge.score(run.judge, *pair)
    blocks = []

    def reply(samples):
        if blocks:
            assert judged.wait(20)
        blocks.append(len(samples))
        return replies(samples)

    assert evaluate(replace(run, block=20), reply)["n"] == 40 and len(blocks) == 2


def test_rendering_and_judging_go_on_side_by_side(run):
    """With one renderer, a second sample is rendered while the judge scores the first."""
    rendered, waiting = [], threading.Event()
    score = run.benchmark.score

    def slow_judge(*pair):
        assert waiting.wait(20)
        return test_runner.Judge.score(run.judge, *pair)

    def render(*words):
        rendered.append(words)
        if len(rendered) == 3:
            waiting.set()
        return score(*words)

    run.benchmark.score, run.judge.score = render, slow_judge
    assert evaluate(replace(run, workers=1, judging=4), replies)["outcomes"]["scored"] == 37


def test_the_policy_is_not_read_far_ahead_of_what_is_scored(run, monkeypatch):
    """The judge waits until the runner waits for the first sample. The replies read until then must be few."""
    monkeypatch.setattr(runner, "AHEAD", 3)
    read, when_waiting, waits = [], [], threading.Event()

    class Pool(ThreadPoolExecutor):
        def submit(self, *words):
            future = super().submit(*words)
            result = future.result
            future.result = lambda: when_waiting.append(len(read)) or waits.set() or result()
            return future

    monkeypatch.setattr(runner, "ThreadPoolExecutor", Pool)
    run.judge.score = lambda *pair: waits.wait(60) and test_runner.Judge.score(run.judge, *pair)

    def reply(samples):
        for sample in samples:
            read.append(sample.id)
            yield "code:c"

    assert evaluate(replace(run, block=None, judging=1), reply)["outcomes"]["scored"] == 40
    # Read ahead, two renders, one comparison, and the sample that the runner waits for.
    assert when_waiting[0] == 3 + 2 + 1 + 1


def test_records_lie_in_the_samples_order_whichever_is_scored_first(run):
    evaluate(replace(run, judging=8), one_by_one)
    lines = (run.out / "records.jsonl").read_text().splitlines()
    assert [json.loads(line)["sample_id"] for line in lines] == [s.id for s in run.samples]


def test_no_answer_of_an_endpoint_is_paid_for_twice(run):
    asked = []

    def dies(samples):
        for sample in samples:
            if len(asked) == 7:
                raise UserError("the endpoint went away")
            asked.append(sample.id)
            yield f"code:c{sample.id[2:]}"

    alone = replace(run, block=None)
    with pytest.raises(UserError):
        evaluate(alone, dies)
    rest = []
    evaluate(alone, lambda samples: rest.extend(s.id for s in samples) or one_by_one(samples))
    assert len(asked) == 7 and not set(asked) & set(rest) and len(rest) == 33


@pytest.fixture
def served(run, fake):
    """A run with an endpoint as policy: the run, the server's answers, and a function that evaluates."""

    def served(*answers, in_flight=1):
        fake.replies, fake.requests[:] = list(answers), []
        policy = EndpointPolicy(fake.url, "m", in_flight=in_flight)
        policy._client.max_retries = 0
        policy.answered = (run.out / "replies.jsonl").is_file()
        few = replace(run, samples=run.samples[3:13], block=None)
        return evaluate(few, endpoint_replies(policy, run.root, ""))

    return served


CODE = body(reply("code:c"))


@pytest.mark.parametrize(
    "answer", [refused("vllm", 400, "no pictures"), refused("openai", 500, "no memory"), body("{")]
)
def test_an_endpoint_that_answers_nobody_leaves_no_number_and_nothing_to_go_on_from(run, served, answer):
    with pytest.raises(UserError, match="what was written is kept"):
        served(answer)
    assert not (run.out / "summary.json").exists() and not (run.out / "replies.jsonl").exists()
    assert served(CODE)["outcomes"]["scored"] == 10


def test_a_question_that_the_server_failed_on_is_asked_again_and_is_no_zero(run, served, fake):
    summary = served(CODE, refused("openai", 500, "once"), CODE)
    assert summary["outcomes"]["scored"] == 10 and len(fake.requests) == 11
    again = served(refused("openai", 500, "asked again"))
    assert again == summary and not fake.requests


def test_a_question_that_the_server_always_fails_on_is_not_scored(served, fake):
    def answered(handler):
        (refused("openai", 500, "no memory") if len(fake.requests) in (2, 11) else CODE)(handler)

    outcomes = served(answered)["outcomes"]
    assert (outcomes["scored"], outcomes["harness_error"], outcomes["policy_error"]) == (9, 1, 0)


def test_answers_behind_one_that_is_late_outlive_a_stop(run, served, fake):
    """The first question is never answered. The run is stopped when the others are saved."""

    def answered(handler):
        if len(fake.requests) > 1:
            return CODE(handler)
        while len(list(json_lines(run.out / "replies.jsonl"))) < 9:
            assert not fake.released.wait(0.01)
        refused("openai", 401, "stopped")(handler)

    with pytest.raises(UserError, match="stopped"):
        served(answered, in_flight=10)
    assert served(CODE)["outcomes"]["scored"] == 10 and len(fake.requests) == 1
    assert len(list(json_lines(run.out / "replies.jsonl"))) == 10


def test_the_largest_pictures_are_asked_first_where_it_helps(run):
    from PIL import Image

    Image.new("RGB", (64, 64)).save(run.root / "30.png")
    asked = []
    evaluate(replace(run, block=None, longest_first=True), lambda s: asked.extend(x.id for x in s) or one_by_one(s))
    assert asked[0] == "a/30" and sorted(asked) == sorted(s.id for s in run.samples)


def test_what_calls_cost_is_kept_and_summed_once(run):
    used = Usage(calls=1, input_tokens=1000, output_tokens=100, models=("gpt-4o-2024-11-20",))
    priced = lambda samples: [Answer(f"code:c{s.id[2:]}", usage=used) for s in samples]  # noqa: E731
    for _ in range(2):
        summary = evaluate(run, priced)
        assert summary["usage"]["policy"]["calls"] == 40 and summary["usage"]["policy"]["price_usd"] == 0.14
    assert "judge" not in summary["usage"]


def test_lines_are_found_again_whatever_was_cut(tmp_path):
    lines = Lines(tmp_path / "a.jsonl")
    lines.add({"id": "ü", "reply": "x\u2028y"}), lines.add({"id": "b", "reply": "2"})
    (tmp_path / "a.jsonl").write_bytes((tmp_path / "a.jsonl").read_bytes() + b'{"id": "c", "re')
    again = Lines(tmp_path / "a.jsonl")
    again.add({"id": "b", "reply": "3"})
    for found in (again, Lines(tmp_path / "a.jsonl")):
        assert "c" not in found and found["ü"]["reply"] == "x\u2028y" and found["b"]["reply"] == "3"


@pytest.fixture
def parts(run, monkeypatch):
    """Three finished parts of a run and the whole run's summary, with metrics of a stand-in benchmark."""
    monkeypatch.setattr(
        "rrvf.benchmarks.merge.summarised", lambda name, results, seed: run.benchmark.summary(results, seed)
    )
    whole = evaluate(replace(run, out=run.out / "whole", set="s", policy="p"), replies)
    folders = []
    for i in (1, 2, 3):
        folders.append(run.out / f"part{i}")
        evaluate(
            replace(run, samples=run.samples[i - 1 :: 3], out=folders[-1], shard=(i, 3), set="s", policy="p"), replies
        )
    return whole, folders


def test_parts_merge_to_the_whole(run, parts):
    whole, folders = parts
    merged = merge(run.out / "merged", folders[::-1])
    assert merged == whole
    assert read_results(run.out / "merged").keys() == read_results(run.out / "whole").keys()
    assert (run.out / "merged" / "renders" / picture_name("a/5")).is_file()
    assert merge(run.out / "merged", folders) == whole  # again


def test_parts_of_different_versions_are_told(run, parts, capsys):
    _, folders = parts
    path = folders[1] / "summary.json"
    summary = json.loads(path.read_text())
    summary["provenance"]["versions"]["torch"] = "0.0"
    path.write_text(json.dumps(summary))
    merge(run.out / "merged", folders)
    assert "different versions" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 1])
def test_a_part_without_a_sample_that_can_be_scored_has_a_summary_to_merge(run, count):
    (run.root / "5.png").write_text("no picture")
    part = replace(run, samples=run.samples[5 : 5 + count], shard=(41, 41), set="s", policy="p")
    summary = evaluate(part, replies)
    assert (summary["n"], summary["excluded"]) == (0, count) and (run.out / "summary.json").is_file()


@pytest.mark.parametrize("name", ["chartmimic", "plot2code", "websight", "pictures"])
def test_a_part_without_results_has_no_means(name):
    assert all(metric["value"] is None for metric in summarised(name, [], 0).values())


@pytest.mark.parametrize(
    ("chosen", "said"), [([0, 1], "part 3/3 is missing"), ([0, 1, 1], "name each part once"), ([0], "2/3, 3/3")]
)
def test_parts_that_are_not_all_there_are_refused(run, parts, chosen, said):
    with pytest.raises(UserError, match=said):
        merge(run.out / "merged", [parts[1][i] for i in chosen])


def test_parts_of_two_runs_are_refused(run, parts):
    path = parts[1][2] / "identity.json"
    path.write_text(path.read_text().replace('"judge": "j"', '"judge": "another"'))
    with pytest.raises(UserError, match=r"parts of two runs.*judge"):
        merge(run.out / "merged", parts[1])


def test_parts_stay_as_they_are_when_the_whole_is_forgotten(run, parts):
    before = (parts[1][0] / "replies.jsonl").read_bytes()
    with pytest.raises(UserError, match="is one of the parts"):
        merge(parts[1][0], parts[1])
    assert (parts[1][0] / "replies.jsonl").read_bytes() == before


def test_parts_with_the_same_pictures_are_refused(run, parts):
    path = parts[1][2] / "summary.json"
    summary = json.loads(path.read_text())
    summary["shard"]["ids"][0] = run.samples[0].id
    path.write_text(json.dumps(summary))
    with pytest.raises(UserError, match="in two parts"):
        merge(run.out / "merged", parts[1])


def test_a_part_that_does_not_say_what_it_is_is_refused(run, parts):
    (parts[1][1] / "identity.json").unlink()
    with pytest.raises(UserError, match=r"identity.json"):
        merge(run.out / "merged", parts[1])


def test_a_whole_run_is_no_part_and_an_unfinished_one_is_none(run, parts):
    with pytest.raises(UserError, match="no part of one"):
        merge(run.out / "merged", [run.out / "whole"])
    (parts[1][0] / "summary.json").unlink()
    with pytest.raises(UserError, match="no finished evaluation"):
        merge(run.out / "merged", parts[1])


def test_a_part_is_no_row_of_a_table(run, parts):
    for path in run.out.rglob("summary.json"):
        summary = json.loads(path.read_text())
        path.write_text(json.dumps(summary | {"benchmark": "chartmimic"}))
    assert [r.folder.name for r in find_runs(run.out)] == ["whole"]


def test_replies_of_a_file_are_scored_as_if_they_were_made_here(run, tmp_path):
    whole = evaluate(replace(run, out=run.out / "here"), replies)
    path = tmp_path / "replies.jsonl"
    lines = zip(run.samples, replies(run.samples), strict=True)
    path.write_text("".join(json.dumps({"id": s.id, "reply": text}) + "\n" for s, text in lines))
    made, digest = file_replies(path, run.samples, run.root)
    scored = evaluate(replace(run, out=run.out / "scored", who={"weights": digest}), made)
    assert (scored["outcomes"], scored["metrics"]) == (whole["outcomes"], whole["metrics"])
    made, _ = file_replies(
        run.out / "here" / "replies.jsonl", run.samples, run.root
    )  # a run's own replies.jsonl is accepted
    assert evaluate(replace(run, out=run.out / "again"), made)["outcomes"] == whole["outcomes"]


def test_another_judge_is_asked_without_a_render(run, monkeypatch):
    run.benchmark.protocol = "p"  # as in the provenance
    whole = evaluate(replace(run, out=run.out / "before"), replies)
    kept = KeptMetrics(run.benchmark, run.out / "before", "0")
    monkeypatch.setattr(run.benchmark, "score", lambda *_: pytest.fail("rendered again"), raising=False)
    run.judge.calls = 0
    again = evaluate(replace(run, benchmark=kept, out=run.out / "after"), replies)
    assert (again["outcomes"], again["metrics"]) == (whole["outcomes"], whole["metrics"]) and run.judge.calls == 37
    records = [read_results(run.out / name)["a/5"].metrics for name in ("before", "after")]
    assert records[0] == records[1] and (run.out / "after" / "renders" / picture_name("a/5")).is_file()


def test_what_other_rules_measured_is_not_kept(run):
    evaluate(replace(run, out=run.out / "before"), replies)
    with pytest.raises(UserError, match="no records"):
        KeptMetrics(run.benchmark, run.root, "0")
    for protocol, version in (("other", "0"), ("p", "1")):
        run.benchmark.protocol = protocol
        with pytest.raises(UserError, match=f"was measured by p of version 0, not {protocol} of version {version}"):
            KeptMetrics(run.benchmark, run.out / "before", version)


@pytest.mark.parametrize(("text", "said"), [
    (None, "no file"), ('{"id": "a/0", "reply": "x"}\n', "no reply to 39 of 40"), ('{"id": 3, "reply": "x"}\n', "line 1"),
    ('\n{"id": "a/0"}\n', "line 2"), ("[1]\n", "line 1"), ('{"id": "a/0", "rep', "line 1"), ('{"id": "a/0", "reply": 7}\n', "line 1"),
])  # fmt: skip
def test_a_file_that_lacks_replies_is_one_line(run, tmp_path, text, said):
    if text is not None:
        (tmp_path / "r.jsonl").write_text(text)
    with pytest.raises(UserError, match=said):
        file_replies(tmp_path / "r.jsonl", run.samples, run.root)


def test_a_file_may_lack_the_reply_to_a_picture_that_cannot_be_read(run, tmp_path):
    """As the `replies.jsonl` of a run does, which asks for it once the picture can be read."""
    (run.root / "8.png").write_bytes(b"damaged")
    policy = SimpleNamespace(reply=lambda pictures, prompt: ["code:c"] * len(pictures))
    evaluate(replace(run, out=run.out / "here"), local_replies(policy, run.root, ""))
    made, _ = file_replies(run.out / "here" / "replies.jsonl", run.samples, run.root)
    assert evaluate(replace(run, out=run.out / "again"), made)["outcomes"]["excluded"] == 1


def test_a_file_of_another_encoding_is_one_line(run, tmp_path):
    (tmp_path / "r.jsonl").write_bytes('{"id": "a/0", "reply": "café"}\n'.encode("latin-1"))
    with pytest.raises(UserError, match="save it as UTF-8"):
        file_replies(tmp_path / "r.jsonl", run.samples, run.root)


def test_a_calibration_row_goes_on_where_true_code_cannot_be_read(run):
    (run.root / "3.py").write_bytes(b"\xff\xfe"), (run.root / "4.py").unlink()
    reply = oracle_replies(SimpleNamespace(answer=lambda code: f"code:{code}"), run.root)
    outcomes = evaluate(run, reply)["outcomes"]
    assert (outcomes["scored"], outcomes["excluded"]) == (38, 2)


def test_an_endpoint_is_not_asked_about_a_picture_that_nobody_can_look_at(run):
    (run.root / "8.png").write_bytes(b"no picture")
    asked = []

    class Policy:
        def answers(self, conversations, keep):
            for messages in conversations:
                asked.append(messages)
                yield Answer(None, "none", failed=True) if messages is None else Answer("code:c")

    summary = evaluate(replace(run, block=None), endpoint_replies(Policy(), run.root, lambda s: f"draw {s.id}"))
    assert summary["outcomes"]["excluded"] == 1 and asked.count(None) == 1
    assert asked[0][0]["content"][1]["text"] == "draw a/0"
