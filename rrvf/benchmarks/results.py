"""The results of a run: reads `DIR/records.jsonl` and writes `DIR/summary.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from rrvf.benchmarks.run import OURS, RECORDS, REPLIES, Run
from rrvf.errors import UserError
from rrvf.outputs import whole
from rrvf.prices import price
from rrvf.records import WITHOUT_TEXTS, Outcome, SampleResult, Trajectory, Turn, Usage, json_lines
from rrvf.references import tell_excluded


def write_summary(run: Run) -> dict:
    """Write `DIR/summary.json` from `DIR/records.jsonl` and return it. Results are in the order of the samples."""
    by_id = read_results(run.out, scores_only=True)
    results = [by_id[s.id] for s in run.samples]
    head = {
        "benchmark": run.benchmark.name,
        "set": run.set or run.out.parent.name,
        "policy": run.policy or run.out.name,
        "domain": run.samples[0].domain if run.samples else None,
        "provenance": run.provenance.model_dump(),
    } | _part_of(run, by_id.keys() - {s.id for s in run.samples})
    return write_summary_of(run.out, head, results, run.benchmark.summary)


def write_summary_of(
    out: Path, head: dict, results: list[SampleResult], summarised: Callable[[list[SampleResult], int], dict]
) -> dict:
    """Write `out/summary.json` and return it.

    head: what identifies the run, with its provenance. summarised: the metrics of results, given the bootstrap's seed.
    UserError if there is no result to average: judge or harness failed on all, or all samples are excluded. A shard may
    be empty or all excluded.
    """
    outcomes = dict.fromkeys(get_args(Outcome), 0)
    for result in results:
        outcomes[result.outcome] += 1
    excluded = {r.sample_id: r.message for r in results if r.outcome == "excluded"}
    if "shard" not in head:  # a part may hold nothing to score
        tell_excluded(excluded, len(results))
    if len(results) > len(excluded) and all(r.outcome in OURS for r in results):
        why = next(r.message for r in results if r.outcome != "excluded")
        raise UserError(f"{out}: no sample was scored ({why}): mend that and run it again; what was written is kept")
    provenance = head.pop("provenance")
    pasted = sum(result.pasted for result in results)
    metrics, usage = summarised(results, provenance["seed"]), usage_of(out, written_results(out))
    summary = {"n": len(results) - len(excluded), "excluded": len(excluded), **head, "outcomes": outcomes,
               "pasted": pasted, "metrics": metrics, "usage": usage, "provenance": provenance}  # fmt: skip
    with whole(out / "summary.json") as partial:
        partial.write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def _part_of(run: Run, more: Collection[str]) -> dict:
    """The turn, the shard and, where there are `more` results, the samples that a run covers; else empty."""
    part: dict[str, Any] = {} if run.turn is None else {"turn": run.turn}
    if more:
        part["ids"] = [sample.id for sample in run.samples]
    if run.shard is not None:
        number, of = run.shard
        part["shard"] = {"number": number, "of": of, "ids": [sample.id for sample in run.samples]}
    return part


def usage_of(out: Path, results: Iterable[SampleResult | Trajectory | Turn]) -> dict[str, dict]:
    """The summed usage of the policy's and of the judge's calls, with their price.

    Calls without a `usage` field are not counted.
    """
    policy = (Usage.model_validate(line["usage"]) for line in json_lines(out / REPLIES) if line.get("usage"))
    judge = (r.judgement.usage for r in results if r.judgement and r.judgement.usage)
    sums = {"policy": sum(policy, Usage()), "judge": sum(judge, Usage())}
    return {who: usage.model_dump() | price(usage) for who, usage in sums.items() if usage.calls}


def read_results(out: Path, scores_only: bool = False) -> dict[str, SampleResult]:
    """The results of a run by sample id. The last line of a sample counts.

    scores_only: without answer, render, judgement and provenance, which take most of the memory of a large run.
    """
    return {r.sample_id: r for r in written_results(out, scores_only)}


def written_results(out: Path, scores_only: bool = False) -> Iterator[SampleResult]:
    """Every result that was written. A sample that was scored again appears each time, since each time was paid for.

    UserError for a line that is no result. A last line that a kill cut is left out.
    """
    dropped = WITHOUT_TEXTS | dict.fromkeys(("render", "judgement", "provenance")) if scores_only else {}
    for line in json_lines(out / RECORDS):
        try:
            yield SampleResult.model_validate(line | dropped)
        except ValidationError:
            raise UserError(
                f"{out / RECORDS} holds a line that is not a result: remove it and run the evaluation again"
            ) from None
