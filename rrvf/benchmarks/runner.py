"""Evaluates one policy on one set: single turn, no tools, resumable, every sample with one of six outcomes.

`DIR/replies.jsonl` holds what the policy wrote, `DIR/records.jsonl` what it scored; both are append-only and the truth.
A killed run continues: replies are asked for in fixed blocks, so a resumed run batches as the uninterrupted one does.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, Protocol, get_args

from tqdm import tqdm

from rrvf.benchmarks.lines import Lines, append_lines
from rrvf.domains import domain
from rrvf.errors import HarnessError, UserError
from rrvf.folders import claim, owned
from rrvf.outputs import whole
from rrvf.policies import Answer, Keep, NoReply
from rrvf.policies.local import picture_size, read_picture
from rrvf.prices import price
from rrvf.protocol import read_reply
from rrvf.records import (
    PASTED_ABOVE,
    Judgement,
    Outcome,
    Provenance,
    Render,
    Sample,
    SampleResult,
    Trajectory,
    Turn,
    Usage,
    json_lines,
    picture_name,
)
from rrvf.references import tell_excluded
from rrvf.render import settled
from rrvf.rollout import JudgeLike

#: Pictures per call of the policy.
BLOCK = 32
#: Answers that wait to be scored before the policy waits too.
AHEAD = 2 * BLOCK
_NONE = object()
REPLIES, RECORDS = "replies.jsonl", "records.jsonl"
#: What says nothing of the policy: not scored, and tried again.
OURS = ("judge_error", "harness_error", "excluded")
#: So many samples in a row that the harness failed on stop a run: it is the machine.
IN_A_ROW = 3
#: How a sample's message begins where the policy could not be asked.
_NO_ANSWER = "the policy cannot be asked: "


#: Samples in, one answer each out, in order; it may give them one by one as they come. Those of an endpoint, which come
#: in any order, are also told to `Keep` the moment they are there.
Replies = Callable[[list[Sample]], Iterable[str | NoReply | Answer | None] | Callable[[Keep], Iterable[Answer]]]


class Benchmark(Protocol):
    """One file a benchmark: how code is found in a reply, what is measured, how it is averaged."""

    name: str
    protocol: str

    def extract(self, reply: str) -> str | None:
        """The code in a reply, or None."""

    def check(self, reference: str | None) -> None:
        """UserError where the true code gives nothing that anybody could be measured against."""

    def score(self, sample: Sample, reference: str | None, code: str) -> tuple[Render, dict[str, float | None]]:
        """Render the code and measure it against the sample, all but the judge's score; `exec` says whether it ran.

        `reference` is the true code; None where the set has none.
        """

    def judge_score(self, judgement: Judgement) -> float:
        """The judge's [0, 1] on the benchmark's own scale."""

    def summary(self, results: list[SampleResult], seed: int) -> dict[str, dict[str, float | None]]:
        """Each metric's value with its 95 % interval."""


@dataclass(frozen=True)
class Run:
    """What an evaluation needs besides the policy: the pictures, where they lie, the benchmark and the judge.

    set, policy: what tables call them; by default the last two folders of `out`. workers: renders at once; judging:
    comparisons at once beside them. block: samples that the policy is asked for together, whether or not some of them
    are answered; None: each alone, and none twice. longest_first: the largest pictures first, so that neighbours are
    alike and no long one is left for the end. shard: (i, n) where the samples are the i-th of n parts. turn: after
    which the answers are those of episodes.
    """

    benchmark: Benchmark
    samples: list[Sample]
    root: Path
    judge: JudgeLike
    provenance: Provenance
    out: Path
    workers: int = 2
    #: The policy with its weights, the pictures, how they are decoded: what makes a record of one run no other's.
    who: Mapping[str, Any] = field(default_factory=dict)
    set: str = ""
    policy: str = ""
    judging: int = 0
    block: int | None = BLOCK
    longest_first: bool = False
    shard: tuple[int, int] | None = None
    turn: int | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What a folder of records belongs to. Samples may be added; the bootstrap's seed changes no record."""
        kept = ("protocol", "prompt_hash", "judge", "metric_version")
        return {**self.who, **{name: getattr(self.provenance, name) for name in kept}}


