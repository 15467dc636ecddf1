"""The policy that is trained."""

from __future__ import annotations

import sys

from transformers import PreTrainedModel

from rrvf.policies.local import load_model
from rrvf.policies.precision import described, weights_dtype
from rrvf.profile import PolicyConfig, Profile
from rrvf.training.ranks import deepspeed, is_main


def load_policy_model(profile: Profile) -> PreTrainedModel:
    """The policy of a profile as a transformers model, in its training dtype. Prints the dtypes on standard error."""
    if is_main():
        print(described(profile.policy, trained_dtype(profile.policy)), file=sys.stderr)
    return load_model(profile.policy.model, trained_dtype(profile.policy))


def trained_dtype(policy: PolicyConfig) -> str:
    """The dtype of the weights in training: float32 if the optimiser updates them directly.

    A bfloat16 weight keeps three digits, so most updates of 1e-5 would be rounded away. The profile's dtype is enough
    with LoRA, where the base weights do not change, and with DeepSpeed, which keeps float32 copies.
    """
    return weights_dtype(policy.dtype) if policy.lora_rank or deepspeed() else "float32"


def lora(profile: Profile):
    """The LoRA settings of a profile (a peft `LoraConfig`), or None if all weights are trained."""
    if profile.policy.lora_rank is None:
        return None
    from peft import LoraConfig

    rank = profile.policy.lora_rank
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
