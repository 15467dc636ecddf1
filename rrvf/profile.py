"""One typed configuration, in YAML: `reproduce/profiles/{nano,gpu,paper}.yaml`. Its hash stands in every result."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from rrvf.domains import DOMAINS, PAPER, Canvas, Domain, DomainName
from rrvf.errors import UserError
from rrvf.places import SHIPPED
from rrvf.records import PASTED_ABOVE
from rrvf.wrong_keys import explained

#: Settings of a training that change no weight: what is watched and kept, and what fits into memory (of the losses,
#: bnpo alone takes its mean over a micro-batch).
WITHOUT_EFFECT = {"save_every", "guards", "micro_batch", "vllm_memory"}
#: Rows of every table that say what its numbers can be: the true code, and nothing drawn.
CALIBRATION = ("reference", "blank")
PROFILES = (SHIPPED / "profiles").resolve()
SUFFIXES = (".yaml", ".yml")


def _folder_name(name: str) -> str:
    """A name that is safe as a folder's: runs, splits and results are kept under it."""
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ValueError(
            f"{name!r} cannot name a folder: take letters, digits, '-', '_' and '.', a letter or digit first"
        )
    return name


#: What a profile or a part of it is called.
Name = Annotated[str, AfterValidator(_folder_name)]


#: Who can follow a run.
Tracker = Literal["tensorboard", "trackio", "wandb"]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PolicyConfig(Section):
    """The policy to train: a local folder or a hub id, and how it is prompted."""

    model: str = Field(description="`nano` (the shipped checkpoint), a folder, or a hub id")
    prompts: Literal["full", "nano"] = Field(
        default="full", description="which prompts it gets: `full` for real models, `nano` for the shipped one"
    )
    dtype: Literal["float32", "bfloat16", "auto"] = Field(
        default="bfloat16", description="of the weights; `auto`: bfloat16 where the machine computes in it"
    )
    autocast: bool | Literal["auto"] = Field(
        default=False,
        description="train in bfloat16 over the weights as they are; `auto`: where that is faster, so that a run "
        "resumed on another kind of machine may go on in other numbers; true or false holds it",
    )
    lora_rank: int | None = Field(
        default=None, ge=1, description="of the adapters that are trained; None: all weights are"
    )


def _unset(value: object) -> bool:
    """Left out of a profile's hash: what is not set changes nothing, so older results stay the profile's own."""
    return value in (None, "own")


class JudgeConfig(Section):
    """Who compares. `url` None starts the embedded judge in a process of its own."""

    model: str | None = Field(default=None, description="None: the first model that the endpoint names")
    url: str | None = Field(
        default=None,
        description="of an OpenAI-compatible server, or of several of one model, with commas; null: the embedded judge",
    )
    revision: str = Field(default="", description="of the endpoint's weights, which it does not tell: part of the card")
    max_in_flight: int = Field(default=32, description="parallel requests")
    timeout_s: float = Field(default=60.0, description="time limit of one request, in seconds; then it is retried")
    outage_s: float = Field(default=1800.0, description="how long a run pauses for a judge that cannot be reached")
    # Not dumped: where a judge is served, and by whose key, changes no result, and so no hash.
    key: str = Field(default="RRVF_JUDGE_API_KEY", exclude=True, description="the environment variable of its key")
    serve: bool = Field(
        default=False,
        exclude=True,
        description="`make reproduce` serves `model` at `url` itself, on the policy's own GPU (reproduce/judges)",
    )

    @property
    def identity(self) -> dict[str, str | None]:
        """Whose word it is, wherever it is served and however it is waited for."""
        return {"model": self.model or self.url, "revision": self.revision}


def _canvas_field(domain: Domain) -> tuple[Any, Any]:
    # Left out where it says nothing, so that a new domain changes the hash of no profile; the paper's two always stand.
    told = f"what {domain.suffix} code is drawn on; null: at its own size"
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
    tool_step: float = Field(default=1 / 3, description="R_tool of each call that rendered, up to 1")
    tool_full_above: float = Field(default=0.95, description="a similarity above this sets R_tool to 1")
    pasted_above: float = Field(
        default=PASTED_ABOVE, ge=0, le=1, description="above this pasted share R_vision is 0; 1 is no bound"
    )


