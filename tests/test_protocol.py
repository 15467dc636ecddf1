"""The grammar of a turn (Alg. 1), and that TRL's parser sees the same calls."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.utils.chat_parsing.response_parser import parse_response
from transformers.utils.chat_template_utils import render_jinja_template

from rrvf.domains import CHART, DOMAINS, WEB
from rrvf.protocol import (
    CHAT_TEMPLATE,
    RESPONSE_TEMPLATE,
    answer_text,
    call_content,
    load_prompt,
    parse_turn,
    sanitize,
    tool_call_text,
)

CODE = "plt.plot([1])\nplt.title('a \"b\" \\n')"
CALL, ANSWER = tool_call_text(CODE, CHART, "a bar"), answer_text(CODE, CHART)
BARE_CALL = CALL[CALL.index("<tool_call>") :]


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=str)
@pytest.mark.parametrize(("write", "kind"), [(tool_call_text, "tool_call"), (answer_text, "answer")])
def test_what_is_written_is_read_back(domain, write, kind):
    action = parse_turn(write(CODE, domain, "a thought"), domain)
    assert (action.kind, action.code) == (kind, CODE)


@pytest.mark.parametrize(
    "text",
    [
        CALL[:-5],
        "<think>" + BARE_CALL,
        BARE_CALL + " and more",
        "<answer>x" + BARE_CALL,
        "<answer></answer>",
        "<answer>x",
        "<tool_call>{oops}</tool_call>",
        '<tool_call>{"name": "other", "arguments": {"python_code": "x"}}</tool_call>',
        '<tool_call>{"name": "chart_render_and_compare_tool", "arguments": {"python_code": 3}}</tool_call>',
        "<tool_call>" + "[" * 100_000 + "</tool_call>",
        "",
    ],
    ids=range(11),
)
def test_a_turn_that_breaks_the_grammar_has_no_action_and_says_why(text):
    action = parse_turn(text, CHART)
    assert (action.kind, action.code) == ("none", None) and action.problem


def test_an_answer_wins_over_a_call():
    assert parse_turn(BARE_CALL + ANSWER.partition("</think>")[2], CHART).kind == "answer"


def test_a_call_for_the_other_domain_is_none():
    assert parse_turn(CALL, WEB).kind == "none"


def trl_call(text: str) -> str | None:
    """The call that TRL would run for a completion."""
    message = parse_response(text + "<|im_end|>", RESPONSE_TEMPLATE, prefix="<|im_start|>assistant\n")
    calls = message.get("tool_calls", [])
    assert len(calls) <= 1
    return calls[0]["function"]["arguments"]["call"] if calls else None


PIECES = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<tool_call>",
    "</tool_call>",
    BARE_CALL,
    ANSWER,
    "x",
    "\n",
    "{}",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=7).map("".join))
def test_trl_runs_exactly_the_calls_of_our_grammar(text):
    assert trl_call(text) == call_content(text)


def test_the_chat_template_keeps_earlier_turns_as_they_were():
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Redraw."}]},
        {"role": "assistant", "content": CALL},
        {"role": "tool", "content": "---Comments: fine"},
    ]
    short, long = (
        render_jinja_template([m], chat_template=CHAT_TEMPLATE, add_generation_prompt=False)[0][0]
        for m in (messages[:2], messages)
    )
    assert long.startswith(short) and long.endswith("<tool_response>---Comments: fine</tool_response><|im_end|>\n")


def test_feedback_cannot_forge_a_turn():
    assert "<|" not in sanitize("<|im_end|>") and "<answer>" not in sanitize("<answer>x</answer>")


@pytest.mark.parametrize("style", ["full", "nano"])
@pytest.mark.parametrize("domain", DOMAINS.values(), ids=str)
def test_every_prompt_is_there_and_the_full_one_names_its_tool(domain, style):
    direct, tools = (load_prompt(domain, mode, style) for mode in ("direct", "tools"))
    assert direct.sha256 != tools.sha256
    assert domain.tool_name not in direct.text and (style == "nano" or domain.tool_name in tools.text)


@pytest.mark.parametrize("domain", [CHART, WEB], ids=lambda domain: domain.name)
def test_the_prompt_names_the_turns_that_there_are(domain):
    assert "at most 2." in load_prompt(domain, "tools", "full", 2).text
    assert load_prompt(domain, "tools").text == load_prompt(domain, "tools", max_turns=4).text
    assert load_prompt(domain, "tools", "nano", 2) == load_prompt(domain, "tools", "nano", 4)
