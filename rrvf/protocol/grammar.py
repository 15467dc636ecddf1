"""Reading and writing turns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rrvf.domains import Domain
from rrvf.protocol.code import code_in
from rrvf.records import storable

#: One call, whole, at the end of the turn. RESPONSE_TEMPLATE states the same rule for TRL.
_CALL = re.compile(r"<tool_call>((?:(?!</?tool_call>).)*)</tool_call>(?:\s|<\|(?:im_end|endoftext)\|>)*\Z", re.DOTALL)
#: Tags that would forge a turn if they came back inside feedback.
_MARKUP = re.compile(r"</?(?:think|answer|tool_call|tool_response)>")
_TOKEN = re.compile(r"<\|(?=\w+\|>)")


@dataclass(frozen=True)
class Action:
    """What a turn does: `code` is set for `tool_call` and `answer`; `problem` says why a turn has no action."""

    kind: Literal["tool_call", "answer", "none"]
    code: str | None = None
    problem: str | None = None


def parse_turn(text: str, domain: Domain) -> Action:
    """The action of one policy turn (Alg. 1, lines 5 to 9): what stands after the last `</think>` decides.

    An answer wins over a call that follows it. A call counts only if it is whole and ends the turn, so that a turn cut
    by the token limit is never executed. Code in an answer may stand in a fence or bare (`code_in`). All else gives
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
    """What stands in the call that ends a turn, well formed or not; None where no call ends it."""
    match = _CALL.search(text)
    if match is None:
        return None
    before = after_thoughts(text[: match.start()])
    return None if "<think>" in before or "<answer>" in before else match.group(1)


def after_thoughts(text: str) -> str:
    """What a reply says once it has thought: all that stands after the last `</think>`."""
    return text.rpartition("</think>")[2]


def read_reply(reply: str, domain: Domain, own_rule: Callable[[str], str | None]) -> Action:
    """The answer of an evaluated reply, which is one turn: kind "answer", or "none" with the problem.

    A reply with our tags is read as in training, so that a call is no answer. One without them is read by the
    benchmark's `own_rule`, which gives the code in a text or None; it never sees the thoughts.
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
    """The action of what stands between `<tool_call>` and `</tool_call>`: Hermes-style JSON, or kind "none".

    Line breaks inside its strings need no escape; code in a fence is taken out of it.
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
    """A turn that asks for a render, in the official figure's form."""
    call = json.dumps({"name": domain.tool_name, "arguments": {domain.tool_argument: code}}, ensure_ascii=False)
    return f"<think>{think}</think>\n<tool_call>\n{call}\n</tool_call>"


def answer_text(code: str, domain: Domain, think: str = "") -> str:
    """A turn that ends the episode."""
    return f"<think>{think}</think>\n<answer>\n```{domain.fence}\n{code}\n```\n</answer>"


def tool_response_text(feedback: str) -> str:
    """The environment's reply. Text from outside is made harmless first."""
    return f"<tool_response>{sanitize(feedback)}</tool_response>"


def sanitize(text: str) -> str:
    """Break chat-template tokens and protocol tags, so that quoted text cannot forge a turn or an image."""
    return _MARKUP.sub(lambda m: m.group(0).replace("<", "< "), text.replace("<|", "< |"))


def without_tokens(text: str) -> str:
    """A turn's text with its chat-template tokens broken.

    What spells a token must not become one in the next prompt.
    """
    return _TOKEN.sub("< |", text)
