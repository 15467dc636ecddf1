"""Every maker's dialect gives the same few outcomes: a text with its cost, or a reason why there is none."""

from __future__ import annotations

import threading

import pytest
from dialects import body, refused, reply
from PIL import Image

from rrvf.errors import UserError
from rrvf.judge.client import JudgeClient
from rrvf.judge.rubrics import official
from rrvf.policies.endpoint import EndpointPolicy, question

DIALECTS = ("openai", "vllm", "anthropic", "gemini")
PICTURE = Image.new("RGB", (16, 16))


@pytest.fixture
def ask(fake):
    def ask(calls: int = 1, retries: int = 0, **options):
        policy = EndpointPolicy(fake.url, "m", **options)
        policy._client.max_retries = retries
        return list(policy.answers(question(PICTURE, "draw") for _ in range(calls)))

    return ask


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_text_with_its_tokens_and_who_wrote_it(fake, ask, dialect):
    fake.replies = [body(reply("code", dialect))]
    (answer,) = ask()
    assert (answer.text, answer.problem) == ("code", "")
    assert (answer.usage.calls, answer.usage.input_tokens, answer.usage.output_tokens) == (1, 1000, 200)
    assert len(answer.usage.models) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_reply_cut_by_its_length_before_a_word_says_so_and_what_it_cost(fake, ask, dialect):
    fake.replies = [body(reply("" if dialect == "vllm" else None, dialect, finish="length", thoughts="hm"))]
    (answer,) = ask(max_new_tokens=77)
    assert answer.text is None and "cut at 77 tokens" in answer.problem and answer.usage.output_tokens == 200


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_text_that_was_cut_is_a_text(fake, ask, dialect):
    fake.replies = [body(reply("half a pro", dialect, finish="length"))]
    assert ask()[0].text == "half a pro"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("finish", ["content_filter", "stop"])
def test_an_empty_reply_says_how_it_ended(fake, ask, dialect, finish):
    fake.replies = [body(reply(None, dialect, finish=finish, refusal="I cannot" if dialect == "openai" else None))]
    (answer,) = ask()
    assert answer.text is None and ("I cannot" if dialect == "openai" else finish) in answer.problem


def test_thoughts_apart_are_no_part_of_a_text(fake, ask):
    fake.replies = [body(reply("code", "vllm", thoughts="a draft"))]
    assert ask()[0].text == "code"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_of_several_choices_the_first_is_taken(fake, ask, dialect):
    fake.replies = [body(reply("first", dialect, choices=3))]
    assert ask()[0].text == "first"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_who_is_told_to_wait_waits_and_asks_again(fake, ask, dialect):
    fake.replies = [refused(dialect, 429, "slow down", Retry_After="0.01"), body(reply("code", dialect))]
    assert ask(retries=1)[0].text == "code" and len(fake.requests) == 2


@pytest.mark.parametrize("dialect", DIALECTS)
def test_one_that_says_wait_for_ever_is_no_answer_of_the_policy(fake, ask, dialect):
    fake.replies = [refused(dialect, 429, "slow down", Retry_After="0.01")]
    with pytest.raises(UserError, match=r"does not answer.*run the same command again"):
        ask(retries=1)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_key_that_is_refused_names_its_variable(fake, ask, dialect):
    fake.replies = [refused(dialect, 401, "no such key")]
    with pytest.raises(UserError, match="MY_KEY"):
        ask(key="MY_KEY")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_settings_that_a_model_does_not_take_are_left_out(fake, ask, dialect):
    fake.replies = [
        refused(dialect, 400, "`temperature` is not supported with this model"),
        body(reply("code", dialect)),
    ]
    assert ask()[0].text == "code" and "temperature" not in fake.requests[1]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_any_other_refusal_of_one_question_is_that_samples_alone(fake, ask, dialect):
    fake.replies = [refused(dialect, 400, "the picture shows too much"), body(reply("code", dialect))]
    first, second = ask(calls=2, in_flight=1)
    assert "too much" in first.problem and second.text == "code"


@pytest.mark.parametrize(
    ("dialect", "status", "calls"),
    [*((dialect, 400, 3) for dialect in DIALECTS), *(("openai", status, 3) for status in (413, 422)),
     *(("openai", 400, calls) for calls in (1, 50))],
)  # fmt: skip
def test_an_endpoint_that_refuses_every_question_is_no_row_of_zeros(fake, ask, dialect, status, calls):
    fake.replies = [refused(dialect, status, "this model sees no pictures")]
    with pytest.raises(UserError, match=r"refused.*sees no pictures"):
        ask(calls)
    assert len(fake.requests) < 50


@pytest.mark.parametrize("answer", ['{"choices": []}', '{"error": {"message": "no credit"}}', "[]", "null", '"x"'])
def test_a_success_that_is_no_completion_is_none(fake, ask, answer):
    fake.replies = [body(answer)]
    with pytest.raises(UserError, match="no credit" if "credit" in answer else "refused"):
        ask()


