"""Evaluates one policy on one set: single turn, no tools, resumable. Every sample ends with one of six outcomes.

`DIR/replies.jsonl` holds the policy's answers (`rrvf.benchmarks.answers`), `DIR/records.jsonl` their results
(`rrvf.benchmarks.results`). Both are append-only, and `summary.json` is made from them. A killed run continues.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from tqdm import tqdm

from rrvf.benchmarks.answers import answers
from rrvf.benchmarks.lines import append_lines
from rrvf.benchmarks.results import read_results, write_summary
from rrvf.benchmarks.run import BLOCK, OURS, RECORDS, REPLIES, Replies, Run
from rrvf.domains import domain
from rrvf.errors import HarnessError, UserError
from rrvf.folders import claim, owned
from rrvf.pictures import read_picture
from rrvf.policies import Answer
from rrvf.protocol import read_reply
from rrvf.records import PASTED_ABOVE, Sample, SampleResult, picture_name
from rrvf.render import settled

#: Answers that may wait to be scored. With more, the policy waits too.
AHEAD = 2 * BLOCK
#: The run stops when the harness fails on this many new samples in a row: then the machine is at fault.
IN_A_ROW = 3
#: The beginning of a sample's message where the policy could not be asked.
_NO_ANSWER = "the policy cannot be asked: "


def evaluate(run: Run, reply: Replies) -> dict:
    """Ask, score and write; returns the summary that `DIR/summary.json` holds.

    `reply` takes samples and gives one answer each, in order: a text, None where the policy itself failed, or an
    Answer. An Answer that `failed` is not written down, so the next run asks again. While the policy writes, its
    earlier answers are rendered, measured and judged.
    """
    with owned(run.out):
        claim(run.out, run.identity, begun=REPLIES)
        (run.out / "renders").mkdir(exist_ok=True)
        # Samples on which judge or harness failed are tried again. All others are measured once.
        before = {i: result.outcome for i, result in read_results(run.out, scores_only=True).items()}
        done = {s.id for s in run.samples if s.id in before and before[s.id] not in OURS}
        failed = score(
            run, (pair for pair in answers(run, reply) if pair[0].id not in done), len(run.samples) - len(done),
            {i for i, outcome in before.items() if outcome == "harness_error"},
        )  # fmt: skip
        # The machine may have been short of memory or processes only for a while, so failed samples get a second try.
        again = replace(run, samples=failed)
        failed = score(again, answers(again, reply), len(failed), {s.id for s in failed}) if failed else []
        if failed and len(failed) == len(run.samples):
            raise UserError(_broken(read_results(run.out)[failed[0].id].message))
        return write_summary(run)


def score(
    run: Run, answered: Iterable[tuple[Sample, Answer]], total: int, failed_before: Collection[str] = ()
) -> list[Sample]:
    """Score samples as they come and append their results, in order; returns those on which the harness failed.

    failed_before: samples of which this is another try. UserError for `IN_A_ROW` failures in a row on others. The
    number of answers that wait to be scored is bounded, so that memory stays flat.
    """
    failed: list[Sample] = []
    row, ahead = 0, AHEAD + run.workers + run.judging
    waiting: deque[tuple[Sample, Future[SampleResult]]] = deque()
    # One thread per render and per comparison: a thread that waits for the judge does not block rendering.
    pool = ThreadPoolExecutor(run.workers + run.judging)
    try:
        with (
            append_lines(run.out / RECORDS) as file,
            tqdm(total=total, desc=f"score {run.out.name}", unit="sample") as bar,
        ):
            for sample, future in _in_order(run, pool, answered, waiting, ahead):
                result = future.result()
                file.write(result.model_dump_json() + "\n")
                file.flush()
                bar.update()
                broken = result.outcome == "harness_error"
                failed += [sample] if broken else []
                row = 0 if not broken else row + (sample.id not in failed_before)
                if row == IN_A_ROW:
                    raise UserError(_broken(result.message))
    finally:
        # Do not wait for the samples under way: one may wait for a judge that is away, until its client closes.
        pool.shutdown(wait=False, cancel_futures=True)
    return failed


def _in_order(
    run: Run, pool: ThreadPoolExecutor, answered, waiting: deque, ahead: int
) -> Iterator[tuple[Sample, Future]]:
    """Samples in the order of their answers, each once it is scored or more than `ahead` samples wait."""
    for sample, answer in answered:
        waiting.append((sample, pool.submit(score_sample, run, sample, answer)))
        while waiting and (waiting[0][1].done() or len(waiting) > ahead):
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _broken(message: str) -> str:
    if message.startswith(_NO_ANSWER):
        return f"{message}: run the same command again when it works; what was written is kept"
    return f"nothing can be rendered here ({message}): see `rrvf doctor`, then run again; what was written is kept"


def score_sample(run: Run, sample: Sample, answer: Answer) -> SampleResult:
    """One sample's outcome.

    A failed judge is a `judge_error` and a failed harness a `harness_error`; neither has a score.
    """
    reply = answer.text
    fields = {"sample_id": sample.id, "reply": reply or "", "provenance": run.provenance}
    try:
        read_picture(run.root / sample.image)
        reference = (run.root / sample.code).read_text(encoding="utf-8") if sample.code else None
        run.benchmark.check(reference)
    except HarnessError as error:
        return SampleResult(outcome="harness_error", message=str(error), **fields)
    except (UserError, OSError, UnicodeDecodeError) as error:
        return SampleResult(outcome="excluded", message=f"the reference cannot be used: {error}", **fields)
    if answer.failed:
        return SampleResult(outcome="harness_error", message=_NO_ANSWER + answer.problem, **fields)
    if reply is None:
        why = answer.problem or "the policy gave no reply"
        return SampleResult(outcome="policy_error", message=why, **fields)
    code = run.benchmark.extract(reply)
    if code is None:
        why = read_reply(reply, domain(sample.domain), lambda _: None).problem
        return SampleResult(outcome="policy_error", message=why, **fields)
    fields |= {"code": code}
    try:
        render, metrics = run.benchmark.score(sample, reference, code)
        fields |= {"render": render}
        settled(render)
    except HarnessError as error:  # of the answer's render, or of the true code's
        return SampleResult(outcome="harness_error", message=str(error), **fields)
    fields |= {"pasted": (render.pasted_share or 0.0) > PASTED_ABOVE}
    if not metrics["exec"]:
        why = render.message or "the items that it reports are malformed"
        return SampleResult(outcome="render_error", message=why, **fields)
    if render.png is None:  # blank or out of bounds, but executed by ChartMimic's rule: the judge scores 0 unasked
        return SampleResult(outcome="scored", metrics=metrics | {"judge": 0.0}, message=render.message, **fields)
    (run.out / "renders" / picture_name(sample.id)).write_bytes(render.png)
    judgement = run.judge.score((run.root / sample.image).read_bytes(), render.png, sample.domain)
    if not judgement.ok:
        return SampleResult(outcome="judge_error", judgement=judgement, message=judgement.reason or "", **fields)
    metrics = metrics | {"judge": run.benchmark.judge_score(judgement)}
    return SampleResult(outcome="scored", metrics=metrics, judgement=judgement, **fields)
