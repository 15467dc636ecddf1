"""The top level of a profile."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from pydantic import Field

from rrvf.profile.episode import CanvasConfig, JudgeConfig, PolicyConfig, RewardConfig
from rrvf.profile.evaluation import EvalSet
from rrvf.profile.section import Name, Section, unset
from rrvf.profile.training import GRPOConfigSection, RFTConfigSection, SFTConfigSection, Tracker


class Profile(Section):
    """Everything that a run depends on."""

    name: Name = Field(description="name of the folders of its data and runs")
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of training and of the bootstrap intervals")
    workers: int = Field(default=2, ge=1, description="parallel renders of each domain, on each machine")
    policy: PolicyConfig
    judge: JudgeConfig = Field(default=JudgeConfig(), description="judge of training: feedback and reward")
    evaluation_judge: JudgeConfig | None = Field(
        default=None, exclude_if=unset, description="judge of the tables; None: the judge of training"
    )
    canvas: CanvasConfig = CanvasConfig()
    reward: RewardConfig = RewardConfig()
    data: dict[Name, Any] = Field(default={}, description="the data sets by name: where their pictures come from")
    grpo: dict[Name, GRPOConfigSection] = {}
    sft: dict[Name, SFTConfigSection] = {}
    # Not dumped, so not hashed: baselines change no other row. Their settings are in their own training.json.
    rft: dict[Name, RFTConfigSection] = Field(default={}, exclude=True, description="rejection-sampling fine-tuning")
    evaluations: dict[Name, EvalSet] = {}
    # Not dumped, so not hashed: trackers change no result.
    report_to: tuple[Tracker, ...] = Field(
        default=("tensorboard",),
        exclude=True,
        description="where a training is logged: tensorboard, trackio, wandb; []: nowhere",
    )
    # Not dumped, so not hashed: a plan changes no result.
    latencies: Name | None = Field(
        default=None,
        exclude=True,
        description="latencies that `rrvf plan` uses: nano, gpu or paper; None: those of this profile's name",
    )
    chartmimic_protocol: Literal["official", "fixed", "july2025"] = Field(
        default="fixed",
        description="how charts are scored: `official`: as the official code; `fixed`: without its faults; "
        "`july2025`: as VLMEvalKit in July 2025",
    )

    @property
    def hash(self) -> str:
        """Twelve hex digits of a hash over all dumped settings. Every result records it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @property
    def table_judge(self) -> JudgeConfig:
        """The judge of evaluations."""
        return self.evaluation_judge or self.judge
