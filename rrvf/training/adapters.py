"""Adapters laid into the weights that they belong to, while the policy writes; the weights themselves stay as they are.

A sum that is taken apart again is not what it was: merged and unmerged in bfloat16 at each of 60 steps, 15 % of the
base weights had changed. So the sum is made in float32 beside the weights, rounded once, and dropped after use.
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
    """A layer's weight and its adapters in one new tensor: added in float32, rounded once to the weight's dtype."""
    weight = layer.get_base_layer().weight.data
    delta = sum(layer.get_delta_weight(name).detach().float() for name in layer.active_adapters)
    return (weight.float() + delta).to(weight.dtype)


@contextmanager
def merged(model: torch.nn.Module) -> Iterator[None]:
    """Inside the block the adapters lie in the weights; afterwards the weights are what they were, to the bit."""
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
    """What vLLM is given after each step: TRL's own names and weights, adapters laid in, one layer at a time.

    stock: TRL's walk over the weights, which would merge adapters into them and take them out again.
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
