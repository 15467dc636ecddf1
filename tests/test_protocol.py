"""The grammar of a turn (Alg. 1). TRL's parser must see the same calls."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.utils.chat_parsing.response_parser import parse_response
from transformers.utils.chat_template_utils import render_jinja_template

from rrvf.benchmarks import chartmimic, plot2code, websight
from rrvf.domains import CHART, DOMAINS, WEB
from rrvf.protocol import (
    CHAT_TEMPLATE,
    RESPONSE_TEMPLATE,
    answer_text,
    call_content,
    load_prompt,
    parse_call,
    parse_turn,
    read_reply,
    sanitize,
    tool_call_text,
    without_tokens,
)
from rrvf.records import Turn

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


PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 2])"
DOC = '"""Usage:\n```\npython a.py\n```\n"""\n' + PLOT
PAGE = "<!DOCTYPE html><html><body><h1>Hi</h1></body></html>"
PRE = "<html><body><pre>\n```\nmake\n```\n</pre></body></html>"
#: Contents of an answer, with the code that they mean.
CHART_ANSWERS = {
    "bare": (PLOT, PLOT),
    "fence": (f"```python\n{PLOT}\n```", PLOT),
    "python3": (f"```python3\n{PLOT}\n```", PLOT),
    "py": (f"```py\n{PLOT}\n```", PLOT),
    "capitals": (f"```Python\n{PLOT}\n```", PLOT),
    "braces": (f"```{{python}}\n{PLOT}\n```", PLOT),
    "attributes": (f'```python title="a.py"\n{PLOT}\n```', PLOT),
    "no language": (f"```\n{PLOT}\n```", PLOT),
    "spaces after": (f"```python  \n{PLOT}\n```  ", PLOT),
    "CRLF": (f"```python\n{PLOT}\n```".replace("\n", "\r\n"), PLOT),
    "closed on a line of code": (f"```python\n{PLOT}```", PLOT),
    "not closed": (f"```python\n{PLOT}\n", PLOT),
    "not opened": (f"{PLOT}\n```", PLOT),
    "not opened, prose after": (f"# a chart\n{PLOT}\n```\nDone.", f"# a chart\n{PLOT}"),
    "no language, not closed": (f"Here it is:\n```\n{PLOT}", PLOT),
    "prose that reads like code": (f"First\nimport the library, then:\n```\n{PLOT}\n```", PLOT),
    "prose that reads like code, not closed": (f"First\nimport the library, then:\n```\n{PLOT}", PLOT),
    "four backticks": (f"````python\n{PLOT}\n````", PLOT),
    "tildes": (f"~~~python\n{PLOT}\n~~~", PLOT),
    "indented": ("   ```python\n   import a\n   a.b()\n   ```", "import a\na.b()"),
    "prose around": (f"Here it is: ```python\n{PLOT}\n```\nIt's done.", PLOT),
    "another language before": (f"First:\n```bash\npip install matplotlib\n```\n```python\n{PLOT}\n```", PLOT),
    "two drafts": (f"```python\n{PLOT}\n```\nor\n```python\nb\n```", PLOT),
    "a fence in a docstring": (f"```python\n{DOC}\n```", DOC),
    "a fence in a bare docstring": (DOC, DOC),
    "a fence in a comment": ("```python\n# ``` no\nx\n```", "# ``` no\nx"),
    "a fence in code that is broken": ('```python\nx = """\n```\nSorry.', 'x = """'),
}
WEB_ANSWERS = {
    "bare": (PAGE, PAGE),
    "fence": (f"```html\n{PAGE}\n```", PAGE),
    "html5": (f"```html5\n{PAGE}\n```", PAGE),
    "capitals": (f"```HTML\n{PAGE}\n```", PAGE),
    "prose around a bare page": (f"Here is the page:\n\n{PAGE}\n\nIt uses <b>flexbox</b>.", PAGE),
    "css before": (f"```css\nb {{}}\n```\n```html\n{PAGE}\n```", PAGE),
    "a fence in a <pre>": (f"```html\n{PRE}\n```", PRE),
    "a fence in a bare <pre>": (PRE, PRE),
    "a fragment": ("<p>a</p>", "<p>a</p>"),
}
FORMS = [(CHART, form, *case) for form, case in CHART_ANSWERS.items()] + [
    (WEB, form, *case) for form, case in WEB_ANSWERS.items()
]
THOUGHTS = "<think>first ```python\ndraft\n``` or ```html\n<b>draft</b>\n```</think>\n"


@pytest.mark.parametrize(("domain", "form", "content", "code"), FORMS, ids=lambda v: v if v in CHART_ANSWERS else "")
def test_training_and_every_benchmark_read_the_same_code_in_an_answer(domain, form, content, code):
    reply = f"{THOUGHTS}<answer>\n{content}\n</answer>"
    readers = [chartmimic, plot2code] if domain is CHART else [websight]
    assert parse_turn(reply, domain).code == code
    assert {reader.extract_code(reply) for reader in readers} == {code}


@pytest.mark.parametrize("tag", ["<answer>", "<tool_call>", ""])
def test_a_reply_without_an_answer_is_not_searched_for_code_in_its_thoughts(tag):
    for reply in (THOUGHTS + tag, THOUGHTS.replace("</think>", "")):
        assert [m.extract_code(reply) or None for m in (chartmimic, plot2code, websight)] == [None] * 3


def test_a_benchmark_reads_a_reply_without_tags_by_its_own_rule_and_after_the_thoughts():
    assert chartmimic.extract_code(THOUGHTS + "```python\na\n```\n```python\nb\n```") == "\na\n"
    assert plot2code.extract_code(THOUGHTS + "```python\na\n```\n```python\nb\n```") == "\na\n\n\nb\n"


def test_an_evaluated_reply_that_ends_in_a_call_has_no_answer_and_says_so():
    action = read_reply(CALL, CHART, str)
    assert (action.kind, action.code) == ("none", None) and "ends in a <tool_call>" in action.problem


@pytest.mark.parametrize("written", ["a\nb", "```python\na\nb\n```", "a\r\nb", "a\tb"])
@pytest.mark.parametrize("escape", [True, False], ids=["escaped", "raw"])
def test_a_call_may_break_lines_and_fence_its_code(written, escape):
    text = json.dumps(written)[1:-1] if escape else written
    call = f'{{"name": "{CHART.tool_name}", "arguments": {{"python_code": "{text}"}}}}'
    assert parse_call(call, CHART).code.split() == ["a", "b"]


@pytest.mark.parametrize("end", ["<|im_end|>", "<|im_end|>\n", "<|endoftext|>"])
def test_a_call_may_be_followed_by_the_token_that_ends_a_turn(end):
    assert parse_turn(CALL + end, CHART).code == CODE


def test_a_call_with_more_than_its_json_says_so():
    assert "text after its JSON" in parse_turn(CALL.replace("}}", "}}}"), CHART).problem


#: One character of each kind that JSON or a tokenizer treats differently.
CHARACTERS = [
    "\ud83d",
    "\udc00",
    "\0",
    "\x01",
    "\x1b",
    "\x7f",
    "\x85",
    "\u2028",
    "\ufeff",
    "\uffff",
    "\U0010ffff",
    "\U0001f600",
]


@pytest.mark.parametrize("character", CHARACTERS, ids=ascii)
def test_any_text_that_a_policy_writes_can_be_stored(character):
    call = tool_call_text(f"# {character}\nx", CHART, character)
    escaped = call.replace(character, json.dumps(character)[1:-1])
    for text in (call, escaped, answer_text(f"# {character}", CHART), f"```python\n{character}\n```"):
        action = parse_turn(text, CHART)
        code = action.code or chartmimic.extract_code(text) or ""
        assert code.encode().decode() == code
        turn = Turn(text=text, action=action.kind, code=action.code, problem=character, feedback=character)
        assert Turn.model_validate_json(turn.model_dump_json().encode()) == turn


@pytest.mark.parametrize(
    "piece", ['"""', '\\"""', "```", "```python\n", "<pre", "<html", "</html>", "<answer>", "`", "~~~\n", " "]
)
@pytest.mark.parametrize("domain", DOMAINS.values(), ids=str)
def test_a_long_reply_of_one_piece_is_read_in_linear_time(domain, piece):
    def seconds(count: int) -> float:
        text = "```python\n" + piece * count
        started = time.process_time()
        (
            parse_turn(text, domain),
            parse_turn(f"<answer>{text}</answer>", domain),
            parse_turn(f"<answer>{piece * count}</answer>", domain),
        )
        return time.process_time() - started

    assert seconds(32_000) < 200 * max(seconds(1_000), 0.002)  # quadratic would be 1,024 times


@pytest.mark.parametrize("token", ["<|image_pad|>", "<|video_pad|>", "<|im_end|>"])
def test_a_token_that_is_spelt_in_a_turn_is_broken(token):
    assert token not in without_tokens(f"a {token} b") and without_tokens("x <| y, a <b|") == "x <| y, a <b|"


def test_an_answer_wins_over_a_call():
    assert parse_turn(BARE_CALL + ANSWER.partition("</think>")[2], CHART).kind == "answer"


def test_a_call_for_the_other_domain_is_none():
    assert parse_turn(CALL, WEB).kind == "none"


def trl_call(text: str) -> str | None:
    """The call that TRL would run for a completion, or None."""
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


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=str)
def test_the_prompt_names_the_turns_that_there_are(domain):
    assert "at most 2." in load_prompt(domain, "tools", "full", 2).text
    assert load_prompt(domain, "tools").text == load_prompt(domain, "tools", max_turns=4).text
    assert load_prompt(domain, "tools", "nano", 2) == load_prompt(domain, "tools", "nano", 4)
