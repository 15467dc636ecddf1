"""The frozen, typed records that pass between the parts of rrvf and are stored as JSON.

`model_dump_json()` writes a record, `model_validate_json()` reads it. Pictures (PNG bytes) are never part of the JSON.
A file of records has one record per line (`json_lines`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rrvf.domains import DomainName

#: How a sample ends. The last three say nothing about the policy: the sample has no score and is tried again.
#: `excluded`: its reference cannot be used (`rrvf.references`).
Outcome = Literal["scored", "policy_error", "render_error", "judge_error", "harness_error", "excluded"]

#: Why a render failed. Renderers give no other reason.
RenderReason = Literal[
    "syntax_error",  # the code does not parse
    "exception",  # the code raised
    "exit",  # the code left with an error, or before it had drawn, or ended its process
    "timeout",  # wall or CPU time ran out
    "memory",  # the memory limit was reached
    "limit",  # another limit: code size, processes, file size, picture size, output
    "forbidden",  # the code tried what the sandbox denies and died of it
    "no_figure",  # it ran, but drew nothing that can be saved
    "blank",  # the picture is one flat colour
    "navigation",  # the page could not be loaded or left its address
    "crash",  # the interpreter or the browser died
]


#: A render with a larger pasted share is flagged: its picture was copied into the code, not drawn by it
#: (`rrvf.render.pasted`).
PASTED_ABOVE = 0.25


def storable(text: str) -> str:
    """`text` with lone surrogates replaced by U+FFFD: JSON can express them, but a UTF-8 file cannot hold them."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def picture_name(sample_id: str) -> str:
    """The file name of a sample's picture in `renders/`: its id without characters that a file name cannot hold.

    A name that had to change ends with a hash of the id, so that `a/b` and `a__b` differ.
    """
    stored = storable(sample_id)
    name = re.sub(r"[/\0-\x1f\x7f]", "__", stored)
    if name != stored or len(name.encode()) > 200:  # most file systems allow 255 bytes
        name = f"{name[:50]}-{hashlib.sha256(stored.encode()).hexdigest()[:12]}"
    return name + ".png"


class Record(BaseModel):
    """Base of all records: frozen, without unknown keys, and with texts that a UTF-8 file can hold (`storable`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*")
    @classmethod
    def _storable(cls, value: object) -> object:
        return storable(value) if isinstance(value, str) else value


class Sample(Record):
    """One picture to redraw. `code` is its label. It is known for some sets, and RRVF training never uses it."""

    id: str
    domain: DomainName
    split: str
    image: str = Field(description="path of the PNG, relative to its manifest")
    sha256: str = Field(description="of the PNG file")
    phash: str = Field(description="64-bit perceptual hash, hex")
    source: str = Field(description="where it comes from, with its revision")
    licence: str
    code: str | None = Field(default=None, description="path of the true code, relative to the manifest")


class Render(Record):
    """The outcome of one render.

    `png` is set when `status` is ok and a picture was asked for, `items` when a trace was asked for. A `render_error`
    is the fault of the code and has a reason. A `harness_error` is our fault and says nothing about the code.
    """

    status: Literal["ok", "render_error", "harness_error"]
    reason: RenderReason | None = None
    message: str = Field(default="", description="safe to show to a policy: short, no paths, no chat tokens")
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    png: bytes | None = Field(default=None, exclude=True, repr=False)
    items: dict | None = Field(default=None, exclude=True, repr=False)
    pasted_share: float | None = Field(
        default=None, description="the share of the picture that can come from data pasted into the code"
    )
    unseeded: tuple[str, ...] = Field(
        default=(), description="charts: calls in the code whose value differs between runs, such as clocks"
    )

    @property
    def ok(self) -> bool:
        """Whether the render succeeded."""
        return self.status == "ok"

    @model_validator(mode="after")
    def _has_a_reason_or_needs_none(self) -> Self:
        if (self.reason is not None) != (self.status == "render_error"):
            raise ValueError("a render_error has a reason, and nothing else has one")
        return self


class Usage(Record):
    """The calls and tokens of a model, as counted by its endpoint.

    `models`: the names of the models that answered. They may differ from the name that was asked.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = Field(default=0, description="including reasoning tokens")
    models: tuple[str, ...] = ()

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            models=tuple(dict.fromkeys((*self.models, *other.models))),
        )


