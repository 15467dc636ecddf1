"""The nano policy: a Qwen2.5-VL of 4 million parameters that reads small charts and pages, shipped with the package.

Its abilities and its training: docs/nano_card.md. To train it again: `python -m rrvf.nano.pretrain --out DIR`.
"""

from __future__ import annotations

from rrvf.policies.shipped import CHECKPOINT, WEIGHTS, verify, write_manifest

__all__ = ["CHECKPOINT", "WEIGHTS", "load", "verify", "write_manifest"]


def load(device: str = "cpu"):
    """The policy in float32 and its processor (Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor).

    The checkpoint is verified first.
    """
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    verify()
    model = AutoModelForImageTextToText.from_pretrained(CHECKPOINT, dtype=torch.float32)
    return model.to(device).eval(), AutoProcessor.from_pretrained(CHECKPOINT)
