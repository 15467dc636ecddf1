"""The tokens that stand for pictures: a policy reads them and must never write them.

A generated `<|image_pad|>` or `<|video_pad|>` refers to a picture that does not exist. Processors count these tokens
and compute positions from them.
"""

from __future__ import annotations

import re

from transformers import PreTrainedTokenizerBase

_OF_PICTURES = re.compile(r"<[|/]?\w*(?:vision|image|video|img|media)\w*\|?>", re.IGNORECASE)


def picture_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of picture tokens: Qwen's `<|vision_start|>` and `<|image_pad|>`, LLaVA's `<image>`, and the like."""
    return sorted(i for token, i in tokenizer.get_added_vocab().items() if _OF_PICTURES.fullmatch(token))
