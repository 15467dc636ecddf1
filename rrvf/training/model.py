"""The policy that is trained."""

from __future__ import annotations

import torch
from transformers import AutoModelForImageTextToText

from rrvf.policies.local import resolve_model
from rrvf.policies.vision import vision_for_cpus
from rrvf.policies.writing import write_on_cpus
from rrvf.profile import Profile


def load_policy_model(profile: Profile):
    """The policy of a profile as a transformers model, in its dtype."""
    vision_for_cpus()
    model = AutoModelForImageTextToText.from_pretrained(
        resolve_model(profile.policy.model), dtype=getattr(torch, profile.policy.dtype)
    )
    write_on_cpus(model)
    return model


def lora(profile: Profile):
    """The LoRA settings of a profile, or None for full training."""
    if profile.policy.lora_rank is None:
        return None
    from peft import LoraConfig

    return LoraConfig(r=profile.policy.lora_rank, target_modules="all-linear", task_type="CAUSAL_LM")
