"""Qwen2.5-VL's vision half, made faster for many small pictures.

Equally large pictures of a batch are attended to at once, patches are embedded by a matrix product, and a picture that
neighbours in the batch share is encoded once.

Without flash attention, transformers attends to one picture after another and embeds patches by a convolution. On a CPU
with many small pictures, these take half of a pre-training step. Pictures of different sizes keep the loop. Results are
equal up to rounding.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import torch
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as qwen

stock_attention = qwen.Qwen2_5_VLVisionAttention.forward
stock_embedding = qwen.Qwen2_5_VisionPatchEmbed.forward
stock_features = qwen.Qwen2_5_VLModel.get_image_features


def _attend(self, hidden_states, cu_seqlens, position_embeddings=None, max_seqlen=None, **kwargs):
    total, chunks = hidden_states.shape[0], len(cu_seqlens) - 1
    equal = total % chunks == 0 and bool((cu_seqlens.diff() == total // chunks).all())
    if not equal or self.config._attn_implementation != "sdpa":
        return stock_attention(self, hidden_states, cu_seqlens, position_embeddings, max_seqlen, **kwargs)
    q, k, v = self.qkv(hidden_states).reshape(total, 3, self.num_heads, -1).unbind(1)
    q, k = qwen.apply_rotary_pos_emb_vision(q, k, *position_embeddings)
    q, k, v = (t.reshape(chunks, total // chunks, self.num_heads, -1).transpose(1, 2) for t in (q, k, v))
    # Plain products, because the backward pass of torch's fused kernel is slow for sequences this short.
    seen = (q * self.scaling @ k.transpose(-1, -2)).softmax(-1).to(v.dtype) @ v
    return self.proj(seen.transpose(1, 2).reshape(total, -1))


def _embed(self, hidden_states: torch.Tensor) -> torch.Tensor:
    weight = self.proj.weight
    return torch.nn.functional.linear(hidden_states.to(weight.dtype), weight.flatten(1))


def _features(self, pixel_values, image_grid_thw=None, **kwargs):
    pictures = pixel_values.split(image_grid_thw.prod(-1).tolist())
    new = [True, *(not torch.equal(a, b) for a, b in pairwise(pictures))]
    if all(new):
        return stock_features(self, pixel_values, image_grid_thw, **kwargs)
    some = [p for p, first in zip(pictures, new, strict=True) if first]
    seen = stock_features(self, torch.cat(some), image_grid_thw[new], **kwargs)
    seen.pooler_output = tuple(seen.pooler_output[n - 1] for n in accumulate(new))
    return seen


def batched_vision() -> None:
    """Use the batched attention and embedding in every Qwen2.5-VL model of this process."""
    qwen.Qwen2_5_VLVisionAttention.forward = _attend
    qwen.Qwen2_5_VisionPatchEmbed.forward = _embed


def shared_looks() -> None:
    """Encode a picture that neighbours in a batch share only once, in every Qwen2.5-VL model of this process."""
    qwen.Qwen2_5_VLModel.get_image_features = _features


def vision_for_this_machine() -> None:
    """Share encodings; on a CPU also batch. On a GPU the stock forms are faster for large pictures."""
    shared_looks()
    if not torch.cuda.is_available():
        batched_vision()