def test_refusals_from_some_question_on_are_no_zeros(fake, ask):
    """As after the account is empty, which Anthropic reports as a bad request."""
    fake.replies = [body(reply("code"))] * 5 + [refused("anthropic", 400, "your credit balance is too low")]
    with pytest.raises(UserError, match=r"8 questions in a row.*credit"):
        ask(50, in_flight=1)


@pytest.mark.parametrize("before", [False, True])
def test_refusals_are_the_questions_own_where_another_was_answered(fake, before):
    refusals = [refused("openai", 400, "filtered")] * 2
    fake.replies = refusals if before else [*refusals, body(reply("code"))]
    policy = EndpointPolicy(fake.url, "m", in_flight=1)
    policy.answered = before
    told = list(policy.answers(question(PICTURE, "draw") for _ in range(2 if before else 3)))
    assert [bool(a.problem) for a in told][:2] == [True, True] and not any(a.failed for a in told)


@pytest.mark.parametrize("status", [402, 405, 529])
def test_what_is_no_word_on_the_question_stops_at_once(fake, ask, status):
    fake.replies = [refused("openai", status, "not now")]
    with pytest.raises(UserError, match="not now"):
        ask()


@pytest.mark.parametrize("answer", [refused("vllm", 500, "no memory"), body("{"), body("", 301, Location="/")])
def test_a_server_that_fails_is_no_word_of_the_policy(fake, ask, answer):
    fake.replies = [body(reply("code")), answer]
    assert [a.failed for a in ask(2, in_flight=1)] == [False, True]


def test_an_answer_is_told_the_moment_it_is_there(fake):
    """The server holds back the first answer until the second is saved."""
    kept, second = {}, threading.Event()

    def keep(place, answer):
        kept[place] = answer.text
        second.set()

    def answered(handler):
        words = handler.asked["messages"][0]["content"][1]["text"]
        assert words == "second" or second.wait(60)
        body(reply(words))(handler)

    fake.replies = [answered]
    told = EndpointPolicy(fake.url, "m", in_flight=2).answers((question(PICTURE, w) for w in ("first", "second")), keep)
    assert next(told).text == "first" and list(kept) == [1, 0]


def test_answers_come_in_order_whichever_is_first(fake):
    """The server holds back the first answer until it has given the second."""
    second = threading.Event()

    def answered(handler):
        words = handler.asked["messages"][0]["content"][1]["text"]
        if words == "first":
            assert second.wait(60)
        body(reply(words))(handler)
        if words == "second":
            second.set()

    fake.replies = [answered]
    policy = EndpointPolicy(fake.url, "m", in_flight=2)
    told = [a.text for a in policy.answers(question(PICTURE, words) for words in ("first", "second"))]
    assert told == ["first", "second"]


def test_only_a_little_is_read_ahead_of_what_is_taken(fake):
    read = []

    def conversations():
        for i in range(100):
            read.append(i)
            yield question(PICTURE, "draw")

    fake.replies = [body(reply("code"))]
    first = next(iter(EndpointPolicy(fake.url, "m", in_flight=2).answers(conversations())))
    assert first.text == "code" and len(read) <= 9


def test_a_row_without_a_temperature_sends_none(fake, ask):
    fake.replies = [body(reply("code"))]
    ask(temperature=None)
    assert "temperature" not in fake.requests[0]


def test_vllm_is_told_the_repetition_penalty_and_others_are_not(fake, ask):
    fake.replies = [body(reply("code", "vllm"))]
    ask(repetition_penalty=1.0), ask()
    assert [r.get("repetition_penalty") for r in fake.requests] == [1.0, None]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_judge_in_every_dialect(fake, dialect):
    fake.replies = [body(reply("Comments...\n\nScore: 71/100", dialect))]
    with JudgeClient(fake.url, "m", rubric=official("chartmimic", "t"), max_retries=0) as judge:
        judged = judge.score(b"a", b"b", "chart")
    assert judged.score == 0.71 and judged.usage.output_tokens == 200


def test_a_judge_that_is_asked_twice_costs_twice(fake):
    fake.replies = [body(reply("nothing to say")), body(reply("Score: 5"))]
    with JudgeClient(fake.url, "m", rubric=official("chartmimic", "t"), max_retries=0) as judge:
        assert judge.score(b"a", b"b", "chart").usage.calls == 2


def test_what_a_judge_that_gave_no_score_cost_is_known(fake):
    fake.replies = [body(reply("nothing to say")), body(reply("nothing again"))]
    with JudgeClient(fake.url, "m", rubric=official("chartmimic", "t"), max_retries=0) as judge:
        judged = judge.score(b"a", b"b", "chart")
    assert judged.status == "judge_error" and (judged.usage.calls, judged.usage.output_tokens) == (2, 400)
