"""The settings of an episode: policy, judge, canvas and reward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model

from rrvf.domains import DOMAINS, Canvas, Domain
from rrvf.profile.section import Section, unset
from rrvf.records import PASTED_ABOVE


class PolicyConfig(Section):
    """The policy to train: a local folder or a hub id, and how it is prompted."""

    model: str = Field(description="`nano` (the shipped checkpoint), a folder, a hub id, or ID@COMMIT")
    prompts: Literal["full", "nano"] = Field(
        default="full", description="which prompts it gets: `full`, or `nano` for the shipped checkpoint"
    )
    dtype: Literal["float32", "bfloat16", "auto"] = Field(
        default="bfloat16", description="dtype of the weights; `auto`: bfloat16 if the hardware computes in it"
    )
    autocast: bool | Literal["auto"] = Field(
        default=False,
        description="bfloat16 autocast in training; `auto`: if the machine is faster with it, so a run resumed "
        "on another kind of machine may change its precision; true or false fixes it",
    )
    lora_rank: int | None = Field(
        default=None, ge=1, description="rank of the LoRA adapters; None: all weights are trained"
    )


class JudgeConfig(Section):
    """The judge. `url` None starts the embedded judge in a separate process."""

    model: str | None = Field(default=None, description="the model to ask; None: the first that the endpoint lists")
    url: str | None = Field(
        default=None,
        description="OpenAI-compatible endpoint, or several of one model with commas; None: the embedded judge",
    )
    revision: str = Field(
        default="",
        description="revision of the endpoint's weights, which no endpoint reports; part of the judge's card",
    )
    max_in_flight: int = Field(default=32, ge=1, description="parallel requests")
    timeout_s: float = Field(
        default=60.0, gt=0, description="seconds without a byte until a request fails; then it is retried"
    )
    outage_s: float = Field(default=1800.0, description="seconds that a run waits for a judge that cannot be reached")
    # Excluded from dumps, and so from the hash: the API key, and whether the run serves the judge, change no result.
    key: str = Field(
        default="RRVF_JUDGE_API_KEY", exclude=True, description="the environment variable that holds its API key"
    )
    serve: bool = Field(
        default=False,
        exclude=True,
        description="`make reproduce` serves `model` at `url` itself, on the policy's GPU (reproduce/judges)",
    )

    @property
    def gpu_left(self) -> float:
        """The share of a GPU's memory that a policy's server may take beside this judge."""
        return 0.55 if self.serve else 0.9

    @property
    def identity(self) -> dict[str, str | None]:
        """What decides the judge's scores: the model (if none is named, the URL in its place) and the revision."""
        return {"model": self.model or self.url, "revision": self.revision}


def _canvas_field(domain: Domain) -> tuple[Any, Any]:
    # Unset canvases of new domains are not dumped, so a new domain changes no profile's hash. The paper's two domains
    # are always dumped.
    description = f"canvas of {domain.suffix} code; null: the code's own size"
    missing = lambda canvas: canvas is None and not domain.of_paper  # noqa: E731
    return Canvas | None, Field(default=None, description=description, exclude_if=missing)


if TYPE_CHECKING:
    CanvasConfig = Section
else:
    CanvasConfig = create_model(
        "CanvasConfig",
        __base__=Section,
        __doc__="Picture size per domain; None: the code decides.",
        **{name: _canvas_field(domain) for name, domain in DOMAINS.items()},
    )


class RewardConfig(Section):
    """The reward, Eq. (2). For `preset` see decisions D2, for the penalty D4."""

    preset: Literal["paper_abs", "literal", "deepeyes"] = Field(
        default="paper_abs", description="the weights of the three terms (decisions D2)"
    )
    format_penalty: float = Field(default=-1.0, description="R_format if the final code is missing or does not run")
    tool_step: float = Field(default=1 / 3, description="R_tool per tool call that rendered, at most 1 in total")
    tool_full_above: float = Field(default=0.95, description="a similarity above this sets R_tool to 1")
    tool_above: float | None = Field(
        default=None,
        exclude_if=unset,
        description="R_tool is paid only above this similarity (the gate of DeepEyes); None: always",
    )
    pasted_above: float = Field(
        default=PASTED_ABOVE,
        ge=0,
        le=1,
        description="R_vision is 0 if a larger share of the picture is pasted data; 1: no bound",
    )