class GuardConfig(Section):
    """When a run warns, and when it stops, because going on would waste it (rrvf.training.guards).

    A guard trips after `patience` steps in a row; `stop` names those that end the run, the others warn.
    """

    patience: int = Field(default=10, gt=1, description="steps in a row before a guard trips")
    judge_errors: float = Field(
        default=0.2, description="tolerated share of episodes, or of drafts, that the judge did not answer"
    )
    harness_errors: float = Field(default=0.2, description="tolerated share of episodes with a harness_error")
    sampler_gap: float = Field(
        default=0.1,
        description="tolerated mean |log p| between vLLM and the trainer: 0.002 to 0.013 where both see the same, "
        "0.26 and more where not (docs/decisions.md, Scale)",
    )
    stop: tuple[
        Literal["no_tool_calls", "hacking", "judge_errors", "harness_errors", "flat_groups", "sampler_gap"], ...
    ] = Field(
        default=("judge_errors", "harness_errors", "flat_groups", "sampler_gap"),
        description="the guards that end a run; the others warn",
    )


class GRPOConfigSection(Section):
    """Alg. 1 and the optimiser. The batch is `prompts_per_step` x `group_size` completions (D3).

    domain `both` (the paper's two) or a list of domains takes the pictures of several train sets in one run.
    """

    domain: DomainName | Literal["both"] | tuple[DomainName, ...] = Field(
        description="domain of the pictures; `both`: charts and pages; or a list of domains"
    )
    train_set: str | tuple[str, ...] = Field(description="the split of `data`, or several, that is trained on")
    steps: int = Field(ge=1, description="optimiser steps")
    prompts_per_step: int = Field(ge=1, description="pictures per step")
    group_size: int = Field(ge=2, description="G: episodes per picture, which share a baseline")
    micro_batch: int = Field(ge=1, description="episodes per forward pass, in each process")
    learning_rate: float = Field(description="of AdamW, constant after the warm-up")
    warmup_steps: int = Field(default=0, ge=0, description="steps of linear warm-up; Adam's first steps are sign steps")
    kl: float = Field(default=0.0, ge=0.0, description="weight of the KL penalty to the initial policy")
    max_turns: int = Field(ge=1, description="T_max of Alg. 1")
    max_completion_tokens: int = Field(ge=1, description="one episode, tool responses included")
    max_turn_tokens: int = Field(ge=1, description="one turn of the policy")
    temperature: float = Field(default=1.0, description="sampling temperature")
    advantage: Literal["mean", "max"] = Field(
        default="mean", description="baseline of the advantage: the mean or the maximum of the group (decisions D1)"
    )
    loss_type: Literal["grpo", "dapo", "bnpo", "dr_grpo", "luspo"] = Field(
        default="grpo", description="how TRL averages the loss over tokens and episodes"
    )
    importance_level: Literal["token", "sequence"] = Field(default="token", description="level of the importance ratio")
    use_vllm: bool = Field(default=False, description="sample with vLLM, on the GPUs that train")
    vllm_memory: float = Field(default=0.35, gt=0, lt=1, description="share of each GPU that vLLM takes")
    max_prompt_tokens: int = Field(default=4_096, description="picture and prompt; sizes vLLM's context")
    last_turn_hint: bool = Field(default=True, description="the response before the last turn says that it is")
    feedback: Literal["words", "score"] = Field(
        default="words", description="feedback on a draft: words (Fig. 2c), or the score alone"
    )
    attach_render: bool = Field(default=False, description="show the policy its draft's picture with the feedback")
    save_every: int = Field(default=10, ge=1, description="steps between checkpoints")
    # Not dumped: what is kept of a run changes nothing of it.
    keep_every: int | None = Field(
        default=None,
        ge=1,
        exclude=True,
        description="steps between weights that stay to be looked at, a multiple of save_every; None: none stay",
    )
    guards: GuardConfig = GuardConfig()

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that need a renderer."""
        if self.domain == "both":
            return PAPER
        return (self.domain,) if isinstance(self.domain, str) else self.domain

    @property
    def train_sets(self) -> tuple[str, ...]:
        """The names of the sets, also where the profile names only one."""
        return (self.train_set,) if isinstance(self.train_set, str) else self.train_set


class SupervisedSection(Section):
    """What every training on written answers is told."""

    domain: DomainName = Field(description="what the pictures show")
    train_set: str = Field(description="the split of `data` that is trained on")
    steps: int = Field(ge=1, description="of the optimiser")
    batch: int = Field(ge=1, description="pairs of a step, whatever the number of processes")
    micro_batch: int | None = Field(
        default=None, ge=1, description="pairs that go through the model together; None: all that a process has"
    )
    learning_rate: float = Field(default=1e-5, description="of AdamW, at its highest")
    save_every: int = Field(default=50, ge=1, description="steps between checkpoints")

    def together(self, processes: int) -> int:
        """Pairs that go through each process together: micro_batch, where it is named, else its share of the step's."""
        return self.micro_batch or max(1, self.batch // processes)


class SFTConfigSection(SupervisedSection):
    """The supervised baseline: pictures with their true code; with `transcripts`, a cold start before RRVF (D8)."""

    transcripts: str | None = Field(
        default=None, description="multi-turn trajectories on `train_set`, as a run's episodes.jsonl; None: the pairs"
    )


class RFTConfigSection(SupervisedSection):
    """Rejection-sampling fine-tuning: of its own answers to a picture the policy learns the one that the judge picks.

    It sees what RRVF sees: pictures, a sandbox and a judge. Where a domain has a section, tables also have the base
    with the best of as many answers.
    """

    samples: int = Field(default=8, ge=2, description="answers that are drawn for each picture; the judge picks one")
    temperature: float = Field(default=1.0, gt=0, description="that they are drawn at")
    max_new_tokens: int = Field(default=4_096, ge=1, description="one answer")


class EvalSet(Section):
    """One evaluation: whose rules on which pictures, and which table it fills (4: pictures without code)."""

    benchmark: Literal["chartmimic", "plot2code", "websight", "pictures"] = Field(
        description="whose rules: prompt, metrics, averages; `pictures` needs no true code"
    )
    dataset: str = Field(description="the split of `data`")
    table: Literal[1, 2, 3, 4] = Field(description="of the report, where its rows stand")
    title: str = Field(description="what the table calls it")
    domain: DomainName = Field(description="what the pictures show")
    limit: int | None = Field(default=None, description="only the first pictures; null: all")
    owned_canvas: bool = Field(
        default=False, description="render on the profile's canvas, not at the script's own size"
    )
    max_new_tokens: int = Field(default=4_096, ge=1, description="one reply of the policy")
    prompt: Literal["own", "benchmark"] = Field(
        default="own", exclude_if=_unset, description="asked of the policy: this project's prompt, or the benchmark's"
    )
    judge_prompt: Literal["own", "official"] = Field(
        default="own",
        exclude_if=_unset,
        description="asked of the judge: our rubric, or the benchmark's own (rrvf data prompts)",
    )
    timeout_s: float | None = Field(
        default=None, gt=0, exclude_if=_unset, description="of one render; None: a reward's limit, 10 s"
    )
    repetition_penalty: float | None = Field(
        default=None, gt=0, exclude_if=_unset, description="of the policy's decoding; None: as its own files say"
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.benchmark not in ("chartmimic", "plot2code") and (self.prompt, self.judge_prompt) != ("own", "own"):
            raise ValueError(f"{self.benchmark} has no prompts of its own: leave prompt and judge_prompt out")
        return self


class Profile(Section):
    """Everything a run depends on."""

    name: Name = Field(description="what the folders of its data and runs are called")
    seed: int = Field(default=0, ge=0, lt=2**32, description="of training, and of the intervals")
    workers: int = Field(default=2, ge=1, description="parallel renders")
    policy: PolicyConfig
    judge: JudgeConfig = Field(default=JudgeConfig(), description="of training: feedback and reward")
    evaluation_judge: JudgeConfig | None = Field(
        default=None, exclude_if=_unset, description="of the tables' scores; None: the judge of training"
    )
    canvas: CanvasConfig = CanvasConfig()
    reward: RewardConfig = RewardConfig()
    data: dict[Name, Any] = Field(default={}, description="the data sets by name: where their pictures come from")
    grpo: dict[Name, GRPOConfigSection] = {}
    sft: dict[Name, SFTConfigSection] = {}
    # Not dumped: baselines change no other row; what they were made with stands beside them (training.json).
    rft: dict[Name, RFTConfigSection] = Field(default={}, exclude=True, description="rejection-sampling fine-tuning")
    evaluations: dict[Name, EvalSet] = {}
    # Not dumped: who follows a run changes nothing of it.
    report_to: tuple[Tracker, ...] = Field(
        default=("tensorboard",),
        exclude=True,
        description="where a training is logged: tensorboard, trackio, wandb; [] for nowhere",
    )
    # Not dumped: a plan changes nothing of a run.
    latencies: Name | None = Field(
        default=None,
        exclude=True,
        description="on whose machine `rrvf plan` counts: nano, gpu or paper; None: the one called as this profile is",
    )
    chartmimic_protocol: Literal["official", "fixed", "july2025"] = Field(
        default="fixed",
        description="how charts are scored: as the official code does, without its faults, or as of July 2025",
    )

    @property
    def hash(self) -> str:
        """Twelve hex digits over every setting: what a result was made with."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @property
    def table_judge(self) -> JudgeConfig:
        """The judge of evaluations."""
        return self.evaluation_judge or self.judge


def trained_policies(profile: Profile, domain: str) -> dict[str, tuple[str, str]]:
    """The policies that a profile trains for a domain: what tables call them, and their kind and section.

    They are `sft`, `rft` and `rrvf`; of several sections the one called as the domain is, else the first, has the plain
    name and the others have their own behind it: `rrvf_NAME`.
    """
    found = {}
    for title, kind, sections in (
        ("sft", "sft", profile.sft),
        ("rft", "rft", profile.rft),
        ("rrvf", "grpo", profile.grpo),
    ):
        names = [n for n, section in sections.items() if domain in getattr(section, "domains", (section.domain,))]
        for name in sorted(names, key=lambda name: name != domain):
            found[title if title not in found else f"{title}_{name}"] = (kind, name)
    return found


def drawn_policies(profile: Profile, domain: str) -> dict[str, RFTConfigSection]:
    """`bestN` where the domain has an rft section: the base, of whose N answers, drawn so, the judge picks one."""
    return {f"best{section.samples}": section for section in profile.rft.values() if section.domain == domain}


def table_policies(profile: Profile, domain: str) -> list[str]:
    """The policies of a table's block in order: two calibration rows, the base without training, then the trained."""
    return [*CALIBRATION, "base", *drawn_policies(profile, domain), *trained_policies(profile, domain)]


def baselines(profile: Profile, domain: str) -> list[str]:
    """Those of `table_policies` that an rft section adds, and `make seeds` runs: what picking gives without a loop."""
    trained = trained_policies(profile, domain)
    return [*drawn_policies(profile, domain), *(title for title, (kind, _) in trained.items() if kind == "rft")]


def training_folder(kind: str, section: str) -> str:
    """Where a training lies in a study's results. kind: grpo, sft or rft."""
    return f"train/{'rrvf' if kind == 'grpo' else kind}_{section}"


def profile_file(name_or_path: str) -> Path:
    """The YAML file of a profile by name (`nano`, `gpu`, `paper`) or by path. UserError where there is none."""
    known = {path.stem: path for path in sorted(PROFILES.glob("*.yaml"))}
    path = known.get(name_or_path, Path(name_or_path))
    if not path.is_file():
        names = ", ".join(known)
        near = [found for found in map(path.with_suffix, SUFFIXES) if found.is_file()] if path.name else []
        meant = f"do you mean {near[0]}?" if near else f"name one of {names}, or a YAML file"
        raise UserError(f"no profile at {name_or_path}: {meant}")
    return path


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in a section, of which YAML takes the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value} stands twice", problem_mark=key.start_mark
                )
            seen |= {key.value} if isinstance(key, yaml.ScalarNode) else set()
        made: dict = super().construct_mapping(node, deep)
        return made


def load_profile(name_or_path: str) -> Profile:
    """A profile by name or path. UserError names the file with the line or the keys that are wrong."""
    path = profile_file(name_or_path)
    try:
        return checked(yaml.load(path.read_text(encoding="utf-8-sig"), _Loader), str(path))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: the file is not UTF-8: save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}, line {mark.line + 1}" if mark else f"{path}"
        raise UserError(f"{place}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None


def checked(settings: object, source: str) -> Profile:
    """`settings` as a profile. UserError names `source` and the keys that are wrong."""
    if not isinstance(settings, dict):
        raise UserError(f"{source} holds no settings: begin with a copy of {PROFILES / 'nano.yaml'}")
    try:
        return Profile.model_validate(settings)
    except ValidationError as error:
        raise UserError(f"{source}: {explained(error, Profile)}") from None
