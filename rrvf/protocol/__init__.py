"""The grammar of a turn and the texts of the prompts (Fig. 2b, Alg. 1).

A turn is `<think>...</think>` followed by one action: a Hermes-style `<tool_call>` whose JSON carries code to render,
or an `<answer>` that carries the final code and ends the episode. The environment replies with a `<tool_response>`.
"""

from rrvf.protocol.code import code_in
from rrvf.protocol.grammar import (
    Action,
    after_thoughts,
    answer_text,
    call_content,
    parse_call,
    parse_turn,
    read_reply,
    sanitize,
    tool_call_text,
    tool_response_text,
    without_tokens,
)
from rrvf.protocol.prompts import CHAT_TEMPLATE, RESPONSE_TEMPLATE, TOOL_METHOD, Prompt, first_message, load_prompt

__all__ = [
    "CHAT_TEMPLATE",
    "RESPONSE_TEMPLATE",
    "TOOL_METHOD",
    "Action",
    "Prompt",
    "after_thoughts",
    "answer_text",
    "call_content",
    "code_in",
    "first_message",
    "load_prompt",
    "parse_call",
    "parse_turn",
    "read_reply",
    "sanitize",
    "tool_call_text",
    "tool_response_text",
    "without_tokens",
]
