"""Asks a policy for its answers and keeps them in `DIR/replies.jsonl`, so that no answer is paid for twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod

from rrvf.benchmarks.lines import Lines
from rrvf.benchmarks.replies import UNREAD, picture_of
from rrvf.benchmarks.run import REPLIES, Replies, Run
from rrvf.pictures import picture_size
from rrvf.policies import Answer, NoReply
from rrvf.records import Sample, Usage

_NONE = object()


def answers(run: Run, reply: Replies) -> Iterator[tuple[Sample, Answer]]:
    """Every sample with its answer: read from disk where it is there, else asked for and written down on arrival."""
    known = Lines(run.out / REPLIES)
    for block in _blocks(run, known):
        missing = (s for s in block if s.id not in known and picture_of(run.root, s))
        new = reply(block) if any(missing) else ()
        keep = partial(_keep, known, block)
        if told := callable(new):
            new = new(keep)
        if isinstance(new, list):  # the whole block is paid for, so it is written before anything can stop the run
            for place, answer in zip(range(len(block)), map(_answer, new), strict=True):
                if not answer.failed:
                    keep(place, answer)
            told = True
        made = iter(new)
        for place, sample in enumerate(block):
            if (given := next(made, _NONE)) is not _NONE:
                answer = _answer(given)
                if answer.failed:
                    yield sample, answer
                    continue
                if not (told and sample.id in known):
                    keep(place, answer)
            yield sample, answer_of(known[sample.id]) if sample.id in known else UNREAD


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
    """An answer as a line of `replies.jsonl`, without its `id`."""
    told = {"problem": answer.problem} if answer.problem else {}
    return {"reply": answer.text, **told, **({"usage": answer.usage.model_dump()} if answer.usage else {})}


def answer_of(line: dict) -> Answer:
    """The answer that a line of `replies.jsonl` holds."""
    usage = line.get("usage")
    return Answer(line["reply"], line.get("problem", ""), Usage.model_validate(usage) if usage else None)
