"""Qwen2.5-VL's vision attention over a batch of equal pictures at once.

Without flash attention transformers attends to one picture after another; on a CPU, with many small pictures, that loop
is half of a training step. Equal pictures are one batched product; unequal ones keep the loop. The same result up to rounding.
"""

from __future__ import annotations

from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as qwen

_stock_forward = qwen.Qwen2_5_VLVisionAttention.forward


def _forward(self, hidden_states, cu_seqlens, position_embeddings=None, max_seqlen=None, **kwargs):
    total, chunks = hidden_states.shape[0], len(cu_seqlens) - 1
    equal = total % chunks == 0 and bool((cu_seqlens.diff() == total // chunks).all())
    if not equal or self.config._attn_implementation != "sdpa":
        return _stock_forward(self, hidden_states, cu_seqlens, position_embeddings, max_seqlen, **kwargs)
    q, k, v = self.qkv(hidden_states).reshape(total, 3, self.num_heads, -1).unbind(1)
    q, k = qwen.apply_rotary_pos_emb_vision(q, k, *position_embeddings)
    q, k, v = (t.reshape(chunks, total // chunks, self.num_heads, -1).transpose(1, 2) for t in (q, k, v))
    # Plain products: torch's fused kernel is slow backwards over sequences this short.
    seen = (q * self.scaling @ k.transpose(-1, -2)).softmax(-1).to(v.dtype) @ v
    return self.proj(seen.transpose(1, 2).reshape(total, -1))


def batch_vision_attention() -> None:
    """Use the batched form in this process, for every Qwen2.5-VL model."""
    qwen.Qwen2_5_VLVisionAttention.forward = _forward
