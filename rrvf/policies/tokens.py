"""The tokens that stand for pictures: a policy reads them and must never write them.

A written `<|image_pad|>` or `<|video_pad|>` is a picture that nobody has: processors count them, and positions are made
of them.
"""

from __future__ import annotations

import re

from transformers import PreTrainedTokenizerBase

_OF_PICTURES = re.compile(r"<[|/]?\w*(?:vision|image|video|img|media)\w*\|?>", re.IGNORECASE)


def picture_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Their ids: Qwen's `<|vision_start|>` and `<|image_pad|>`, LLaVA's `<image>`, InternVL's `<IMG_CONTEXT>`, ..."""
    return sorted(i for token, i in tokenizer.get_added_vocab().items() if _OF_PICTURES.fullmatch(token))
