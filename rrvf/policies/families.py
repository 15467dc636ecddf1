"""The families of vision-language models that are known here, and how each is spoken to.

A prompt is written by the family's own chat template, which comes with the model. Training needs turns of a tool
besides, which few templates have: there they are added to the family's own, and the prompt stays what it was, letter by
letter.
"""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PretrainedConfig, ProcessorMixin

from rrvf.errors import UserError
from rrvf.protocol import CHAT_TEMPLATE, RESPONSE_TEMPLATE

#: Turns as `<|im_start|>role` and a picture as `<|vision_start|><|image_pad|><|vision_end|>`: what CHAT_TEMPLATE
#: writes.
_QWEN = "qwen"


@dataclass(frozen=True)
class Family:
    """name: as its authors call it. turns: which of our templates writes its turns of a tool; empty where none does."""

    name: str
    turns: str = ""


#: By `model_type` of a model's config.json.
FAMILIES = {
    "qwen2_5_vl": Family("Qwen2.5-VL", _QWEN),
    "qwen3_vl": Family("Qwen3-VL", _QWEN),
    "internvl": Family("InternVL3 (-hf)"),
    "llava_onevision": Family("LLaVA-OneVision"),
    "smolvlm": Family("SmolVLM"),
    "idefics3": Family("Idefics3"),
}


def family_of(path: str) -> Family:
    """The family of a folder or hub id.

    UserError for one that is not known: no model is spoken to in another's words.
    """
    try:
        kind = PretrainedConfig.get_config_dict(path)[0].get("model_type", "")
    except (OSError, ValueError) as error:
        raise UserError(f"no model at {path}: {str(error).splitlines()[0]}") from None
    if kind not in FAMILIES:
        known = ", ".join(family.name for family in FAMILIES.values())
        hint = "; take the -hf one" if kind == "internvl_chat" else ""
        raise UserError(
            f"{path} is a model of type {kind or 'unknown'!r}{hint}: known are {known}; any other can be served and "
            "named by its URL"
        )
    return FAMILIES[kind]


def own_template(processor: ProcessorMixin, path: str, family: Family) -> None:
    """See that `processor` has a chat template; the Qwen families' tool template serves one that lost its own."""
    template = processor.chat_template or processor.tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not template and family.turns != _QWEN:
        raise UserError(f"{path} has no chat template: take it from the model's own repository (chat_template.jinja)")
    processor.chat_template = processor.tokenizer.chat_template = template or CHAT_TEMPLATE


def with_tool_turns(processor: ProcessorMixin, path: str, family: Family) -> None:
    """Give `processor` what TRL needs.

    A template with turns of a tool and marks of the assistant's words, and how calls are found. UserError for a family
    that TRL cannot train so, and for a template whose prompts ours would change.
    """
    if not family.turns:
        raise UserError(
            f"{family.name} can be evaluated but not trained here: TRL needs a chat template with turns of a tool and "
            "{% generation %} marks, and has none for it; train a Qwen2.5-VL or Qwen3-VL"
        )
    own = processor.chat_template
    template = _system(_prompt(processor, own)) + CHAT_TEMPLATE
    if _prompt(processor, template) != _prompt(processor, own):
        raise UserError(
            f"the chat template of {path} is not {family.name}'s: turns of a tool cannot be added to it without "
            "changing its prompts; restore the family's chat_template.jinja"
        )
    processor.chat_template = processor.tokenizer.chat_template = template
    processor.tokenizer.response_template = RESPONSE_TEMPLATE


def _prompt(processor: ProcessorMixin, template: str) -> str:
    asked = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Redraw it."}]}]
    return processor.apply_chat_template(asked, chat_template=template, add_generation_prompt=True, tokenize=False)


def _system(prompt: str) -> str:
    """What a template says before the first turn, as a piece of a template; empty where it says nothing."""
    before, turn, _ = prompt.partition("<|im_start|>user\n")
    if not turn or not before:
        return ""
    return "{%- if messages[0].role != 'system' -%}{{ " + repr(before) + " }}{%- endif -%}"
