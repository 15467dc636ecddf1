"""Shrinks pictures in training so that they fit into the context.

A picture costs one token per 28 x 28 pixels, up to 16,384 tokens. A picture that does not fit into vLLM's context would
end a run after hours. So it is shrunk first, by the processor's own rule. Processor and engine then leave its size
alone, and count the same tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image
from transformers import ProcessorMixin
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

from rrvf.errors import UserError


@dataclass(frozen=True)
class Bound:
    """The largest picture in training. side: of the square of pixels that costs one token. tokens: the maximum."""

    side: int
    tokens: int

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The new width and height of a picture of `width` x `height` pixels; the same if it fits."""
        if round(width / self.side) * round(height / self.side) <= self.tokens:
            return width, height
        new_height, new_width = smart_resize(
            height, width, self.side, min_pixels=self.side**2, max_pixels=self.tokens * self.side**2
        )
        return new_width, new_height

    def bounded(self, picture: Image.Image) -> Image.Image:
        """`picture`, shrunk if it does not fit."""
        size = self.size(*picture.size)
        return picture if size == picture.size else picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def bound_of(processor: ProcessorMixin, prompts: list[str], max_prompt_tokens: int) -> Bound | None:
    """The bound that the longest of `prompts` leaves for a picture within `max_prompt_tokens`.

    None if the processor does not count picture tokens as Qwen2.5-VL's does. UserError if no token is left.
    """
    pictures = processor.image_processor
    if not hasattr(pictures, "merge_size"):
        return None
    asked = [[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}] for prompt in prompts]
    texts = [processor.apply_chat_template(a, add_generation_prompt=True, tokenize=False) for a in asked]
    longest = max(len(processor.tokenizer(text)["input_ids"]) for text in texts)
    if longest >= max_prompt_tokens:
        raise UserError(f"the prompt alone has {longest} tokens: raise max_prompt_tokens above {max_prompt_tokens}")
    return Bound(pictures.patch_size * pictures.merge_size, max_prompt_tokens - longest)
