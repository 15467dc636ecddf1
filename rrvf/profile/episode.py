"""What an episode is made with: who draws, who compares, on what canvas and for what reward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model

from rrvf.domains import DOMAINS, Canvas, Domain
from rrvf.profile.section import Section
from rrvf.records import PASTED_ABOVE


class PolicyConfig(Section):
    """The policy to train: a local folder or a hub id, and how it is prompted."""

    model: str = Field(description="`nano` (the shipped checkpoint), a folder, or a hub id")
    prompts: Literal["full", "nano"] = Field(
        default="full", description="which prompts it gets: `full` for real models, `nano` for the shipped one"
    )
    dtype: Literal["float32", "bfloat16", "auto"] = Field(
        default="bfloat16", description="of the weights; `auto`: bfloat16 where the hardware computes in it"
    )
    autocast: bool | Literal["auto"] = Field(
        default=False,
        description="bfloat16 autocast in training; `auto`: where that is faster, so a run that is resumed on another "
        "kind of machine may change its precision; true or false fixes it",
    )
    lora_rank: int | None = Field(
        default=None, ge=1, description="rank of the LoRA adapters; None: all weights are trained"
    )


class JudgeConfig(Section):
    """Who compares. `url` None starts the embedded judge in a process of its own."""

    model: str | None = Field(default=None, description="None: the first model that the endpoint names")
    url: str | None = Field(
        default=None,
        description="of an OpenAI-compatible server, or of several of one model with commas; None: the embedded judge",
    )
    revision: str = Field(
        default="", description="of the endpoint's weights, which no endpoint reports: part of the judge's card"
    )
    max_in_flight: int = Field(default=32, description="parallel requests")
    timeout_s: float = Field(default=60.0, description="time limit of one request, in seconds; then it is retried")
    outage_s: float = Field(default=1800.0, description="seconds that a run waits for a judge that cannot be reached")
    # Not dumped: where a judge is served, and by whose key, changes no result, and so no hash.
    key: str = Field(
        default="RRVF_JUDGE_API_KEY", exclude=True, description="the environment variable that holds its API key"
    )
    serve: bool = Field(
        default=False,
        exclude=True,
        description="`make reproduce` serves `model` at `url` itself, on the policy's own GPU (reproduce/judges)",
    )

    @property
    def identity(self) -> dict[str, str | None]:
        """Which judge it is; where it is served, and how long it is waited for, changes no score."""
        return {"model": self.model or self.url, "revision": self.revision}


def _canvas_field(domain: Domain) -> tuple[Any, Any]:
    # Left out where it says nothing, so that a new domain changes the hash of no profile; the paper's two always stand.
    told = f"canvas of {domain.suffix} code; null: the code's own size"
    hidden = lambda canvas: canvas is None and not domain.of_paper  # noqa: E731
    return Canvas | None, Field(default=None, description=told, exclude_if=hidden)


if TYPE_CHECKING:
    CanvasConfig = Section
else:
    CanvasConfig = create_model(
        "CanvasConfig",
        __base__=Section,
        __doc__="Picture size per domain; None leaves it to the code.",
        **{name: _canvas_field(domain) for name, domain in DOMAINS.items()},
    )


class RewardConfig(Section):
    """Eq. (2). `preset` names the weights (decisions D2); penalty sizes are D4."""

    preset: Literal["paper_abs", "literal", "deepeyes"] = Field(
        default="paper_abs", description="the weights of the three terms (decisions D2)"
    )
    format_penalty: float = Field(default=-1.0, description="R_format where the final code does not run or is missing")
    tool_step: float = Field(default=1 / 3, description="R_tool of each tool call that rendered, up to 1 in all")
    tool_full_above: float = Field(default=0.95, description="a similarity above this sets R_tool to 1")
    pasted_above: float = Field(
        default=PASTED_ABOVE,
        ge=0,
        le=1,
        description="R_vision is 0 where a larger share of the picture is pasted data; 1: no bound",
    )
