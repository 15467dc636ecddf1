"""A policy that transformers runs in this process."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin

from rrvf.errors import UserError, first_line
from rrvf.pictures import misfit
from rrvf.policies import shipped
from rrvf.policies.families import family_of, own_template, with_tool_turns
from rrvf.policies.names import checked, hub_parts
from rrvf.policies.precision import weights_dtype
from rrvf.policies.tokens import picture_tokens
from rrvf.policies.vision import vision_for_this_machine
from rrvf.policies.writing import write_on_cpus
from rrvf.protocol import first_message, tool_response_text, without_tokens


def resolve_model(name: str) -> str:
    """The argument for `from_pretrained`: the verified shipped checkpoint for `nano`, else the folder or hub id itself.

    For `ID@COMMIT` it is the folder into which the hub's files of that commit are downloaded.
    """
    hub_id, commit = hub_parts(checked(name))
    if commit:
        from huggingface_hub import snapshot_download

        try:
            return snapshot_download(hub_id, revision=commit)
        except Exception as error:
            why = first_line(error)
            raise UserError(f"no model {name} on the hub ({why[:160]}): check the network and HF_TOKEN") from None
    if name != "nano":
        return name
    shipped.verify()
    return str(shipped.CHECKPOINT)


def load_processor(name: str) -> ProcessorMixin:
    """The model's own processor with its family's chat template. Raises UserError if it cannot be loaded."""
    path = resolve_model(name)
    family = family_of(path)
    try:
        processor = AutoProcessor.from_pretrained(path)
    except OSError as error:
        raise UserError(f"no model at {path}: {first_line(error)}") from None
    except ImportError as error:  # a package that this family needs is missing
        raise UserError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(processor, ProcessorMixin):
        raise UserError(f"{path} has no picture processor: it is not a vision-language model")
    own_template(processor, path, family)
    processor.tokenizer.padding_side = "left"
    return processor


def training_processor(name: str) -> ProcessorMixin:
    """`load_processor` plus the tool turns that TRL needs."""
    processor, path = load_processor(name), resolve_model(name)
    with_tool_turns(processor, path, family_of(path))
    return processor


def load_model(name: str, dtype: str) -> PreTrainedModel:
    """The model in its dtype, with the vision and generation code that suits this machine."""
    vision_for_this_machine()
    model = AutoModelForImageTextToText.from_pretrained(resolve_model(name), dtype=getattr(torch, weights_dtype(dtype)))
    write_on_cpus(model)
    return model


class LocalPolicy:
    """Batched generation. `model` is `nano`, a folder or a hub id.

    repetition_penalty: None leaves it to the model's own files. temperature: 0 is greedy.
    """

    def __init__(
        self, model: str, dtype: str = "float32", max_new_tokens: int = 4_096, repetition_penalty: float | None = None,
        temperature: float = 0.0,
    ) -> None:  # fmt: skip
        self.name = model
        self.max_new_tokens, self.temperature = max_new_tokens, temperature
        self._penalty = {} if repetition_penalty is None else {"repetition_penalty": repetition_penalty}
        self.processor = load_processor(model)
        self.model = load_model(model, dtype).to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def reply(self, pictures: list[Image.Image], prompt: str | list[str]) -> list[str]:
        """One turn per picture. `prompt` is one for all pictures, or a list with one per picture."""
        prompts = [prompt] * len(pictures) if isinstance(prompt, str) else prompt
        return self.chat([[first_message(*pair)] for pair in zip(pictures, prompts, strict=True)])

    def close(self) -> None:
        """Free the weights, and the GPU memory that torch keeps for reuse: a server that starts later needs it."""
        del self.model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def chat(self, conversations: list[list[dict]], temperature: float | None = None) -> list[str]:
        """The next turn of each conversation (messages with pictures inside), without special tokens.

        temperature: None uses the policy's own.
        """
        temperature = self.temperature if temperature is None else temperature
        texts = [
            self.processor.apply_chat_template(_harmless(c), add_generation_prompt=True, tokenize=False)
            for c in conversations
        ]
        pictures = [[part["image"] for part in _image_parts(c)] for c in conversations]
        if problem := next((p for p in (misfit(*picture.size) for row in pictures for picture in row) if p), None):
            raise UserError(f"{problem}: the policy cannot look at it")
        batch = self.processor(
            text=texts, images=pictures if any(pictures) else None, padding=True, return_tensors="pt"
        )
        sampled = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        output = self.model.generate(
            **batch.to(self.model.device, self.model.dtype),
            **(sampled if temperature else {"do_sample": False}),
            **self._penalty,
            max_new_tokens=self.max_new_tokens,
            suppress_tokens=picture_tokens(self.processor.tokenizer),
        )
        new = output[:, batch["input_ids"].shape[1] :]
        return self.processor.batch_decode(new, skip_special_tokens=True)


def _harmless(conversation: list[dict]) -> list[dict]:
    """The messages in the form that every family's template accepts.

    Content becomes a list of parts, special tokens spelt in text are broken, and tool responses become user messages.
    """

    def parts(content: str | list[dict]) -> list[dict]:
        listed = [{"type": "text", "text": content}] if isinstance(content, str) else content
        return [p | {"text": without_tokens(p["text"])} if p.get("type") == "text" else p for p in listed]

    return [
        {"role": "user", "content": parts(tool_response_text(m["content"]))}
        if m["role"] == "tool"
        else m | {"content": parts(m["content"])}
        for m in conversation
    ]


def _image_parts(conversation: list[dict]) -> Iterator[dict]:
    for message in conversation:
        if isinstance(message["content"], list):
            yield from (part for part in message["content"] if part.get("type") == "image")
