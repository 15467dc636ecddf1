"""Prompts are files named `STYLE_DOMAIN_MODE.txt`. Every result carries the hash of its prompt.

Styles: `full` for real models, `nano` for the small policy that ships with the project. Modes: `tools` for training
(Alg. 1, line 1) and `direct` for the paper's single-turn evaluation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rrvf.domains import Domain

if TYPE_CHECKING:
    from PIL import Image

_FOLDER = Path(__file__).parent

#: Qwen2.5-VL's turns, with a tool reply as a user turn. Needed because TRL refuses tools with the stock template.
CHAT_TEMPLATE = (_FOLDER / "chat_template.jinja").read_text()

#: The name under which TRL calls the environment for any `<tool_call>`. `parse_call` reads the call's own JSON.
TOOL_METHOD = "render_and_compare"

#: How TRL finds the call in a completion: the rule of `parse_turn`, as one opening pattern that matches the whole tag
#: pair. With separate patterns, TRL's parser would close an open region at the end of the text and so execute a
#: truncated call.
RESPONSE_TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "tool_calls": {
            "open_pattern": r"(?s)(?<!<(?:think|answer)>(?:(?!</think>).)*)"
            r"<tool_call>(?P<call>(?:(?!</?tool_call>|<\|im_end\|>).)*)</tool_call>(?=\s*(?:<\|im_end\|>|\Z))",
            "close_pattern": r"(?=)",
            "repeats": True,
            "content": "text",
            "transform": {"type": "function", "function": {"name": TOOL_METHOD, "arguments": {"call": "{call}"}}},
        },
        "content": {
            "close_pattern": r"<\|im_end\|>\s*",
            "content": "text",
            "content_args": {"strip": False},
            "repeats": True,
            "join": "",
        },
    },
}


@dataclass(frozen=True)
class Prompt:
    """The text after the picture in the user's turn, and its hash."""

    text: str
    sha256: str


def load_prompt(
    domain: Domain, mode: Literal["tools", "direct"], style: Literal["full", "nano"] = "full", max_turns: int = 4
) -> Prompt:
    """The prompt of one domain, mode and style. `full` prompts for `tools` state the number of turns, T_max."""
    text = (_FOLDER / f"{style}_{domain.name}_{mode}.txt").read_text(encoding="utf-8").strip()
    text = text.replace("{max_turns}", str(max_turns))
    return Prompt(text, hashlib.sha256(text.encode()).hexdigest())


def first_message(picture: Image.Image, prompt: str) -> dict:
    """The user message that opens an episode."""
    return {"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": prompt}]}
