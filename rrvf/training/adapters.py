"""Merge LoRA adapters into the weights for sampling, without changing the base weights.

Merging and unmerging in place is not exact in bfloat16: after 60 steps 15 % of the base weights had changed. So the sum
is a new tensor: added in float32, rounded once, and dropped after use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from peft.tuners.lora import LoraLayer


def adapted_layers(model: torch.nn.Module) -> list[LoraLayer]:
    """The layers of a model that have adapters."""
    return [module for module in model.modules() if isinstance(module, LoraLayer)]


def laid_in(layer: LoraLayer) -> torch.Tensor:
    """A layer's weight plus its active adapters: a new tensor, added in float32, rounded once to the weight's dtype."""
    weight = layer.get_base_layer().weight.data
    delta = sum(layer.get_delta_weight(name).detach().float() for name in layer.active_adapters)
    return (weight.float() + delta).to(weight.dtype)


@contextmanager
def merged(model: torch.nn.Module) -> Iterator[None]:
    """Inside the block the layers use merged weights. Afterwards the base weights are back, bit for bit."""
    layers = adapted_layers(model)
    weights = [layer.get_base_layer().weight.data for layer in layers]
    try:
        for layer in layers:
            layer.get_base_layer().weight.data = laid_in(layer)
            layer.merged_adapters.extend(layer.active_adapters)
        yield
    finally:
        for layer, weight in zip(layers, weights, strict=True):
            layer.merged_adapters.clear()
            layer.get_base_layer().weight.data = weight


def sampler_weights(
    model: torch.nn.Module, stock: Callable[[], Iterator[tuple[str, torch.Tensor]]]
) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights that vLLM gets after each step: names as in TRL, adapters merged, one layer at a time.

    stock: TRL's own iterator over the weights. It would merge and unmerge the adapters in place, so that is disabled.
    """
    layers = {layer.get_base_layer().weight.data_ptr(): layer for layer in adapted_layers(model)}
    model.merge_adapter = model.unmerge_adapter = lambda *args, **kwargs: None
    try:
        for name, weight in stock():
            layer = layers.get(weight.data_ptr())
            yield name, weight if layer is None else laid_in(layer)
    finally:
        for name in ("merge_adapter", "unmerge_adapter"):
            vars(model).pop(name, None)
