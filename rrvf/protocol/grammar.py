"""Reading and writing turns."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

from rrvf.domains import Domain

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
#: One call, whole, at the end of the turn. RESPONSE_TEMPLATE states the same rule for TRL.
_CALL = re.compile(r"<tool_call>((?:(?!</?tool_call>).)*)</tool_call>\s*\Z", re.DOTALL)
_FENCE = re.compile(r"```[a-zA-Z]*\n(.*?)\n?```", re.DOTALL)
#: Tags that would forge a turn if they came back inside feedback.
_MARKUP = re.compile(r"</?(?:think|answer|tool_call|tool_response)>")


@dataclass(frozen=True)
class Action:
    """What a turn does: `code` is set for `tool_call` and `answer`; `problem` says why a turn has no action."""

    kind: Literal["tool_call", "answer", "none"]
    code: str | None = None
    problem: str | None = None


def parse_turn(text: str, domain: Domain) -> Action:
    """The action of one policy turn (Alg. 1, lines 5 to 9): what stands after the last `</think>` decides.

    An answer wins over a call that follows it. A call counts only if it is whole and ends the turn, so that a turn cut
    by the token limit is never executed. Code in an answer may stand in a fence or bare. All else gives kind "none".
    """
    if (call := call_content(text)) is not None:
        return parse_call(call, domain)
    body = text.rpartition("</think>")[2]
    if "<think>" in body:
        return Action("none", problem="the <think> block is not closed")
    if "<answer>" in body:
        answer = _ANSWER.search(body)
        return _from_answer(answer.group(1)) if answer else Action("none", problem="the <answer> is not closed")
    return Action("none", problem="no <tool_call> that ends the turn and no <answer>")


def call_content(text: str) -> str | None:
    """What stands in the call that ends a turn, well formed or not; None where no call ends it."""
    match = _CALL.search(text)
    if match is None:
        return None
    before = text[: match.start()].rpartition("</think>")[2]
    return None if "<think>" in before or "<answer>" in before else match.group(1)


def _from_answer(content: str) -> Action:
    fenced = _FENCE.search(content)
    code = (fenced.group(1) if fenced else content).strip("\n")
    return Action("answer", code) if code.strip() else Action("none", problem="the <answer> is empty")


def parse_call(content: str, domain: Domain) -> Action:
    """The action of what stands between `<tool_call>` and `</tool_call>`: Hermes-style JSON, or kind "none"."""
    try:
        call = json.loads(content)
    except (ValueError, RecursionError):
        return Action("none", problem="the <tool_call> is not valid JSON")
    if not isinstance(call, dict) or call.get("name") != domain.tool_name:
        return Action("none", problem=f"the <tool_call> does not name {domain.tool_name}")
    arguments = call.get("arguments")
    code = arguments.get(domain.tool_argument) if isinstance(arguments, dict) else None
    if not isinstance(code, str) or not code.strip():
        return Action("none", problem=f"the <tool_call> has no text argument {domain.tool_argument}")
    return Action("tool_call", code)


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
