"""Evaluates one policy on one set: single turn, no tools, resumable, every sample with one of six outcomes.

`DIR/replies.jsonl` holds what the policy wrote, `DIR/records.jsonl` what it scored; both are append-only and the truth.
A killed run continues: replies are asked for in fixed blocks, so a resumed run batches as the uninterrupted one does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO, get_args

from tqdm import tqdm

from rrvf.domains import domain
from rrvf.errors import HarnessError, UserError
from rrvf.folders import claim, owned
from rrvf.policies import NoReply
from rrvf.policies.local import read_picture
from rrvf.protocol import read_reply
from rrvf.records import (
    PASTED_ABOVE,
    Judgement,
    Outcome,
    Provenance,
    Render,
    Sample,
    SampleResult,
    json_lines,
    picture_name,
)
from rrvf.references import tell_excluded
from rrvf.render import settled
from rrvf.rollout import JudgeLike

#: Pictures per call of the policy.
BLOCK = 32
REPLIES, RECORDS = "replies.jsonl", "records.jsonl"
#: What says nothing of the policy: not scored, and tried again.
OURS = ("judge_error", "harness_error", "excluded")
#: So many samples in a row that the harness failed on stop a run: it is the machine.
IN_A_ROW = 3


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

    set, policy: what tables call them; by default the last two folders of `out`.
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

    @property
    def identity(self) -> dict[str, Any]:
        """What a folder of records belongs to. Samples may be added; the bootstrap's seed changes no record."""
        kept = ("protocol", "prompt_hash", "judge", "metric_version")
        return {**self.who, **{name: getattr(self.provenance, name) for name in kept}}


def evaluate(run: Run, reply: Callable[[list[Sample]], Iterable[str | None]]) -> dict:
    """Ask, score, write; gives the summary that `DIR/summary.json` holds.

    `reply` takes samples and gives one text each, None where the policy itself failed.
    """
    with owned(run.out):
        claim(run.out, run.identity, begun=REPLIES)
        (run.out / "renders").mkdir(exist_ok=True)
        replies = ask(run, reply)
        # Judge or harness that failed are asked again; what was measured is not measured twice.
        done = {i for i, result in read_results(run.out).items() if result.outcome not in OURS}
        failed = score(run, [s for s in run.samples if s.id not in done], replies)
        # A machine that was short of something for a while may have it by now.
        failed = score(run, failed, replies) if failed else []
        if failed and len(failed) == len(run.samples):
            raise UserError(_broken(read_results(run.out)[failed[0].id].message))
        return write_summary(run)


def score(run: Run, todo: list[Sample], replies: dict[str, str | None]) -> list[Sample]:
    """Score samples and append their results; gives those that the harness failed on. UserError for `IN_A_ROW` of these."""
    failed: list[Sample] = []
    row = 0
    pool = ThreadPoolExecutor(run.workers)
    try:
        with append_lines(run.out / RECORDS) as file:
            scored = pool.map(lambda s: score_sample(run, s, replies[s.id]), todo)
            for result, sample in zip(
                tqdm(scored, total=len(todo), desc=f"score {run.out.name}", unit="sample"), todo, strict=True
            ):
                file.write(result.model_dump_json() + "\n")
                file.flush()
                ours = result.outcome == "harness_error"
                failed += [sample] if ours else []
                row = row + 1 if ours else 0
                if row == IN_A_ROW:
                    raise UserError(_broken(result.message))
    finally:
        # Who is interrupted waits for no sample: one may wait for a judge that is away, till that client closes.
        pool.shutdown(wait=False, cancel_futures=True)
    return failed


def _broken(message: str) -> str:
    return f"nothing can be rendered here ({message}): see `rrvf doctor`, then run again; what was written is kept"


