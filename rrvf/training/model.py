"""The policy that is trained."""

from __future__ import annotations

import sys

from transformers import PreTrainedModel

from rrvf.policies.local import load_model
from rrvf.policies.precision import described, weights_dtype
from rrvf.profile import PolicyConfig, Profile
from rrvf.training.ranks import deepspeed, is_main


def load_policy_model(profile: Profile) -> PreTrainedModel:
    """The policy of a profile as a transformers model, as it is trained; says in which numbers that is."""
    if is_main():
        print(described(profile.policy, trained_dtype(profile.policy)), file=sys.stderr)
    return load_model(profile.policy.model, trained_dtype(profile.policy))


def trained_dtype(policy: PolicyConfig) -> str:
    """The dtype of the weights while they are trained: float32 where they are what the optimiser moves.

    A bfloat16 weight keeps three digits: of steps of 1e-5 most are rounded away. DeepSpeed keeps float32 copies itself,
    and under adapters the weights do not move.
    """
    return weights_dtype(policy.dtype) if policy.lora_rank or deepspeed() else "float32"


def lora(profile: Profile):
    """The LoRA settings of a profile, or None for full training."""
    if profile.policy.lora_rank is None:
        return None
    from peft import LoraConfig

    rank = profile.policy.lora_rank
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
