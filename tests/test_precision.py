"""The data type in which a machine trains."""

from __future__ import annotations

import pytest
import torch

from rrvf.policies import precision
from rrvf.profile import PolicyConfig, load_profile
from rrvf.training.settings import shared_settings


@pytest.fixture
def processor(monkeypatch):
    """Simulates a machine without a GPU whose processor has these instructions."""

    def has(*names: str) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True} | dict.fromkeys(names, True))

    return has


@pytest.mark.parametrize(
    ("instructions", "autocast", "computes"),
    [
        (("avx512_bf16",), "auto", True),
        (("amx_bf16",), "auto", True),
        (("bf16",), "auto", True),
        ((), "auto", False),
        ((), True, True),
        (("avx512_bf16",), False, False),
    ],
)
def test_auto_takes_bfloat16_where_the_processor_computes_in_it(processor, instructions, autocast, computes):
    processor(*instructions)
    profile = load_profile("nano")
    policy = profile.policy.model_copy(update={"autocast": autocast})
    assert shared_settings(profile.model_copy(update={"policy": policy}))["bf16"] is computes
    assert f"computed in {'bfloat16' if computes else 'float32'}" in precision.described(policy)


def test_the_weights_follow_the_machine_where_that_is_asked(processor):
    processor()
    assert precision.weights_dtype("auto") == "float32" and precision.weights_dtype("bfloat16") == "bfloat16"
    processor("avx512_bf16")
    assert precision.weights_dtype("auto") == "bfloat16"


def test_the_reason_is_said(processor):
    processor()
    assert "no bfloat16 instructions" in precision.described(PolicyConfig(model="nano", autocast="auto", dtype="auto"))
