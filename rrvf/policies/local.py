"""A policy that runs here, on transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin

from rrvf.errors import UserError
from rrvf.pictures import misfit
from rrvf.policies.precision import weights_dtype
from rrvf.policies.tokens import picture_tokens
from rrvf.policies.vision import vision_for_this_machine
from rrvf.policies.writing import write_on_cpus
from rrvf.protocol import CHAT_TEMPLATE, RESPONSE_TEMPLATE, without_tokens


def resolve_model(name: str) -> str:
    """What `from_pretrained` takes: the shipped checkpoint for `nano` (verified), else the folder or hub id itself."""
    if name != "nano":
        return name
    from rrvf import nano

    nano.verify()
    return str(nano.CHECKPOINT)


def load_processor(name: str) -> ProcessorMixin:
    """The model's own processor with this project's chat template (the stock one is refused for tools by TRL)."""
    path = resolve_model(name)
    try:
        processor = AutoProcessor.from_pretrained(path)
    except OSError as error:
        raise UserError(f"no model at {path}: {str(error).splitlines()[0]}") from None
    if not isinstance(processor, ProcessorMixin):
        raise UserError(f"{path} has no picture processor: it is not a vision-language model")
    processor.chat_template = processor.tokenizer.chat_template = CHAT_TEMPLATE
    processor.tokenizer.response_template = RESPONSE_TEMPLATE
    processor.tokenizer.padding_side = "left"
    return processor


def load_model(name: str, dtype: str) -> PreTrainedModel:
    """The model in its dtype, with the forms of vision and writing that suit this machine."""
    vision_for_this_machine()
    model = AutoModelForImageTextToText.from_pretrained(resolve_model(name), dtype=getattr(torch, weights_dtype(dtype)))
    write_on_cpus(model)
    return model


class LocalPolicy:
    """Greedy generation in batches. `model` is `nano`, a folder, or a hub id."""

    def __init__(self, model: str, dtype: str = "float32", max_new_tokens: int = 4_096) -> None:
        self.name = model
        self.max_new_tokens = max_new_tokens
        self.processor = load_processor(model)
        self.model = load_model(model, dtype).to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def reply(self, pictures: list[Image.Image], prompt: str) -> list[str]:
        """One turn per picture: the text that the policy writes after picture and prompt."""
        return self.chat([[first_message(picture, prompt)] for picture in pictures])

    @torch.inference_mode()
    def chat(self, conversations: list[list[dict]], sample: bool = False, temperature: float = 1.0) -> list[str]:
        """The next turn of each conversation (messages with pictures inside). Special tokens are left out."""
        texts = [
            self.processor.apply_chat_template(_harmless(c), add_generation_prompt=True, tokenize=False)
            for c in conversations
        ]
        pictures = [part["image"] for c in conversations for part in _image_parts(c)]
        if problem := next((p for p in (misfit(*picture.size) for picture in pictures) if p), None):
            raise UserError(f"{problem}: the policy cannot look at it")
        batch = self.processor(text=texts, images=pictures or None, padding=True, return_tensors="pt")
        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0} if sample else {}
        output = self.model.generate(
            **batch.to(self.model.device),
            **(sampling or {"do_sample": False}),
            max_new_tokens=self.max_new_tokens,
            suppress_tokens=picture_tokens(self.processor.tokenizer),
        )
        new = output[:, batch["input_ids"].shape[1] :]
        return self.processor.batch_decode(new, skip_special_tokens=True)


def first_message(picture: Image.Image, prompt: str) -> dict:
    """The user's message that opens an episode."""
    return {"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": prompt}]}


def _harmless(conversation: list[dict]) -> list[dict]:
    """Its messages, with tokens that are spelt in their text broken."""

    def part(value: dict) -> dict:
        return value | {"text": without_tokens(value["text"])} if value.get("type") == "text" else value

    texts = (message["content"] for message in conversation)
    safe = (without_tokens(text) if isinstance(text, str) else [part(p) for p in text] for text in texts)
    return [message | {"content": content} for message, content in zip(conversation, safe, strict=True)]


def _image_parts(conversation: list[dict]) -> Iterator[dict]:
    for message in conversation:
        if isinstance(message["content"], list):
            yield from (part for part in message["content"] if part.get("type") == "image")


def fitting(path: Path) -> Path:
    """`path`, a picture that a policy can look at; UserError for one outside the bounds, or that is no picture."""
    try:
        with Image.open(path) as image:
            problem = misfit(*image.size)
            image.verify()  # a PNG's checksums
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        problem = f"no picture that can be read ({type(error).__name__})"
    if problem:
        raise UserError(f"{path}: {problem}")
    return path


def read_picture(path: Path) -> Image.Image:
    """A picture file as RGB; UserError as `fitting`, and where its data is damaged."""
    try:
        with Image.open(fitting(path)) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path}: the picture is damaged ({error})") from None