class Judgement(Record):
    """A judge's answer on one pair: a score in [0, 1] with its parts, feedback, or `judge_error` with a reason.

    There is no default score.
    """

    status: Literal["ok", "judge_error"]
    score: float | None = Field(default=None, ge=0.0, le=1.0)
    parts: dict[str, float] = {}
    feedback: str = ""
    spread: dict[str, float] = Field(default={}, description="of a panel: how far apart its scores of the pair are")
    reason: str | None = None
    judge: str = Field(default="", description="judge card id: model, revision, prompt hash, sampling")
    seconds: float = 0.0
    usage: Usage | None = Field(default=None, exclude_if=lambda usage: usage is None)

    @property
    def ok(self) -> bool:
        """Whether the judge answered."""
        return self.status == "ok"


class RewardTerms(Record):
    """The terms of Eq. (2) before weighting, and their weighted sum.

    vision and total are None where judge or harness failed. The sample then leaves its group.
    """

    vision: float | None
    format: float
    tool: float
    total: float | None


class Turn(Record):
    """One turn of Alg. 1: the policy's text, the action parsed from it, and its render, judgement and feedback."""

    text: str
    action: Literal["tool_call", "answer", "none"]
    code: str | None = None
    problem: str | None = Field(default=None, description="why no action was found; None where one was")
    render: Render | None = None
    judgement: Judgement | None = Field(default=None, description="of a draft that was rendered")
    feedback: str | None = None


class Trajectory(Record):
    """One episode: a picture, up to T_max turns, the final code (C_final of Alg. 1) and its judgement."""

    sample_id: str
    domain: DomainName
    turns: tuple[Turn, ...]
    final_code: str | None
    final_render: Render | None = None
    judgement: Judgement | None = None
    reward: RewardTerms | None = None

    @property
    def tool_calls(self) -> int:
        """The number of tool calls that rendered, which R_tool counts."""
        return sum(t.action == "tool_call" and t.render is not None and t.render.ok for t in self.turns)

    @property
    def harness_error(self) -> str | None:
        """The renderer's own failure on a draft or the answer, so that the episode does not count; None without one."""
        renders = [*(t.render for t in self.turns), self.final_render]
        return next((r.message for r in renders if r is not None and r.status == "harness_error"), None)


class Provenance(Record):
    """What produced a result. Two results compare only where these fields agree."""

    protocol: str
    prompt_hash: str
    judge: str
    metric_version: str
    versions: dict[str, str]
    seed: int
    profile_hash: str
    judge_protocol: str = Field(
        default="rrvf-rubric", description="how the judge is asked; scores of two protocols do not compare"
    )
    choices: dict[str, str] = Field(
        default={}, description="other choices that change the numbers, for the head of a table"
    )


class SampleResult(Record):
    """One evaluated sample, with one of six outcomes. `metrics` is complete exactly when `outcome` is scored."""

    sample_id: str
    outcome: Outcome
    reply: str = ""
    code: str | None = None
    metrics: dict[str, float | None] = {}
    render: Render | None = None
    judgement: Judgement | None = None
    message: str = ""
    pasted: bool = Field(
        default=False, description="flag: the picture was copied into the code; it is scored all the same"
    )
    provenance: Provenance | None = None


#: The long fields of a `SampleResult`, emptied.
WITHOUT_TEXTS: dict[str, str | None] = {"reply": "", "code": None}


class TableRow(Record):
    """One row of a table. `values` and `intervals` have the columns as keys. None is printed as a dash."""

    model: str
    values: dict[str, float | None]
    intervals: dict[str, tuple[float, float]] = {}
    starred: tuple[str, ...] = Field(default=(), description="columns whose values the original benchmark reported")
    ranked: bool = Field(default=True, description="takes part in the ranking: best, second best")


class Claim(Record):
    """A claim of the paper as an inequality between two table cells, and whether our results support it."""

    id: str
    statement: str
    paper_holds: bool | None
    ours: Literal["supported", "not_supported", "undecided", "not_run"]


def json_lines(path: Path) -> Iterator[dict]:
    """The objects of a JSON-lines file. A missing file has none. A line cut by a kill is left out."""
    if not path.is_file():
        return
    # As bytes: a line may be cut within a character, and text would split at a U+2028, which pydantic does not escape.
    with path.open("rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                continue
