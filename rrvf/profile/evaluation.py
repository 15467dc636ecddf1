"""The settings of an evaluation set."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from rrvf.domains import DomainName
from rrvf.profile.section import Section, unset


class EvalSet(Section):
    """One evaluation set: a benchmark's rules, the pictures, and their table (4: pictures without code)."""

    benchmark: Literal["chartmimic", "plot2code", "websight", "pictures"] = Field(
        description="whose prompt, metrics and averages are used; `pictures` needs no true code"
    )
    dataset: str = Field(description="the split of `data`")
    table: Literal[1, 2, 3, 4] = Field(description="the table of the report that holds its rows")
    title: str = Field(description="its name in that table")
    domain: DomainName = Field(description="what the pictures show")
    limit: int | None = Field(default=None, ge=1, description="only the first pictures; null: all")
    owned_canvas: bool = Field(default=False, description="render on the profile's canvas, not in the code's own size")
    max_new_tokens: int = Field(default=4_096, ge=1, description="tokens of one reply of the policy")
    prompt: Literal["own", "benchmark"] = Field(
        default="own", exclude_if=unset, description="prompt of the policy: this project's or the benchmark's"
    )
    judge_prompt: Literal["own", "official"] = Field(
        default="own",
        exclude_if=unset,
        description="prompt of the judge: our rubric, or the benchmark's official one (rrvf data prompts)",
    )
    timeout_s: float | None = Field(
        default=None, gt=0, exclude_if=unset, description="seconds per render; None: as in training, 10 s"
    )
    repetition_penalty: float | None = Field(
        default=None, gt=0, exclude_if=unset, description="of the policy's decoding; None: as its checkpoint says"
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.benchmark not in ("chartmimic", "plot2code") and (self.prompt, self.judge_prompt) != ("own", "own"):
            raise ValueError(f"the benchmark {self.benchmark} has no prompts: leave out prompt and judge_prompt")
        return self
