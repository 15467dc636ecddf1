"""The policy that is trained."""

from __future__ import annotations

import sys

from transformers import PreTrainedModel

from rrvf.policies.local import load_model
from rrvf.policies.precision import described
from rrvf.profile import Profile
from rrvf.training.ranks import is_main


def load_policy_model(profile: Profile) -> PreTrainedModel:
    """The policy of a profile as a transformers model, in its dtype; says in which numbers it is trained."""
    if is_main():
        print(described(profile.policy), file=sys.stderr)
    return load_model(profile.policy.model, profile.policy.dtype)


def lora(profile: Profile):
    """The LoRA settings of a profile, or None for full training."""
    if profile.policy.lora_rank is None:
        return None
    from peft import LoraConfig

    rank = profile.policy.lora_rank
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
