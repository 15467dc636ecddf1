"""What an evaluation consists of: a benchmark, pictures, a judge, and a folder for the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rrvf.policies import Answer, Keep, NoReply
from rrvf.records import Judgement, Provenance, Render, Sample, SampleResult
from rrvf.rollout import JudgeLike

#: Pictures per call of the policy.
BLOCK = 32
REPLIES, RECORDS = "replies.jsonl", "records.jsonl"
#: Outcomes that say nothing about the policy. They are not scored, and the next run tries these samples again.
OURS = ("judge_error", "harness_error", "excluded")

#: Asks a policy: samples in, one answer each out, in order, all at once or one by one. An endpoint's answers arrive in
#: any order, so it returns a function of `Keep` instead, and passes each answer to `Keep` the moment it arrives.
Replies = Callable[[list[Sample]], Iterable[str | NoReply | Answer | None] | Callable[[Keep], Iterable[Answer]]]


class Benchmark(Protocol):
    """How code is extracted from a reply, what is measured, and how it is averaged."""

    name: str
    protocol: str

    def extract(self, reply: str) -> str | None:
        """The code in a reply, or None."""

    def check(self, reference: str | None) -> None:
        """UserError where nothing can be measured against the true code."""

    def score(self, sample: Sample, reference: str | None, code: str) -> tuple[Render, dict[str, float | None]]:
        """Render the code and measure it against the sample: all metrics but the judge's score.

        reference: the true code; None where the set has none. The metric `exec` is 1 where the code ran, else 0.
        """

    def judge_score(self, judgement: Judgement) -> float:
        """The judge's score in [0, 1], converted to the benchmark's own scale."""

    def summary(self, results: list[SampleResult], seed: int) -> dict[str, dict[str, float | None]]:
        """Each metric's value with its 95 % interval. seed: of the bootstrap."""


@dataclass(frozen=True)
class Run:
    """What an evaluation needs besides the policy.

    samples: the pictures to redraw. root: the folder that their paths are relative to. out: the folder of the results.
    workers: renders at once. judging: comparisons at once, beside the renders.
    who: the policy with its weights, the pictures and the decoding; part of the folder's `identity`.
    set, policy: their names in the tables; by default the last two folders of `out`.
    block: samples per call of the policy. A block with a missing answer is asked as a whole, so that a resumed run
    batches as an uninterrupted run does. None: all missing answers in one call, and no sample is asked twice.
    longest_first: the largest pictures first. Pictures of like size are then batched together, and no long one is left
    for the end.
    shard: (i, n) where the samples are the i-th of n parts. turn: the turn of the episodes that the answers are from.
    """

    benchmark: Benchmark
    samples: list[Sample]
    root: Path
    judge: JudgeLike
    provenance: Provenance
    out: Path
    workers: int = 2
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
        """What must be equal to continue in a folder. Samples may be added; the bootstrap's seed changes no record."""
        kept = ("protocol", "prompt_hash", "judge", "metric_version")
        return {**self.who, **{name: getattr(self.provenance, name) for name in kept}}
