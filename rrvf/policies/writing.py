"""Generation on a CPU: rows that have ended leave the batch, and the cache grows with the text.

transformers' own loop computes every row until the longest one ends, over a cache as wide as the longest possible row.
On a CPU, reading the cache dominates the cost of a token, and most turns are a third of the longest. The answers are
the same up to rounding; `bench/writing.py` compares the two loops.
"""

from __future__ import annotations

from functools import partial

import torch
from torch.nn.functional import pad
from transformers import (
    Cache,
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    Qwen2_5_VLForConditionalGeneration,
    StoppingCriteriaList,
)

#: The cache grows by this many tokens at a time.
BLOCK = 64
#: Ended rows leave the batch when they make up this share of it, because dropping rows copies the others.
ENDED = 1 / 8


def write_on_cpus(model: PreTrainedModel) -> None:
    """Make `model.generate` use this module's loop.

    Does nothing on a machine with a GPU, or for models other than Qwen2.5-VL.
    """
    if not torch.cuda.is_available() and isinstance(model, Qwen2_5_VLForConditionalGeneration):
        model.generate = partial(model.generate, custom_generate=_write, cache_implementation="static")


def _write(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    synced_gpus: bool = False,
    streamer=None,
    **state,
) -> torch.Tensor:
    """The loop that `generate` calls. Returns prompts and answers [B, longest], padded on the right."""
    padding = generation_config._pad_token_tensor
    written = input_ids.new_full((len(input_ids), stopping_criteria.max_length), padding.item())
    rows, ended = torch.arange(len(input_ids)), torch.zeros(len(input_ids), dtype=torch.bool)
    _widen(state["past_key_values"], input_ids.shape[1])
    outputs = model._prefill(input_ids, generation_config, state)
    while True:
        state = model._update_model_kwargs_for_generation(outputs, state)
        scores = logits_processor(input_ids, outputs.logits[:, -1].float())
        tokens = _drawn(scores) if generation_config.do_sample else scores.argmax(-1, keepdim=True)
        input_ids = torch.cat([input_ids, tokens.masked_fill(ended[:, None], padding)], dim=1)
        ended |= stopping_criteria(input_ids, None)
        if ended.all():
            written[rows, : input_ids.shape[1]] = input_ids
            return written[:, : input_ids.shape[1]]
        if ended.sum() >= ENDED * len(ended):
            written[rows[ended], : input_ids.shape[1]] = input_ids[ended]
            input_ids, rows, ended = _keep(state, ~ended, input_ids, rows, ended)
        _widen(state["past_key_values"], input_ids.shape[1])
        outputs = model(**model.prepare_inputs_for_generation(input_ids, next_sequence_length=1, **state))


def _drawn(scores: torch.Tensor) -> torch.Tensor:
    """One token per row [B, 1], sampled by `scores` [B, V]: the entry where the cumulative sum passes a random number.

    `multinomial` would draw one number for every entry of the vocabulary.
    """
    sums = scores.softmax(-1).cumsum(-1)
    # The random number is scaled by the last sum, so that rounding never points past the last entry. It is never 0,
    # because 0 would select a first entry of probability 0.
    return torch.searchsorted(sums, (1 - torch.rand(len(sums), 1)) * sums[:, -1:])


def _keep(state: dict, rows: torch.Tensor, *others: torch.Tensor) -> list[torch.Tensor]:
    """Keep only some rows of the loop's state (in place) and of `others`."""
    for name in ("attention_mask", "mm_token_type_ids"):
        if state.get(name) is not None:
            state[name] = state[name][rows]
    state["position_ids"] = state["position_ids"][:, rows]
    for layer in state["past_key_values"].layers:
        layer.keys, layer.values = layer.keys[rows], layer.values[rows]
    return [other[rows] for other in others]


def _widen(cache: Cache, tokens: int) -> None:
    """Make room for `tokens` in a static cache, rounded up to a whole block."""
    width = -(-tokens // BLOCK) * BLOCK
    for layer in cache.layers:
        if layer.is_initialized and width > layer.max_cache_len:
            more = width - layer.max_cache_len
            layer.keys, layer.values = (pad(t, (0, 0, 0, more)) for t in (layer.keys, layer.values))
        layer.max_cache_len = width
