"""Prompts are files, named `STYLE_DOMAIN_MODE.txt`, and every result carries the hash of the one that made it.

Styles: `full` for real models, `nano` for the small policy that ships with the project. Modes: `tools` for training
(Alg. 1, line 1) and `direct` for the paper's single-turn evaluation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rrvf.domains import Domain

_FOLDER = Path(__file__).parent

#: Qwen2.5-VL's turns; a tool reply is a user turn; the stock template refuses tools in TRL (trl_notes 1).
CHAT_TEMPLATE = (_FOLDER / "chat_template.jinja").read_text()

#: How TRL finds the call in a completion. JSON content: a truncated call does not parse and is not executed.
RESPONSE_TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "tool_calls": {
            "open": "<tool_call>",
            "close": "</tool_call>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
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
    """The text that stands after the picture in the user's turn, and its hash."""

    text: str
    sha256: str


def load_prompt(domain: Domain, mode: Literal["tools", "direct"], style: Literal["full", "nano"] = "full") -> Prompt:
    """The prompt for one domain, mode and style."""
    text = (_FOLDER / f"{style}_{domain.name}_{mode}.txt").read_text().strip()
    return Prompt(text, hashlib.sha256(text.encode()).hexdigest())
