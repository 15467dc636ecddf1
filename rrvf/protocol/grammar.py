"""Parses and writes turns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rrvf.domains import Domain
from rrvf.protocol.code import code_in
from rrvf.records import storable

#: One complete call at the end of the turn. RESPONSE_TEMPLATE states the same rule for TRL.
_CALL = re.compile(r"<tool_call>((?:(?!</?tool_call>).)*)</tool_call>(?:\s|<\|(?:im_end|endoftext)\|>)*\Z", re.DOTALL)
#: Tags that would forge a turn if feedback contained them.
_MARKUP = re.compile(r"</?(?:think|answer|tool_call|tool_response)>")
_TOKEN = re.compile(r"<\|(?=\w+\|>)")


@dataclass(frozen=True)
class Action:
    """The action of a turn. `code` is set for `tool_call` and `answer`; `problem` says why there is no action."""

    kind: Literal["tool_call", "answer", "none"]
    code: str | None = None
    problem: str | None = None


def parse_turn(text: str, domain: Domain) -> Action:
    """The action of one policy turn (Alg. 1, lines 5 to 9): the text after the last `</think>` decides.

    An answer wins over a call that follows it. A call counts only if it is complete and ends the turn, so a turn that
    the token limit cut off is never executed. Code in an answer may be fenced or bare (`code_in`). Anything else gives
    kind "none".
    """
    if (call := call_content(text)) is not None:
        return parse_call(call, domain)
    body = after_thoughts(text)
    if "<think>" in body:
        return Action("none", problem="the <think> block is not closed")
    _, opened, answer = body.partition("<answer>")
    if opened:
        content, closed, _ = answer.partition("</answer>")
        return _from_answer(content, domain) if closed else Action("none", problem="the <answer> is not closed")
    return Action("none", problem="no <tool_call> that ends the turn and no <answer>")


def call_content(text: str) -> str | None:
    """The content of the call that ends a turn, even if it is malformed. None if no call ends the turn."""
    match = _CALL.search(text)
    if match is None:
        return None
    before = after_thoughts(text[: match.start()])
    return None if "<think>" in before or "<answer>" in before else match.group(1)


def after_thoughts(text: str) -> str:
    """The text after the last `</think>`; the whole text if there is none."""
    return text.rpartition("</think>")[2]


def read_reply(reply: str, domain: Domain, own_rule: Callable[[str], str | None]) -> Action:
    """The answer in an evaluated single-turn reply: kind "answer", or "none" with the problem.

    A reply with our tags is parsed as in training, so a call is no answer. A reply without them is read by the
    benchmark's `own_rule`, which returns the code in a text or None. It never sees the thoughts.
    """
    body = after_thoughts(reply)
    if any(tag in body for tag in ("<think>", "<answer>", "<tool_call>")):
        action = parse_turn(reply, domain)
        if action.kind != "tool_call":
            return action
        return Action("none", problem="the reply ends in a <tool_call>: here is one turn, without tools")
    code = own_rule(storable(body))
    return Action("none", problem="no code in the reply") if code is None else Action("answer", code)


def _from_answer(content: str, domain: Domain) -> Action:
    code = code_in(content, domain)
    return Action("answer", code) if code.strip() else Action("none", problem="the <answer> is empty")


def parse_call(content: str, domain: Domain) -> Action:
    """The action in the content of a `<tool_call>`: Hermes-style JSON, else kind "none".

    Line breaks inside JSON strings need no escape. Code in a fence is taken out of the fence.
    """
    try:
        call = json.loads(content, strict=False)
    except (ValueError, RecursionError) as error:
        more = isinstance(error, json.JSONDecodeError) and error.msg == "Extra data"
        return Action("none", problem=f"the <tool_call> {'has text after its' if more else 'is not valid'} JSON")
    if not isinstance(call, dict) or call.get("name") != domain.tool_name:
        return Action("none", problem=f"the <tool_call> does not name {domain.tool_name}")
    arguments = call.get("arguments")
    code = arguments.get(domain.tool_argument) if isinstance(arguments, dict) else None
    if not isinstance(code, str) or not code.strip():
        return Action("none", problem=f"the <tool_call> has no text argument {domain.tool_argument}")
    fenced = code.lstrip().startswith(("```", "~~~"))
    return Action("tool_call", code_in(code, domain) if fenced else storable(code))


def tool_call_text(code: str, domain: Domain, think: str = "") -> str:
    """A turn that requests a render, in the form of the official figure."""
    call = json.dumps({"name": domain.tool_name, "arguments": {domain.tool_argument: code}}, ensure_ascii=False)
    return f"<think>{think}</think>\n<tool_call>\n{call}\n</tool_call>"


def answer_text(code: str, domain: Domain, think: str = "") -> str:
    """A turn that ends the episode with `code`."""
    return f"<think>{think}</think>\n<answer>\n```{domain.fence}\n{code}\n```\n</answer>"


def tool_response_text(feedback: str) -> str:
    """The environment's reply, with `feedback` sanitized."""
    return f"<tool_response>{sanitize(feedback)}</tool_response>"


def sanitize(text: str) -> str:
    """`text` with its chat-template tokens and protocol tags broken, so that it cannot forge a turn or an image."""
    return _MARKUP.sub(lambda m: m.group(0).replace("<", "< "), text.replace("<|", "< |"))


def without_tokens(text: str) -> str:
    """A turn's text with its chat-template tokens broken.

    Text that spells a token must not become that token in the next prompt.
    """
    return _TOKEN.sub("< |", text)
