"""Architecture of the nano policy: transformers' Qwen2.5-VL with full attention in every layer, in three sizes.

Pictures have at most 280x224 pixels: 20 x 16 patches of 14x14, merged two by two into 80 visual tokens of 28x28 pixels.
Attention heads are 32 wide, the least that vLLM's CPU attention accepts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from rrvf.domains import NANO_CANVAS
from rrvf.protocol import CHAT_TEMPLATE

PATCH, MERGED = 14, 28
HEAD = 32
VOCABULARY = 1536


@dataclass(frozen=True)
class Size:
    """Layers and widths of the vision tower and the language model. Widths are multiples of 32."""

    vision_layers: int
    vision_width: int
    text_layers: int
    text_width: int


#: 2.4, 4.3 and 9.4 million parameters. The package ships `nano`.
SIZES = {"small": Size(4, 128, 4, 128), "nano": Size(4, 160, 4, 192), "large": Size(6, 192, 6, 256)}

#: Qwen2.5-VL's control tokens. The first is padding, the third ends a turn.
CONTROL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
#: The protocol's tags: one token each, but not special tokens, so decoding keeps them.
TAGS = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
]

_MARKS = r"[^\sA-Za-z0-9_\\<]+"
#: The pieces that text is split into before BPE: an escaped line end, a digit, an HTML tag, a CSS property, a word or
#: attribute, a run of punctuation marks.
PIECES = (
    r"\\n|[0-9]| ?</?[a-z]+[0-9]?>?|;?[a-z-]+:| ?\.?[A-Za-z_]+"
    rf"| ?{_MARKS}(?: {_MARKS})* ?|\s+|<!?|\\"
)


def build_tokenizer(corpus: list[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on the texts of `corpus`. Every digit is a token; common words are one token."""
    tokenizer = Tokenizer(models.BPE())
    words = pre_tokenizers.Split(Regex(PIECES), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(TAGS), special_tokens=CONTROL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=CONTROL[1:],
        model_max_length=2048,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build_processor(tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLProcessor:
    """Qwen2.5-VL's stock processor. It shrinks pictures to at most the pixels of the nano canvas."""
    largest = NANO_CANVAS.width * NANO_CANVAS.height
    half = [0.5, 0.5, 0.5]
    pictures = Qwen2VLImageProcessor(
        patch_size=PATCH, merge_size=2, min_pixels=MERGED * MERGED, max_pixels=largest, image_mean=half, image_std=half
    )
    video = Qwen2VLVideoProcessor(patch_size=PATCH, merge_size=2, image_mean=half, image_std=half)
    return Qwen2_5_VLProcessor(
        image_processor=pictures, tokenizer=tokenizer, video_processor=video, chat_template=CHAT_TEMPLATE
    )


def config(vocabulary: int = VOCABULARY, size: Size = SIZES["nano"]) -> Qwen2_5_VLConfig:
    """Qwen2.5-VL's configuration at `size`. The id of a control token is its index in CONTROL."""
    ids = {token: place for place, token in enumerate(CONTROL)}
    rope = {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 1_000_000.0}
    text = {
        "vocab_size": vocabulary,
        "hidden_size": size.text_width,
        "intermediate_size": 3 * size.text_width,
        "num_hidden_layers": size.text_layers,
        "num_attention_heads": size.text_width // HEAD,
        "num_key_value_heads": size.text_width // HEAD,
        "max_position_embeddings": 2048,
        "rope_parameters": rope,
        "tie_word_embeddings": True,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }
    vision = {
        "depth": size.vision_layers,
        "hidden_size": size.vision_width,
        "intermediate_size": 3 * size.vision_width,
        "num_heads": size.vision_width // HEAD,
        "out_hidden_size": size.text_width,
        "patch_size": PATCH,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": list(range(size.vision_layers)),
    }
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def build_model(seed: int = 0, size: Size = SIZES["nano"]) -> Qwen2_5_VLForConditionalGeneration:
    """A new model with random weights. Seeds torch with `seed`."""
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(config(size=size))
    model.generation_config.eos_token_id = CONTROL.index("<|im_end|>")
    model.generation_config.pad_token_id = CONTROL.index("<|endoftext|>")
    return model


def patches(pictures: np.ndarray | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 [B, H, W, 3] to the processor's pixel_values [B*h*w, 1176] and image_grid_thw [B, 3].

    H and W must be multiples of 28. Much faster than the processor, which takes one picture at a time. A test compares
    the two.
    """
    x = torch.as_tensor(pictures).float().permute(0, 3, 1, 2) / 127.5 - 1
    batch, (h, w) = len(x), (x.shape[2] // PATCH, x.shape[3] // PATCH)
    x = x.reshape(batch, 3, h // 2, 2, PATCH, w // 2, 2, PATCH).permute(0, 2, 5, 3, 6, 1, 4, 7)
    x = x.reshape(batch * h * w, 3, 1, PATCH, PATCH).expand(-1, 3, 2, PATCH, PATCH).reshape(batch * h * w, -1)
    return x, torch.tensor([[1, h, w]] * batch, device=x.device)


def save(model: Qwen2_5_VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Save a folder that `from_pretrained`, `AutoProcessor` and vLLM can load."""
    for part in (model.config.text_config, model.config.vision_config):
        part.dtype = None  # so that the saved dtype is the weights', not the one of training
    model.save_pretrained(folder)
    build_processor(tokenizer).save_pretrained(folder)
