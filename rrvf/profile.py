"""One typed configuration, in YAML: `reproduce/profiles/{nano,gpu,paper}.yaml`. Its hash stands in every result."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rrvf.domains import Canvas
from rrvf.errors import UserError
from rrvf.records import PASTED_ABOVE

#: Settings of a training that change no weight.
WITHOUT_EFFECT = {"save_every", "guards"}
PROFILES = Path(__file__).parent.parent / "reproduce" / "profiles"


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PolicyConfig(Section):
    """The policy to train: a local folder or a hub id, and how it is prompted."""

    model: str = Field(description="`nano` (the shipped checkpoint), a folder, or a hub id")
    prompts: Literal["full", "nano"] = "full"
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    autocast: bool = Field(default=False, description="train in bfloat16 over the weights as they are")
    lora_rank: int | None = Field(
        default=None, ge=1, description="of the adapters that are trained; None: all weights are"
    )


class JudgeConfig(Section):
    """Who compares. `url` None starts the embedded judge in a process of its own."""

    model: str | None = Field(default=None, description="None: the first model that the endpoint names")
    url: str | None = None
    revision: str = Field(default="", description="of the endpoint's weights, which it does not tell: part of the card")
    max_in_flight: int = 32
    timeout_s: float = 60.0
    outage_s: float = Field(default=1800.0, description="how long a run pauses for a judge that cannot be reached")

    @property
    def identity(self) -> dict[str, str | None]:
        """Whose word it is, wherever it is served and however it is waited for."""
        return {"model": self.model or self.url, "revision": self.revision}


class CanvasConfig(Section):
    """Picture size per domain; None leaves it to the script or page."""

    chart: Canvas | None = None
    web: Canvas | None = None


class RewardConfig(Section):
    """Eq. (2). `preset` names the weights (decisions D2); penalty sizes are D4."""

    preset: Literal["paper_abs", "literal", "deepeyes"] = "paper_abs"
    format_penalty: float = -1.0
    tool_step: float = 1 / 3
    tool_full_above: float = 0.95
    pasted_above: float = Field(
        default=PASTED_ABOVE, ge=0, le=1, description="above this pasted share R_vision is 0; 1 is no bound"
    )


class GuardConfig(Section):
    """When a run warns, and when it stops, because going on would waste it (rrvf.training.guards).

    A guard trips after `patience` steps in a row; `stop` names those that end the run, the others warn.
    """

    patience: int = Field(default=10, gt=1)
    judge_errors: float = Field(default=0.2, description="share of episodes without a judge's word that is borne")
    harness_errors: float = Field(default=0.2, description="share of episodes whose renders failed by our fault, borne")
    sampler_gap: float = Field(default=1.0, description="mean |log p| between vLLM and the trainer that is borne")
    stop: tuple[
        Literal["no_tool_calls", "hacking", "judge_errors", "harness_errors", "flat_groups", "sampler_gap"], ...
    ] = (
        "judge_errors",
        "harness_errors",
        "flat_groups",
        "sampler_gap",
    )


class GRPOConfigSection(Section):
    """Alg. 1 and the optimiser. The batch is `prompts_per_step` x `group_size` completions (D3).

    domain `both` takes the pictures of several train sets in one run.
    """

    domain: Literal["chart", "web", "both"]
    train_set: str | tuple[str, ...]
    steps: int = Field(ge=1)
    prompts_per_step: int = Field(ge=1)
    group_size: int = Field(ge=2)
    micro_batch: int = Field(ge=1)
    learning_rate: float
    warmup_steps: int = Field(default=0, ge=0, description="steps of a rising rate; Adam's first are sign steps")
    kl: float = Field(default=0.0, ge=0.0, description="weight of the KL term, to the policy that the run began with")
    max_turns: int = Field(ge=1, description="T_max of Alg. 1")
    max_completion_tokens: int = Field(ge=1, description="one episode, tool responses included")
    max_turn_tokens: int = Field(ge=1)
    temperature: float = 1.0
    advantage: Literal["mean", "max"] = "mean"
    loss_type: Literal["grpo", "dapo", "bnpo", "dr_grpo", "luspo"] = "grpo"
    importance_level: Literal["token", "sequence"] = "token"
    use_vllm: bool = False
    vllm_memory: float = Field(default=0.35, gt=0, lt=1, description="share of each GPU that vLLM takes")
    max_prompt_tokens: int = Field(default=4_096, description="picture and prompt; sizes vLLM's context")
    last_turn_hint: bool = True
    feedback: Literal["words", "score"] = Field(
        default="words", description="what a draft is told: Fig. 2c, or a number"
    )
    attach_render: bool = Field(default=False, description="show the policy its draft's picture with the feedback")
    save_every: int = Field(default=10, ge=1)
    guards: GuardConfig = GuardConfig()

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that need a renderer."""
        return ("chart", "web") if self.domain == "both" else (self.domain,)

    @property
    def train_sets(self) -> tuple[str, ...]:
        return (self.train_set,) if isinstance(self.train_set, str) else self.train_set


class SFTConfigSection(Section):
    """The supervised baseline: pictures with their true code; with `transcripts`, a cold start before RRVF (D8)."""

    domain: Literal["chart", "web"]
    train_set: str
    steps: int = Field(ge=1)
    batch: int = Field(ge=1, description="pairs of a process and step")
    learning_rate: float = 1e-5
    save_every: int = Field(default=50, ge=1)
    transcripts: str | None = Field(
        default=None, description="multi-turn trajectories on `train_set`, as a run's episodes.jsonl; None: the pairs"
    )


class EvalSet(Section):
    """One evaluation: which benchmark's rules on which pictures, and whose table it fills."""

    benchmark: Literal["chartmimic", "plot2code", "websight"]
    dataset: str
    table: Literal[1, 2, 3]
    title: str
    domain: Literal["chart", "web"]
    limit: int | None = None
    owned_canvas: bool = Field(
        default=False, description="render on the profile's canvas, not at the script's own size"
    )
    max_new_tokens: int = Field(default=4_096, ge=1)


class Profile(Section):
    """Everything a run depends on."""

    name: str
    seed: int = 0
    workers: int = Field(default=2, ge=1)
    policy: PolicyConfig
    judge: JudgeConfig = JudgeConfig()
    canvas: CanvasConfig = CanvasConfig()
    reward: RewardConfig = RewardConfig()
    data: dict[str, Any] = {}
    grpo: dict[str, GRPOConfigSection] = {}
    sft: dict[str, SFTConfigSection] = {}
    evaluations: dict[str, EvalSet] = {}
    chartmimic_protocol: Literal["official", "fixed", "july2025"] = "fixed"

    @property
    def hash(self) -> str:
        """Twelve hex digits over every setting: what a result was made with."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def load_profile(name_or_path: str) -> Profile:
    """A profile by name (`nano`, `gpu`, `paper`) or by the path of a YAML file. UserError names the key that is wrong."""
    path = Path(name_or_path)
    if path.suffix != ".yaml":
        path = PROFILES / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PROFILES.glob("*.yaml")))
        raise UserError(f"no profile at {path}: name one of {known}, or a YAML file")
    try:
        return checked(yaml.safe_load(path.read_text()), str(path))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from None


def checked(settings: object, source: str) -> Profile:
    """`settings` as a profile. UserError names `source` and the key that is wrong."""
    try:
        return Profile.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the top level"
        raise UserError(f"{source}: {where}: {first['msg']}") from None
