"""The advantage of an episode in its group of G (GRPO), and the form that the paper prints (decisions D1)."""

from __future__ import annotations

import torch


def against_best(advantages: torch.Tensor, unscored: torch.Tensor) -> torch.Tensor:
    """(r - max r) / std r from TRL's (r - mean r) / std r: the divisor is the same, so the largest one is taken off.

    advantages, unscored: [groups, G]. An episode whose judge failed is in no group and gets 0; the 0 that it has here
    is never above the largest.

    >>> rewards = torch.tensor([[1.0, 2.0, 3.0]])
    >>> mean = (rewards - rewards.mean(1, keepdim=True)) / rewards.std(1, keepdim=True)
    >>> mean
    tensor([[-1.,  0.,  1.]])
    >>> against_best(mean, torch.tensor([[False, False, False]]))
    tensor([[-2., -1.,  0.]])
    """
    return (advantages - advantages.max(dim=1, keepdim=True).values).masked_fill(unscored, 0.0)