def ask(run: Run, reply: Callable[[list[Sample]], Iterable[str | NoReply | None]]) -> dict[str, str | NoReply | None]:
    """Every sample's reply, from disk where it was paid for already."""
    path = run.out / REPLIES
    known = {x["id"]: NoReply(x["problem"]) if x.get("problem") else x["reply"] for x in json_lines(path)}
    blocks = [run.samples[i : i + BLOCK] for i in range(0, len(run.samples), BLOCK)]
    for block in tqdm(blocks, desc=f"ask {run.out.name}", unit="block"):
        if all(s.id in known for s in block):
            continue
        answers = dict(zip((s.id for s in block), reply(block), strict=True))
        known |= answers
        with append_lines(path) as file:
            file.writelines(json.dumps({"id": i, **_line(text)}) + "\n" for i, text in answers.items())
    return known


def _line(reply: str | NoReply | None) -> dict:
    return {"reply": None, "problem": reply.reason} if isinstance(reply, NoReply) else {"reply": reply}


def score_sample(run: Run, sample: Sample, reply: str | NoReply | None) -> SampleResult:
    """One sample's outcome. A failed judge is `judge_error`, a failed harness `harness_error`: no number is left behind."""
    text = reply if isinstance(reply, str) else ""
    fields = {"sample_id": sample.id, "reply": text, "provenance": run.provenance}
    try:
        read_picture(run.root / sample.image)
        reference = (run.root / sample.code).read_text() if sample.code else None
        run.benchmark.check(reference)
    except HarnessError as error:
        return SampleResult(outcome="harness_error", message=str(error), **fields)
    except (UserError, OSError, UnicodeDecodeError) as error:
        return SampleResult(outcome="excluded", message=f"the reference cannot be used: {error}", **fields)
    if not isinstance(reply, str):
        why = reply.reason if reply else "the policy gave no reply"
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
    by_id = read_results(run.out)
    results = [by_id[s.id] for s in run.samples]
    outcomes = dict.fromkeys(get_args(Outcome), 0)
    for result in results:
        outcomes[result.outcome] += 1
    excluded = {r.sample_id: r.message for r in results if r.outcome == "excluded"}
    tell_excluded(excluded, len(results))
    summary = {
        "n": len(results) - len(excluded),
        "excluded": len(excluded),
        "benchmark": run.benchmark.name,
        "set": run.set or run.out.parent.name,
        "policy": run.policy or run.out.name,
        "outcomes": outcomes,
        "pasted": sum(result.pasted for result in results),
        "metrics": run.benchmark.summary(results, run.provenance.seed),
        "provenance": run.provenance.model_dump(),
    }
    partial = run.out / "summary.json.partial"
    partial.write_text(json.dumps(summary, indent=1) + "\n")
    partial.rename(run.out / "summary.json")
    return summary


def read_results(out: Path) -> dict[str, SampleResult]:
    """The results of a run by sample id; the last line of a sample counts."""
    results = (SampleResult.model_validate(line) for line in json_lines(out / RECORDS))
    return {r.sample_id: r for r in results}


def append_lines(path: Path) -> TextIO:
    """Open a JSON-lines file to append to, past whatever a kill left of its last line."""
    cut = path.is_file() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
    file = path.open("a")
    if cut:
        file.write("\n")
    return file


def local_replies(policy, root: Path, prompt: str) -> Callable[[list[Sample]], list[str | None]]:
    """`reply` for a policy that looks at pictures; None for one that nobody can look at."""

    def reply(samples: list[Sample]) -> list[str | None]:
        pictures = {}
        for sample in samples:
            with suppress(UserError):
                pictures[sample.id] = read_picture(root / sample.image)
        texts = dict(zip(pictures, policy.reply(list(pictures.values()), prompt) if pictures else [], strict=True))
        return [texts.get(s.id) for s in samples]

    return reply


def oracle_replies(policy, root: Path) -> Callable[[list[Sample]], list[str | None]]:
    """`reply` for the calibration rows, which look at the true code; none for a sample without."""
    return lambda samples: [policy.answer((root / s.code).read_text()) if s.code else None for s in samples]