def evaluate(run: Run, reply: Replies) -> dict:
    """Ask, score, write; gives the summary that `DIR/summary.json` holds.

    `reply` takes samples and gives one answer each, in order: a text, None where the policy itself failed, or an
    Answer; one that `failed` is not written down. While the policy writes, what it wrote before is rendered, measured
    and judged.
    """
    with owned(run.out):
        claim(run.out, run.identity, begun=REPLIES)
        (run.out / "renders").mkdir(exist_ok=True)
        # Judge or harness that failed are asked again; what was measured is not measured twice.
        done = {i for i, result in read_results(run.out, texts=False).items() if result.outcome not in OURS}
        done &= {s.id for s in run.samples}
        failed = score(
            run, (pair for pair in answers(run, reply) if pair[0].id not in done), len(run.samples) - len(done)
        )
        # A machine that was short of something for a while may have it by now.
        failed = score(run, answers(replace(run, samples=failed), reply), len(failed)) if failed else []
        if failed and len(failed) == len(run.samples):
            raise UserError(_broken(read_results(run.out)[failed[0].id].message))
        return write_summary(run)


def score(run: Run, answered: Iterable[tuple[Sample, Answer]], total: int) -> list[Sample]:
    """Score samples as they come and append their results, in order; gives those that the harness failed on.

    UserError for `IN_A_ROW` of these. Only so many answers are taken ahead of what is scored, so that memory stays
    flat.
    """
    failed: list[Sample] = []
    row, ahead = 0, AHEAD + run.workers + run.judging
    waiting: deque[tuple[Sample, Future[SampleResult]]] = deque()
    # A thread per render and per comparison: whoever waits for the judge keeps nobody from rendering.
    pool = ThreadPoolExecutor(run.workers + run.judging)
    try:
        with (
            append_lines(run.out / RECORDS) as file,
            tqdm(total=total, desc=f"score {run.out.name}", unit="sample") as bar,
        ):
            for sample, future in _settled(run, pool, answered, waiting, ahead):
                result = future.result()
                file.write(result.model_dump_json() + "\n")
                file.flush()
                bar.update()
                ours = result.outcome == "harness_error"
                failed += [sample] if ours else []
                row = row + 1 if ours else 0
                if row == IN_A_ROW:
                    raise UserError(_broken(result.message))
    finally:
        # Who is interrupted waits for no sample: one may wait for a judge that is away, till that client closes.
        pool.shutdown(wait=False, cancel_futures=True)
    return failed


def _settled(
    run: Run, pool: ThreadPoolExecutor, answered, waiting: deque, ahead: int
) -> Iterator[tuple[Sample, Future]]:
    """Samples in the order of their answers, each once it is scored or too many wait behind it."""
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


def answers(run: Run, reply: Replies) -> Iterator[tuple[Sample, Answer]]:
    """Every sample with its answer, from disk where it was paid for already; new ones are written down as they come."""
    known = Lines(run.out / REPLIES)
    for block in _blocks(run, known):
        new = () if all(s.id in known for s in block) else reply(block)
        keep = partial(_keep, known, block)
        if told := callable(new):
            new = new(keep)
        if isinstance(new, list):  # a block that is paid for is written down whole, whatever stops the run
            for place, given in zip(range(len(block)), new, strict=True):
                keep(place, _answer(given))
            new = ()
        made = iter(new)
        for place, sample in enumerate(block):
            if (given := next(made, _NONE)) is not _NONE:
                answer = _answer(given)
                if answer.failed:
                    yield sample, answer
                    continue
                if not (told and sample.id in known):
                    keep(place, answer)
            yield sample, answer_of(known[sample.id])


def _keep(known: Lines, block: list[Sample], place: int, answer: Answer) -> None:
    known.add({"id": block[place].id, **line_of(answer)})


def _blocks(run: Run, known: Lines) -> Iterator[list[Sample]]:
    samples = (
        sorted(run.samples, key=lambda s: -prod(picture_size(run.root / s.image))) if run.longest_first else run.samples
    )
    if run.block:
        yield from (samples[i : i + run.block] for i in range(0, len(samples), run.block))
        return
    yield [s for s in samples if s.id in known]
    yield [s for s in samples if s.id not in known]


def _answer(given: str | NoReply | Answer | None) -> Answer:
    if isinstance(given, Answer):
        return given
    if isinstance(given, str):
        return Answer(given)
    return Answer(None, given.reason, failed=given.failed) if given else Answer(None)


