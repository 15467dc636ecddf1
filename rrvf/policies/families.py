"""The supported families of vision-language models, and how each one is prompted.

A prompt is written by the family's own chat template, which comes with the model. Training also needs tool turns, which
few templates support. For those families they are added to the family's own template; the prompt stays byte for byte
the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PretrainedConfig, ProcessorMixin

from rrvf.errors import UserError, first_line
from rrvf.protocol import CHAT_TEMPLATE, RESPONSE_TEMPLATE

#: Turns as `<|im_start|>role` and a picture as `<|vision_start|><|image_pad|><|vision_end|>`, as CHAT_TEMPLATE writes
#: them.
_QWEN = "qwen"


@dataclass(frozen=True)
class Family:
    """name: as its authors spell it. turns: which of our templates writes its tool turns; empty if none does."""

    name: str
    turns: str = ""


#: Keyed by `model_type` of a model's config.json.
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

    Raises UserError for an unknown family: a model must not be prompted in another family's format.
    """
    try:
        kind = PretrainedConfig.get_config_dict(path)[0].get("model_type", "")
    except (OSError, ValueError) as error:
        raise UserError(f"no model at {path}: {first_line(error)}") from None
    if kind not in FAMILIES:
        known = ", ".join(family.name for family in FAMILIES.values())
        hint = "; take the -hf one" if kind == "internvl_chat" else ""
        raise UserError(
            f"{path} is a model of type {kind or 'unknown'!r}{hint}: supported are {known}; serve any other "
            "model and give its URL"
        )
    return FAMILIES[kind]


def own_template(processor: ProcessorMixin, path: str, family: Family) -> None:
    """Ensure that `processor` has a chat template. Without one, Qwen models get CHAT_TEMPLATE, others a UserError."""
    template = processor.chat_template or processor.tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not template and family.turns != _QWEN:
        raise UserError(f"{path} has no chat template: take it from the model's own repository (chat_template.jinja)")
    processor.chat_template = processor.tokenizer.chat_template = template or CHAT_TEMPLATE


def with_tool_turns(processor: ProcessorMixin, path: str, family: Family) -> None:
    """Give `processor` what TRL needs: a template with tool turns and assistant masks, and the rule that finds calls.

    Raises UserError for a family that TRL cannot train this way, and for a template whose prompts would change.
    """
    if not family.turns:
        raise UserError(
            f"{family.name} can be evaluated but not trained here: TRL needs a chat template with tool turns and "
            "{% generation %} marks, and has none for it; train a Qwen2.5-VL or Qwen3-VL"
        )
    own = processor.chat_template
    template = _system(_prompt(processor, own)) + CHAT_TEMPLATE
    if _prompt(processor, template) != _prompt(processor, own):
        raise UserError(
            f"the chat template of {path} is not {family.name}'s: tool turns cannot be added to it without "
            "changing its prompts; restore the family's chat_template.jinja"
        )
    processor.chat_template = processor.tokenizer.chat_template = template
    processor.tokenizer.response_template = RESPONSE_TEMPLATE


def _prompt(processor: ProcessorMixin, template: str) -> str:
    asked = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Redraw it."}]}]
    return processor.apply_chat_template(asked, chat_template=template, add_generation_prompt=True, tokenize=False)


def _system(prompt: str) -> str:
    """The text that a template writes before the first turn, as template source. Empty if it writes none."""
    before, turn, _ = prompt.partition("<|im_start|>user\n")
    if not turn or not before:
        return ""
    return "{%- if messages[0].role != 'system' -%}{{ " + repr(before) + " }}{%- endif -%}"
