"""Translates a profile into TRL's settings, and refuses what TRL and vLLM cannot do for a vision policy."""

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

#: Every rank waits for the slowest episode of the step. torch's default gives up after 30 minutes.
DDP_TIMEOUT_S = 4 * 3600


def shared_settings(profile: Profile) -> dict[str, Any]:
    """The arguments that GRPO and SFT share: device, precision, process group, logging.

    With several processes it also creates the process group. UserError if a tracker is not installed, or if one process
    sees several GPUs.
    """
    check_trackers(profile.report_to)
    if processes() == 1 and (gpus := torch.cuda.device_count()) > 1:
        raise UserError(
            f"one process sees {gpus} GPUs: train on all of them with reproduce/launch/train.sh (grpo or sft), or set "
            "CUDA_VISIBLE_DEVICES=0"
        )
    cpu, half = not torch.cuda.is_available(), weights_dtype(profile.policy.dtype) == "bfloat16"
    if processes() > 1:
        # Create the process group here, with our time-out. transformers passes `ddp_timeout` only on GPUs, and any
        # earlier call to accelerate would create the group with torch's default of 30 minutes.
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
    """TRL's configuration for one grpo section of a profile. For the batch see decision D3.

    out: the run's folder. weights: of the reward terms. unwritable: ids of picture tokens, which are never sampled.
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
    """Micro-batches per process and step, for `world` processes. UserError if the completions do not divide evenly."""
    together = config.micro_batch * world
    return _rounds(config.prompts_per_step * config.group_size, together, world, "completions", "prompts_per_step")


def sft_batch(config: SupervisedSection, world: int) -> tuple[int, int]:
    """Pairs per forward pass in each process, and forward passes per step. UserError if the batch does not divide."""
    together = config.together(world)
    return together, _rounds(config.batch, together * world, world, "pairs", "batch")


def _rounds(batch: int, together: int, world: int, what: str, setting: str) -> int:
    if batch % together:
        raise UserError(
            f"{batch} {what} per step do not divide into {world} processes x micro_batch {together // world}: "
            f"change micro_batch or {setting}"
        )
    return batch // together


def own_settings(config: GRPOConfigSection, unwritable: list[int]) -> dict[str, Any]:
    """Settings for transformers' generation. Suppresses all picture tokens; TRL alone suppresses only one of them."""
    return {"generation_kwargs": {"max_new_tokens": config.max_turn_tokens, "suppress_tokens": unwritable}}


def vllm_settings(config: GRPOConfigSection, unwritable: list[int]) -> dict[str, Any]:
    """Settings for vLLM: one engine inside each process.

    Not offered, because TRL 1.16 fails with them (docs/decisions.md, Scale): server mode, tensor parallel engines and
    sleep mode.
    """
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_tensor_parallel_size": 1,
        "vllm_enable_sleep_mode": False,
        "vllm_gpu_memory_utilization": config.vllm_memory,
        "vllm_max_model_length": config.max_prompt_tokens + config.max_completion_tokens,
        # TRL's default drops a whole episode if its importance ratio, a product over up to 16,384 tokens, is too large.
        # Bound each token's ratio instead.
        "vllm_importance_sampling_mode": "token_truncate",
        "generation_kwargs": {"max_tokens": config.max_turn_tokens, "logit_bias": dict.fromkeys(unwritable, -100)},
    }


def check_sharding(trainer) -> None:
    """UserError if the weights are sharded (FSDP or ZeRO-3).

    Episodes have different numbers of turns on different ranks. With sharded weights, each turn's generation waits for
    all ranks to gather them, and a rank that has finished its episodes never joins. And `save_final` writes the weights
    of one rank, also after supervised training.
    """
    deepspeed = getattr(trainer.accelerator.state, "deepspeed_plugin", None)
    stage = deepspeed.zero_stage if deepspeed else 0
    if trainer.is_fsdp_enabled or stage == 3:
        kind = "FSDP" if trainer.is_fsdp_enabled else "ZeRO-3"
        raise UserError(
            f"{kind} shards the weights, which cannot be trained here: use reproduce/launch/eight_gpus.yaml (ZeRO-2)"
        )
