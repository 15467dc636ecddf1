"""A profile's settings in TRL's words, and what TRL and vLLM cannot carry for a vision policy, refused in one line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from trl import GRPOConfig

from rrvf.errors import UserError
from rrvf.policies.precision import autocasts, weights_dtype
from rrvf.profile import GRPOConfigSection, Profile, SupervisedSection
from rrvf.training.ranks import processes
from rrvf.training.tracking import check_trackers

#: Ranks wait for the slowest episode of the step; torch gives up after 30 minutes by itself.
DDP_TIMEOUT_S = 4 * 3600


def shared_settings(profile: Profile) -> dict[str, Any]:
    """The arguments that both trainers share: where they run, in which numbers, and what they report."""
    check_trackers(profile.report_to)
    if processes() == 1 and (gpus := torch.cuda.device_count()) > 1:
        raise UserError(
            f"one process sees {gpus} GPUs: train on all with reproduce/launch/train.sh (grpo or sft), or set "
            "CUDA_VISIBLE_DEVICES=0"
        )
    cpu, half = not torch.cuda.is_available(), weights_dtype(profile.policy.dtype) == "bfloat16"
    if processes() > 1:
        # Begun here, the group has our time-out: transformers gives it its `ddp_timeout` on GPUs alone, and whoever
        # asks accelerate anything before gives it torch's half hour.
        PartialState(cpu=cpu, backend="gloo" if cpu else None, timeout=timedelta(seconds=DDP_TIMEOUT_S))
    return {
        "bf16": half or autocasts(profile.policy),
        "gradient_checkpointing": half,
        "use_cpu": cpu,
        "ddp_backend": "gloo" if cpu and processes() > 1 else None,
        "ddp_timeout": DDP_TIMEOUT_S,
        "dataloader_pin_memory": not cpu,
        "logging_steps": 1,
        "save_total_limit": 2,
        "report_to": list(profile.report_to),
        "disable_tqdm": True,
    }


def grpo_settings(
    config: GRPOConfigSection, profile: Profile, out: Path, weights: list[float], seed: int, unwritable: list[int]
) -> GRPOConfig:
    """TRL's configuration for one section of a profile (reading D3 of the batch).

    unwritable: ids of tokens of pictures.
    """
    return GRPOConfig(
        output_dir=str(out),
        seed=seed,
        max_steps=config.steps,
        shuffle_dataset=False,
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=accumulation(config, processes()),
        num_generations=config.group_size,
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=config.warmup_steps,
        beta=config.kl,
        loss_type=config.loss_type,
        importance_sampling_level=config.importance_level,
        reward_weights=weights,
        temperature=config.temperature,
        max_completion_length=config.max_completion_tokens,
        max_tool_calling_iterations=config.max_turns - 1,
        save_steps=config.save_every,
        **(vllm_settings(config, unwritable) if config.use_vllm else own_settings(config, unwritable)),
        **shared_settings(profile),
    )


def accumulation(config: GRPOConfigSection, world: int) -> int:
    """Micro-batches per process and step. UserError where the step's completions do not divide."""
    together = config.micro_batch * world
    return _rounds(config.prompts_per_step * config.group_size, together, world, "completions", "prompts_per_step")


def sft_batch(config: SupervisedSection, world: int) -> tuple[int, int]:
    """Pairs that go through a process together, and how often in a step. UserError where the step's do not divide."""
    together = config.together(world)
    return together, _rounds(config.batch, together * world, world, "pairs", "batch")


def _rounds(batch: int, together: int, world: int, what: str, setting: str) -> int:
    if batch % together:
        raise UserError(
            f"{batch} {what} per step do not divide into {world} processes x micro_batch {together // world}: "
            f"choose micro_batch or {setting} so that they do"
        )
    return batch // together


def own_settings(config: GRPOConfigSection, unwritable: list[int]) -> dict[str, Any]:
    """transformers' own generation. TRL by itself forbids one of the tokens of pictures."""
    return {"generation_kwargs": {"max_new_tokens": config.max_turn_tokens, "suppress_tokens": unwritable}}


def vllm_settings(config: GRPOConfigSection, unwritable: list[int]) -> dict[str, Any]:
    """One vLLM engine inside each process.

    Not offered, because TRL 1.16 breaks there (docs/decisions.md, Scale): server mode, tensor parallel engines and
    sleep mode.
    """
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_tensor_parallel_size": 1,
        "vllm_enable_sleep_mode": False,
        "vllm_gpu_memory_utilization": config.vllm_memory,
        "vllm_max_model_length": config.max_prompt_tokens + config.max_completion_tokens,
        # A whole episode would be dropped for one unlikely ratio over 16,384 tokens: bound each token's instead.
        "vllm_importance_sampling_mode": "token_truncate",
        "generation_kwargs": {"max_tokens": config.max_turn_tokens, "logit_bias": dict.fromkeys(unwritable, -100)},
    }


def check_sharding(trainer) -> None:
    """UserError where weights are sharded.

    Episodes end after different numbers of turns on different ranks, and each turn's generation would wait for a gather
    in which a finished rank takes no part.
    """
    deepspeed = getattr(trainer.accelerator.state, "deepspeed_plugin", None)
    stage = deepspeed.zero_stage if deepspeed else 0
    if trainer.is_fsdp_enabled or stage == 3:
        kind = "FSDP" if trainer.is_fsdp_enabled else "ZeRO-3"
        raise UserError(f"{kind} hangs on episodes of unequal length: use reproduce/launch/eight_gpus.yaml (ZeRO-2)")
