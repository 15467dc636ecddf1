"""A picture as the policy sees it while it trains: no larger than the context has room for.

A picture costs a token for each 28 x 28 pixels, up to 16,384 of them. One that does not fit into vLLM's context would
end a run that has cost hours, so it is made smaller as the processor makes pictures smaller, before processor and
engine see it: both then find nothing left to do, and count the same tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image
from transformers import ProcessorMixin
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

from rrvf.errors import UserError


@dataclass(frozen=True)
class Bound:
    """side: of the square of pixels that costs a token. tokens: how many a picture may cost."""

    side: int
    tokens: int

    def size(self, width: int, height: int) -> tuple[int, int]:
        """What a picture of `width` x `height` is made, or stays where it fits: width and height."""
        if round(width / self.side) * round(height / self.side) <= self.tokens:
            return width, height
        new_height, new_width = smart_resize(
            height, width, self.side, min_pixels=self.side**2, max_pixels=self.tokens * self.side**2
        )
        return new_width, new_height

    def bounded(self, picture: Image.Image) -> Image.Image:
        """`picture`, smaller where it has to be."""
        size = self.size(*picture.size)
        return picture if size == picture.size else picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def bound_of(processor: ProcessorMixin, prompts: list[str], max_prompt_tokens: int) -> Bound | None:
    """What the longest of `prompts` leaves for a picture.

    None for a processor that does not count as Qwen2.5-VL's does.

    UserError where it leaves nothing.
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