def line_of(answer: Answer) -> dict:
    """An answer as `replies.jsonl` has it, without its `id`."""
    told = {"problem": answer.problem} if answer.problem else {}
    return {"reply": answer.text, **told, **({"usage": answer.usage.model_dump()} if answer.usage else {})}


def answer_of(line: dict) -> Answer:
    """The same, read again."""
    usage = line.get("usage")
    return Answer(line["reply"], line.get("problem", ""), Usage.model_validate(usage) if usage else None)


def score_sample(run: Run, sample: Sample, answer: Answer) -> SampleResult:
    """One sample's outcome.

    A failed judge is `judge_error`, a failed harness `harness_error`: no number is left behind.
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
        why = render.message or "what it reports of itself is malformed"
        return SampleResult(outcome="render_error", message=why, **fields)
    if render.png is None:  # blank, which ChartMimic counts as run; its judge is not asked and the score is 0
        return SampleResult(outcome="scored", metrics=metrics | {"judge": 0.0}, message=render.message, **fields)
    (run.out / "renders" / picture_name(sample.id)).write_bytes(render.png)
    judgement = run.judge.score((run.root / sample.image).read_bytes(), render.png, sample.domain)
    if not judgement.ok:
        return SampleResult(outcome="judge_error", judgement=judgement, message=judgement.reason or "", **fields)
    metrics = metrics | {"judge": run.benchmark.judge_score(judgement)}
    return SampleResult(outcome="scored", metrics=metrics, judgement=judgement, **fields)


def write_summary(run: Run) -> dict:
    """`DIR/summary.json` from `DIR/records.jsonl`, in the samples' order."""
    by_id = read_results(run.out, texts=False)
    results = [by_id[s.id] for s in run.samples]
    head = {
        "benchmark": run.benchmark.name,
        "set": run.set or run.out.parent.name,
        "policy": run.policy or run.out.name,
        "domain": run.samples[0].domain if run.samples else None,
        "provenance": run.provenance.model_dump(),
    } | _part_of(run)
    return write_summary_of(run.out, head, results, run.benchmark.summary(results, run.provenance.seed))


def write_summary_of(out: Path, head: dict, results: list[SampleResult], metrics: dict) -> dict:
    """Write down and give what a run came to; `head` says what it was."""
    outcomes = dict.fromkeys(get_args(Outcome), 0)
    for result in results:
        outcomes[result.outcome] += 1
    excluded = {r.sample_id: r.message for r in results if r.outcome == "excluded"}
    tell_excluded(excluded, len(results))
    provenance = head.pop("provenance")
    pasted = sum(result.pasted for result in results)
    summary = {"n": len(results) - len(excluded), "excluded": len(excluded), **head, "outcomes": outcomes,
               "pasted": pasted, "metrics": metrics, "usage": usage_of(out, written_results(out, texts=False)),
               "provenance": provenance}  # fmt: skip
    with whole(out / "summary.json") as partial:
        partial.write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def _part_of(run: Run) -> dict:
    """What of a whole evaluation this is, where it is not one."""
    part: dict[str, Any] = {} if run.turn is None else {"turn": run.turn}
    if run.shard is not None:
        number, of = run.shard
        part["shard"] = {"number": number, "of": of, "ids": [sample.id for sample in run.samples]}
    return part


def usage_of(out: Path, results: Iterable[SampleResult | Trajectory | Turn]) -> dict[str, dict]:
    """What the policy's and the judge's calls cost, summed, with their price.

    Those whose endpoint counts nothing are left out.
    """
    policy = (Usage.model_validate(line["usage"]) for line in json_lines(out / REPLIES) if line.get("usage"))
    judge = (r.judgement.usage for r in results if r.judgement and r.judgement.usage)
    sums = {"policy": sum(policy, Usage()), "judge": sum(judge, Usage())}
    return {who: usage.model_dump() | price(usage) for who, usage in sums.items() if usage.calls}


def read_results(out: Path, texts: bool = True) -> dict[str, SampleResult]:
    """The results of a run by sample id; the last line of a sample counts. texts: False leaves the long parts out."""
    return {r.sample_id: r for r in written_results(out, texts)}


def written_results(out: Path, texts: bool = True) -> Iterator[SampleResult]:
    """Every result as it was written: a sample that was asked again is there each time, for each time was paid."""
    dropped = {} if texts else {"reply": "", "code": None, "provenance": None}
    return (SampleResult.model_validate(line | dropped) for line in json_lines(out / RECORDS))
