"""Merges the parts of one evaluation that ran on several machines: `rrvf merge OUT PART PART ...`."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

from rrvf.benchmarks.registry import summarised
from rrvf.benchmarks.results import read_results, write_summary_of
from rrvf.benchmarks.run import RECORDS, REPLIES
from rrvf.errors import UserError
from rrvf.folders import IDENTITY, claim, owned
from rrvf.outputs import out_folder, say, whole
from rrvf.records import json_lines


def merge(out: Path, parts: list[Path]) -> dict:
    """Join the finished parts (`rrvf eval --shard i/n`) into `out`. Returns the summary, equal to that of one run.

    The parts are not changed. UserError where a part is missing, unfinished, named twice, or of another run.
    """
    if out.resolve() in {part.resolve() for part in parts}:
        raise UserError(
            f"{out} is one of the parts, and parts are not changed: name another folder first, for the merged run"
        )
    summaries = [_summary(part) for part in parts]
    ids = _in_order(parts, summaries)
    identity = _identity(parts)
    if len({json.dumps(s["provenance"]["versions"], sort_keys=True) for s in summaries if s.get("provenance")}) > 1:
        say(f"the parts were made with different versions of libraries; the summary names those of {parts[0]}")
    with owned(out_folder(out)):
        claim(out, identity, begun=REPLIES)
        for name in (REPLIES, RECORDS):
            _joined(out / name, [part / name for part in parts])
        (out / "renders").mkdir(exist_ok=True)
        for part in parts:
            for picture in (part / "renders").glob("*.png"):
                shutil.copyfile(picture, out / "renders" / picture.name)
        results = read_results(out, scores_only=True)
        first, ordered = summaries[0], [results[i] for i in ids]
        head = {name: first.get(name) for name in ("benchmark", "set", "policy", "provenance")}
        head["domain"] = next((s["domain"] for s in summaries if s.get("domain")), None)  # an empty part has none
        if results.keys() - set(ids):
            head["ids"] = ids
        return write_summary_of(out, head, ordered, partial(summarised, first["benchmark"]))


def _summary(part: Path) -> dict:
    try:
        found = json.loads((part / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(f"{part} holds no finished evaluation: run it to its end first") from None
    if "shard" not in found:
        raise UserError(f"{part} is a whole evaluation, no part of one: parts are made with `rrvf eval --shard i/n`")
    return found


def _in_order(parts: list[Path], summaries: list[dict]) -> list[str]:
    """All sample ids in the order of one run: part i of n took every n-th sample, from the i-th."""
    shards = {s["shard"]["number"]: s["shard"] for s in summaries}
    of = summaries[0]["shard"]["of"]
    if {s["shard"]["of"] for s in summaries} != {of} or len(shards) < len(summaries):
        raise UserError(f"{', '.join(map(str, parts))} are not the parts of one evaluation: name each part once")
    if missing := [f"{i}/{of}" for i in range(1, of + 1) if i not in shards]:
        raise UserError(f"part {', '.join(missing)} is missing: name it too")
    ids = [""] * sum(len(shard["ids"]) for shard in shards.values())
    for number, shard in shards.items():
        if len(ids[number - 1 :: of]) != len(shard["ids"]):
            raise UserError(
                f"part {number}/{of} has another number of pictures than expected: run all parts with the same --limit"
            )
        ids[number - 1 :: of] = shard["ids"]
    if len(set(ids)) < len(ids):
        raise UserError("some pictures are in two parts: run all parts on the same pictures")
    return ids


def _identity(parts: list[Path]) -> dict:
    """The identity that all parts share. UserError where they differ."""
    try:
        found = [json.loads((part / IDENTITY).read_text(encoding="utf-8")) for part in parts]
    except (OSError, ValueError):
        raise UserError(f"a part has no readable {IDENTITY}, which says what it is: run it again") from None
    for part, other in zip(parts[1:], found[1:], strict=True):
        if different := [name for name in {**found[0], **other} if found[0].get(name) != other.get(name)]:
            raise UserError(f"{parts[0]} and {part} are parts of two runs: they differ in {', '.join(different)}")
    return found[0]


def _joined(path: Path, files: list[Path]) -> None:
    """Write the lines of all `files` to `path`, whole or not at all."""
    with whole(path) as partial, partial.open("w", encoding="utf-8") as file:
        for line in (line for source in files for line in json_lines(source)):
            file.write(json.dumps(line) + "\n")
