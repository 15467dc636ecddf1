"""The advantage as the paper prints it, against the best episode of the group (decisions D1)."""

from __future__ import annotations

import torch


def against_best(advantages: torch.Tensor, unscored: torch.Tensor) -> torch.Tensor:
    """Turn TRL's (r - mean r) / std r into (r - max r) / std r: subtract the largest advantage of each group.

    advantages, unscored: [groups, G]. unscored marks episodes without a reward. TRL gives them the advantage 0, which
    is never above the largest one; they get 0 here too.

    >>> rewards = torch.tensor([[1.0, 2.0, 3.0]])
    >>> mean = (rewards - rewards.mean(1, keepdim=True)) / rewards.std(1, keepdim=True)
    >>> mean
    tensor([[-1.,  0.,  1.]])
    >>> against_best(mean, torch.tensor([[False, False, False]]))
    tensor([[-2., -1.,  0.]])
    """
    return (advantages - advantages.max(dim=1, keepdim=True).values).masked_fill(unscored, 0.0)
