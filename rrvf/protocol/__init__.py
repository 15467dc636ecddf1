"""The grammar of a turn and the words of the prompts (Fig. 2b, Alg. 1).

A turn is `<think>...</think>` and then one action: a Hermes-style `<tool_call>` whose JSON carries code to render, or an
`<answer>` that carries the final code and ends the episode. The environment replies with a `<tool_response>`.
"""

from rrvf.protocol.grammar import (
    Action,
    answer_text,
    call_content,
    parse_call,
    parse_turn,
    sanitize,
    tool_call_text,
    tool_response_text,
)
from rrvf.protocol.prompts import CHAT_TEMPLATE, RESPONSE_TEMPLATE, TOOL_METHOD, Prompt, load_prompt

__all__ = [
    "CHAT_TEMPLATE",
    "RESPONSE_TEMPLATE",
    "TOOL_METHOD",
    "Action",
    "Prompt",
    "answer_text",
    "call_content",
    "load_prompt",
    "parse_call",
    "parse_turn",
    "sanitize",
    "tool_call_text",
    "tool_response_text",
]
