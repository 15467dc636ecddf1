"""In which numbers this machine computes: bfloat16 pays only where it has instructions for it.

Elsewhere torch emulates bfloat16, and a training step takes longer than in float32.
"""

from __future__ import annotations

import torch

from rrvf.profile import PolicyConfig

#: What `torch.cpu.get_capabilities` calls them: x86's two, Arm's two.
INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "sve_bf16", "bf16")


def bfloat16_here() -> str | None:
    """What computes in bfloat16 on this machine, by name; None where nothing does."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0) if torch.cuda.is_bf16_supported(including_emulation=False) else None
    able = torch.cpu.get_capabilities()
    return next((name for name in INSTRUCTIONS if able.get(name)), None)


def weights_dtype(asked: str) -> str:
    """A profile's `dtype` with `auto` decided."""
    if asked != "auto":
        return asked
    return "bfloat16" if bfloat16_here() else "float32"


def autocasts(policy: PolicyConfig) -> bool:
    """Whether training computes in bfloat16 over the weights as they are.

    A profile's `autocast` with `auto` decided.
    """
    return bool(bfloat16_here()) if policy.autocast == "auto" else policy.autocast


def described(policy: PolicyConfig, trained: str | None = None) -> str:
    """The choice and its reason, on one line.

    trained: the dtype that the weights are trained in, where it is another.
    """
    able, asked = bfloat16_here(), weights_dtype(policy.dtype)
    dtype = trained or asked
    why = f"this machine computes in bfloat16: {able}" if able else "this machine has no bfloat16 instructions"
    how = "computed in bfloat16" if autocasts(policy) or asked == "bfloat16" else "computed in float32"
    asks = "" if "auto" in (policy.dtype, policy.autocast) else "; the profile asks for it"
    return f"weights in {dtype}, {how} ({why}{asks})"
