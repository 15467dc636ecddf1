"""LoRA with weights in bfloat16: the weights used for sampling, and the base weights after many steps."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from scripted import Model
from trl.generation.vllm_generation import VLLMGeneration

from rrvf.training.adapters import adapted_layers, laid_in, merged
from rrvf.training.trainer import forget_pictures, keep_base_exact

CYCLES = 60


class Engine:
    """Replaces vLLM and keeps the last weights that it receives."""

    def __init__(self):
        self.given = {}
        executor = SimpleNamespace(driver_worker=SimpleNamespace(model_runner=SimpleNamespace(model=self)))
        self.forgotten = 0
        self.llm_engine = SimpleNamespace(model_executor=executor, reset_encoder_cache=self.reset_encoder_cache)

    def load_weights(self, named):
        self.given |= {name: weight.clone() for name, weight in named}

    def reset_prefix_cache(self):
        pass

    def reset_encoder_cache(self):
        self.forgotten += bool(self.given)


@pytest.fixture
def model(policy):
    """A policy in bfloat16 with adapters in float32, as in training."""
    torch.manual_seed(0)
    settings = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")
    return get_peft_model(Model.from_pretrained(policy, dtype=torch.bfloat16), settings)


def move(model):
    """One step of the adapters: Adam changes each number by about the learning rate, mostly in one direction."""
    for layer in adapted_layers(model):
        layer.lora_B["default"].weight.data += 1e-3


def base_of(model):
    return [layer.get_base_layer().weight.data.clone() for layer in adapted_layers(model)]


def trl_engine(model) -> VLLMGeneration:
    """TRL's own synchronisation with a stand-in for vLLM."""
    engine = VLLMGeneration.__new__(VLLMGeneration)
    engine.model, engine.mode, engine.enable_sleep_mode, engine.llm = model, "colocate", False, Engine()
    engine.accelerator = SimpleNamespace(is_main_process=True)
    engine._dist = SimpleNamespace(is_fsdp=False, gather_params=lambda params: nullcontext())
    return engine


def test_many_syncs_leave_every_base_weight_as_it_was(model):
    engine, before = trl_engine(model), base_of(model)
    keep_base_exact(engine)
    for _ in range(CYCLES):
        move(model)
        engine.sync_weights()
        with merged(model):  # as in generation by transformers
            pass
    changed = sum(int((a != b).sum()) for a, b in zip(before, base_of(model), strict=True))
    assert changed == 0 and all(p.dtype == torch.float32 for n, p in model.named_parameters() if "lora_" in n)


def test_embeddings_of_pictures_are_dropped_after_each_weight_update(model):
    engine = trl_engine(model)
    forget_pictures(engine)
    for _ in range(2):
        engine.sync_weights()
    assert engine.llm.forgotten == 2


def test_the_sampler_gets_base_and_adapters_rounded_once(model):
    engine = trl_engine(model)
    keep_base_exact(engine)
    stock = dict(Model.named_parameters(model.base_model.model))
    for _ in range(3):
        move(model)
        engine.sync_weights()
    found = 0
    for name, layer in model.named_modules():
        if layer in adapted_layers(model):
            base, a, b = layer.get_base_layer().weight, layer.lora_A["default"].weight, layer.lora_B["default"].weight
            want = (base.double() + 2.0 * (b.double() @ a.double())).float().bfloat16()
            given = engine.llm.given[name.removeprefix("base_model.model.") + ".weight"]
            assert (given != want).float().mean() < 1e-3  # ties that float32 rounds the other way
            assert torch.equal(given, laid_in(layer))
            found += 1
    assert found > 5
    assert set(engine.llm.given) == {n.replace(".base_layer", "") for n in stock if "lora_" not in n}
    assert not any(layer.merged for layer in adapted_layers(model))
