"""Tiny random models of the real classes, one per family, with processors like the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tiny_policy import CORPUS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GotOcr2ImageProcessor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)
from trl import chat_template_utils as trl_templates

CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN = [*CHATML, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
TEXT = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
            max_position_embeddings=4096)  # fmt: skip
#: The templates that the two families ship.
INTERNVL_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}{{'<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{'<|im_start|>assistant\n' }}{% endif %}"
)
LLAVA_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + ' '}}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}"
    "{{'<|im_end|>'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def build(name: str, folder: Path) -> Path:
    """Write a tiny model of the family `name` (a key of `BUILDERS`) and its processor into `folder`."""
    torch.manual_seed(0)
    model, processor = BUILDERS[name]()
    tokenizer = processor.tokenizer
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _tokenizer(special: list[str], end: str = "<|im_end|>", **named: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=end, pad_token=special[0], additional_special_tokens=special[1:],
        extra_special_tokens=named,
    )  # fmt: skip


def _text(tokenizer: PreTrainedTokenizerFast, **more) -> dict:
    ids = dict(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None)
    return dict(vocab_size=len(tokenizer), **TEXT, **ids, **more)


def qwen2_5_vl():
    import tiny_policy

    tokenizer = _tokenizer(QWEN)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in QWEN}
    model = tiny_policy.Qwen2_5_VLForConditionalGeneration(tiny_policy._config(len(tokenizer), ids))
    pictures = Qwen2VLImageProcessor(patch_size=14, merge_size=2, min_pixels=28 * 28, max_pixels=4 * 28 * 28)
    video = Qwen2VLVideoProcessor(patch_size=14, merge_size=2)
    template = trl_templates.qwen2_5_vl_chat_template
    return model, Qwen2_5_VLProcessor(pictures, tokenizer, video, chat_template=template)


def qwen3_vl():
    tokenizer = _tokenizer(QWEN)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in QWEN}
    rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 10_000.0, "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config=_text(tokenizer, head_dim=16, rope_parameters=rope, tie_word_embeddings=True),
        vision_config=dict(depth=1, hidden_size=32, intermediate_size=64, num_heads=2, out_hidden_size=32, patch_size=16,
                           deepstack_visual_indexes=[0], num_position_embeddings=64),
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"], tie_word_embeddings=True,
    )  # fmt: skip
    pictures = Qwen2VLImageProcessor(patch_size=16, merge_size=2, min_pixels=32 * 32, max_pixels=4 * 32 * 32)
    video = Qwen3VLVideoProcessor(patch_size=16, merge_size=2)
    template = trl_templates.qwen3_vl_chat_template
    return Qwen3VLForConditionalGeneration(config), Qwen3VLProcessor(pictures, tokenizer, video, chat_template=template)


def internvl():
    named = dict(
        start_image_token="<img>", end_image_token="</img>", context_image_token="<IMG_CONTEXT>", video_token="<video>"
    )
    tokenizer = _tokenizer([*CHATML, *named.values()], **named)
    config = InternVLConfig(
        text_config=dict(model_type="qwen2", **_text(tokenizer)),
        vision_config=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
                           image_size=[28, 28], patch_size=[14, 14]),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"), downsample_ratio=0.5,
    )  # fmt: skip
    size = {"height": 28, "width": 28}
    pictures = GotOcr2ImageProcessor(size=size, crop_to_patches=True, min_patches=1, max_patches=2)
    processor = InternVLProcessor(
        pictures, tokenizer, InternVLVideoProcessor(size=size), image_seq_length=1, chat_template=INTERNVL_TEMPLATE
    )
    return InternVLForConditionalGeneration(config), processor


def llava_onevision():
    tokenizer = _tokenizer([*CHATML, "<image>", "<video>"])
    config = LlavaOnevisionConfig(
        text_config=dict(model_type="qwen2", **_text(tokenizer)),
        vision_config=dict(model_type="siglip_vision_model", hidden_size=32, intermediate_size=64, num_hidden_layers=1,
                           num_attention_heads=2, image_size=28, patch_size=14, vision_use_head=False),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), video_token_id=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[28, 28], [28, 56]], vision_feature_layer=-1,
    )  # fmt: skip
    size = {"height": 28, "width": 28}
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=[[28, 28], [28, 56]]), tokenizer,
        LlavaOnevisionVideoProcessor(size=size), num_image_tokens=4, vision_feature_select_strategy="full",
        chat_template=LLAVA_TEMPLATE,
    )  # fmt: skip
    return LlavaOnevisionForConditionalGeneration(config), processor


def _idefics(config_class, model_class, picture_class, processor_class, **video):
    special = [
        "<|endoftext|>",
        "<|im_start|>",
        "<end_of_utterance>",
        "<fake_token_around_image>",
        "<image>",
        "<global-img>",
    ]
    special += [f"<row_{row}_col_{col}>" for row in range(1, 3) for col in range(1, 3)]
    tokenizer = _tokenizer(special, "<end_of_utterance>")
    config = config_class(
        text_config=dict(model_type="llama", **_text(tokenizer)),
        vision_config=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=28,
                           patch_size=14),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), scale_factor=2, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    pictures = picture_class(size={"longest_edge": 56}, max_image_size={"longest_edge": 28})
    template = trl_templates.smolvlm_chat_template
    return model_class(config), processor_class(pictures, tokenizer, image_seq_len=1, chat_template=template, **video)


def smolvlm():
    video = SmolVLMVideoProcessor(size={"longest_edge": 56}, max_image_size={"longest_edge": 28})
    classes = SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMImageProcessor, SmolVLMProcessor
    return _idefics(*classes, video_processor=video)


def idefics3():
    return _idefics(Idefics3Config, Idefics3ForConditionalGeneration, Idefics3ImageProcessor, Idefics3Processor)


BUILDERS: dict[str, Callable] = {
    f.__name__: f for f in (qwen2_5_vl, qwen3_vl, internvl, llava_onevision, smolvlm, idefics3)
}
