"""The settings of training: RRVF (GRPO), SFT on true code, RFT on the best of a policy's own answers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from rrvf.domains import PAPER, DomainName
from rrvf.profile.section import Section

#: Settings of a training that change no weight: guards, checkpoints and memory. (Exception: with the loss `bnpo`,
#: which averages over a micro-batch, micro_batch does change the weights.)
WITHOUT_EFFECT = {"save_every", "guards", "micro_batch", "vllm_memory"}
#: Trackers that a run can report to.
Tracker = Literal["tensorboard", "trackio", "wandb"]


class GuardConfig(Section):
    """Guards: when a run warns, and when it stops because more steps would be wasted (rrvf.training.guards).

    A guard looks at the last `patience` steps. `harness_errors` also trips at once if every episode of a step failed. A
    guard that trips ends the run if `stop` names it, and warns if not.
    """

    patience: int = Field(default=10, gt=1, description="steps in a row before a guard trips")
    judge_errors: float = Field(
        default=0.2, description="tolerated share of episodes, or of drafts, on which the judge failed"
    )
    harness_errors: float = Field(default=0.2, description="tolerated share of episodes with a harness_error")
    sampler_gap: float = Field(
        default=0.1,
        description="tolerated mean difference of log probabilities between vLLM and the trainer: 0.002 to 0.013 if "
        "both see the same tokens, 0.26 and more if not (docs/decisions.md, Scale)",
    )
    stop: tuple[
        Literal["no_tool_calls", "hacking", "judge_errors", "harness_errors", "flat_groups", "sampler_gap"], ...
    ] = Field(
        default=("judge_errors", "harness_errors", "flat_groups", "sampler_gap"),
        description="the guards that end a run; the others warn",
    )


class GRPOConfigSection(Section):
    """RRVF: Alg. 1 and the optimiser. The batch is `prompts_per_step` x `group_size` completions (D3).

    With domain `both` (the paper's two) or a list of domains, one run trains on the pictures of several train sets.
    """

    domain: DomainName | Literal["both"] | tuple[DomainName, ...] = Field(
        description="domain of the pictures; `both`: charts and pages; or a list of domains"
    )
    train_set: str | tuple[str, ...] = Field(description="the split of `data` to train on, or a list of splits")
    steps: int = Field(ge=1, description="optimiser steps")
    prompts_per_step: int = Field(ge=1, description="pictures per step")
    group_size: int = Field(ge=2, description="G: episodes per picture; they share a baseline")
    micro_batch: int = Field(
        ge=1, description="episodes per backward pass, in each process; forward passes take at most 8"
    )
    learning_rate: float = Field(description="of AdamW, constant after the warm-up")
    warmup_steps: int = Field(
        default=0,
        ge=0,
        description="steps of linear warm-up; without it Adam's first steps move every weight by the full rate",
    )
    kl: float = Field(default=0.0, ge=0.0, description="weight of the KL penalty to the initial policy")
    max_turns: int = Field(ge=1, description="T_max of Alg. 1")
    max_completion_tokens: int = Field(ge=1, description="tokens of one episode, tool responses included")
    max_turn_tokens: int = Field(ge=1, description="tokens of one turn of the policy")
    temperature: float = Field(default=1.0, gt=0, description="sampling temperature")
    advantage: Literal["mean", "max"] = Field(
        default="mean", description="baseline of the advantage: the mean or the maximum of the group (decisions D1)"
    )
    loss_type: Literal["grpo", "dapo", "bnpo", "dr_grpo", "luspo"] = Field(
        default="grpo", description="how TRL averages the loss over tokens and episodes"
    )
    importance_level: Literal["token", "sequence"] = Field(default="token", description="level of the importance ratio")
    use_vllm: bool = Field(default=False, description="sample with vLLM, on the training GPUs")
    vllm_memory: float = Field(default=0.35, gt=0, lt=1, description="share of each GPU that vLLM takes")
    max_prompt_tokens: int = Field(
        default=4_096, description="tokens of picture and prompt: larger pictures are shrunk to fit"
    )
    last_turn_hint: bool = Field(
        default=True, description="the tool response before the last turn says that one turn is left"
    )
    feedback: Literal["words", "score"] = Field(
        default="words", description="feedback on a draft: words (Fig. 2c), or the score alone"
    )
    attach_render: bool = Field(default=False, description="show the policy its draft's render with the feedback")
    save_every: int = Field(default=10, ge=1, description="steps between checkpoints")
    # Not dumped, so not hashed: kept checkpoints change no result.
    keep_every: int | None = Field(
        default=None,
        ge=1,
        exclude=True,
        description="steps between checkpoints that are kept for inspection, a multiple of save_every; None: none",
    )
    guards: GuardConfig = GuardConfig()

    @model_validator(mode="after")
    def _keeps_what_it_saves(self) -> Self:
        if self.keep_every and self.keep_every % self.save_every:
            raise ValueError(f"keep_every {self.keep_every} is no multiple of save_every {self.save_every}")
        return self

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains of its pictures."""
        if self.domain == "both":
            return PAPER
        return (self.domain,) if isinstance(self.domain, str) else self.domain

    @property
    def train_sets(self) -> tuple[str, ...]:
        """The names of its train sets, as a tuple even for one."""
        return (self.train_set,) if isinstance(self.train_set, str) else self.train_set


class SupervisedSection(Section):
    """The settings of every supervised training."""

    domain: DomainName = Field(description="what the pictures show")
    train_set: str = Field(description="the split of `data` to train on")
    steps: int = Field(ge=1, description="optimiser steps")
    batch: int = Field(ge=1, description="pairs per step, over all processes")
    micro_batch: int | None = Field(
        default=None, ge=1, description="pairs per forward pass, in each process; None: the process's whole share"
    )
    learning_rate: float = Field(default=1e-5, description="peak learning rate of AdamW")
    save_every: int = Field(default=50, ge=1, description="steps between checkpoints")

    def together(self, processes: int) -> int:
        """Pairs per forward pass in each process: micro_batch if set, else the process's share of a step."""
        return self.micro_batch or max(1, self.batch // processes)


class SFTConfigSection(SupervisedSection):
    """SFT, the supervised baseline on pictures with true code; with `transcripts`, a cold start before RRVF (D8)."""

    transcripts: str | None = Field(
        default=None,
        description="file of multi-turn trajectories on `train_set`, as a run's episodes.jsonl; None: train on pairs",
    )


class RFTConfigSection(SupervisedSection):
    """Rejection-sampling fine-tuning: the policy learns the best of its own answers, as the judge picks it.

    It uses what RRVF uses: pictures, a sandbox and a judge. If a domain has such a section, its tables also get the
    base policy's best of `samples` answers.
    """

    samples: int = Field(default=8, ge=2, description="answers sampled per picture; the judge picks one")
    temperature: float = Field(default=1.0, gt=0, description="sampling temperature")
    max_new_tokens: int = Field(default=4_096, ge=1, description="tokens of one answer")
