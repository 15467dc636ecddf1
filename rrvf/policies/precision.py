"""Chooses float32 or bfloat16: bfloat16 is faster only on hardware with instructions for it.

Without them torch emulates bfloat16, and a training step takes longer than in float32.
"""

from __future__ import annotations

import torch

from rrvf.profile import PolicyConfig

#: Their names in `torch.cpu.get_capabilities`: two of x86, two of Arm.
INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "sve_bf16", "bf16")


def bfloat16_here() -> str | None:
    """The name of the GPU or CPU feature that computes in bfloat16 on this machine. None if there is none."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0) if torch.cuda.is_bf16_supported(including_emulation=False) else None
    able = torch.cpu.get_capabilities()
    return next((name for name in INSTRUCTIONS if able.get(name)), None)


def weights_dtype(asked: str) -> str:
    """A profile's `dtype`, with `auto` resolved."""
    if asked != "auto":
        return asked
    return "bfloat16" if bfloat16_here() else "float32"


def autocasts(policy: PolicyConfig) -> bool:
    """Whether training computes in bfloat16, whatever the dtype of the weights.

    It is the profile's `autocast`, with `auto` resolved.
    """
    return bool(bfloat16_here()) if policy.autocast == "auto" else policy.autocast


def described(policy: PolicyConfig, trained: str | None = None) -> str:
    """The choice and its reason, on one line.

    trained: the dtype that the weights are trained in, if it is not the profile's.
    """
    able, asked = bfloat16_here(), weights_dtype(policy.dtype)
    dtype = trained or asked
    why = f"this machine computes in bfloat16: {able}" if able else "this machine has no bfloat16 instructions"
    how = "computed in bfloat16" if autocasts(policy) or asked == "bfloat16" else "computed in float32"
    asks = "" if "auto" in (policy.dtype, policy.autocast) else "; the profile asks for it"
    return f"weights in {dtype}, {how} ({why}{asks})"
