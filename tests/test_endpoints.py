"""Connections to judges and policies: limited in bytes and time, never redirected, each key only to its own host."""

from __future__ import annotations

import gzip
import json

import pytest
from PIL import Image
from test_judge_client import GOOD, FakeJudge, body, completion

from rrvf import endpoints
from rrvf.errors import UserError
from rrvf.judge.client import JudgeClient
from rrvf.policies import NoReply, endpoint
from rrvf.policies.endpoint import EndpointPolicy

SECRETS = {
    "OPENAI_API_KEY": "openai-key", "OPENAI_ORG_ID": "organisation", "OPENAI_PROJECT_ID": "project",
    "OPENAI_ADMIN_KEY": "admin-key",
}  # fmt: skip
PICTURE = Image.new("RGB", (16, 16))


def score(url: str) -> tuple[str | None, str]:
    with JudgeClient(url, "m", max_retries=0) as judge:
        judged = judge.score(b"a", b"b", "chart")
    return judged.score, judged.reason or ""


def policy(url: str, **options) -> EndpointPolicy:
    made = EndpointPolicy(url, "m", **options)
    made._client.max_retries = 0
    return made


def reply(url: str) -> tuple[str | None, str]:
    said = policy(url).reply([PICTURE], "draw")[0]
    return (None, said.reason) if isinstance(said, NoReply) else (said, "")


@pytest.mark.parametrize("ask", [score, reply])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(fake, ask, status):
    other = FakeJudge()
    other.says(GOOD)
    fake.replies = [body("", status, Location=f"{other.url}/v1/chat/completions")]
    assert ask(fake.url)[0] is None and not other.requests
    other.server.shutdown(), other.server.server_close()


@pytest.mark.parametrize("ask", [score, reply])
def test_a_large_reply_is_not_read_to_its_end(fake, ask, monkeypatch):
    monkeypatch.setattr(endpoints, "MAX_REPLY", 2**20)
    fake.replies = [body(completion(GOOD)[:-1] + ',"z":"' + "x" * 2**20 + '"}')]
    assert ask(fake.url)[0] is None and "larger than 1 MiB" in ask(fake.url)[1]


def packed(handler) -> None:
    data = gzip.compress(b" " * 10_000_000 + completion(GOOD).encode())
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


@pytest.mark.parametrize("ask", [score, reply])
def test_a_packed_reply_is_not_unpacked(fake, ask):
    fake.replies = [packed]
    assert "compressed" in ask(fake.url)[1]


def drip_for_ever(handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while not handler.server.stopped.wait(0.05):
        handler.wfile.write(b"1\r\n \r\n")


@pytest.mark.parametrize("what", ["card", "score"])
def test_a_dripping_judge_holds_nobody_past_the_deadline(fake, what, monkeypatch):
    fake.server.stopped = fake.released
    handler = fake.server.RequestHandlerClass
    monkeypatch.setattr(handler, "do_GET", drip_for_ever, raising=False)
    with JudgeClient(fake.url, deadline_s=0.3, max_retries=0) as judge:
        if what == "score":
            assert judge.score(b"a", b"b", "chart").reason.startswith("timeout")
        else:
            with pytest.raises(UserError, match="does not name its model"):
                judge.card("chart")


def test_a_dripping_policy_holds_nobody_past_the_deadline(fake, monkeypatch):
    monkeypatch.setattr(endpoint, "_DEADLINE_S", 0.3)
    fake.server.stopped = fake.released
    fake.replies = [drip_for_ever]
    with pytest.raises(UserError, match="does not answer"):
        reply(fake.url)


@pytest.mark.parametrize(
    "models", ['{"data": []}', '{"data": {"a": 1}}', '{"data": [{"id": 7}]}', "[" * 100_000, "null", "<html>"]
)
def test_a_list_of_models_that_is_none_is_a_user_error(fake, monkeypatch, models):
    monkeypatch.setattr(fake.server.RequestHandlerClass, "do_GET", body(models), raising=False)
    with JudgeClient(fake.url, max_retries=0) as judge, pytest.raises(UserError, match="does not name its model"):
        judge.card("chart")


@pytest.fixture
def sent(fake, monkeypatch):
    """The headers of the last request."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    headers: dict[str, str] = {}

    def answer(handler) -> None:
        headers.update(handler.headers.items())
        body(completion(GOOD))(handler)

    fake.replies = [answer]
    return headers


@pytest.mark.parametrize("ask", [score, reply])
def test_openais_key_and_headers_stay_away_from_other_hosts(fake, sent, ask):
    assert ask(fake.url)[0] is not None
    assert not [value for value in sent.values() if any(secret in value for secret in SECRETS.values())]


@pytest.mark.parametrize("ask", [score, reply])
def test_the_host_that_the_user_names_as_openais_gets_them(fake, sent, ask, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", f"{fake.url}/v1")
    ask(fake.url)
    sent = {name.lower(): value for name, value in sent.items()}
    assert (sent["authorization"], sent["openai-organization"]) == ("Bearer openai-key", "organisation")


@pytest.mark.parametrize(("ask", "variable"), [(score, "RRVF_JUDGE_API_KEY"), (reply, "RRVF_POLICY_API_KEY")])
def test_each_end_has_a_key_of_its_own(fake, sent, ask, variable, monkeypatch):
    monkeypatch.setenv("RRVF_JUDGE_API_KEY", "theirs"), monkeypatch.setenv("RRVF_POLICY_API_KEY", "theirs")
    monkeypatch.setenv(variable, "its own")
    ask(fake.url)
    assert sent["authorization"] == "Bearer its own"


def refusal(name: str, code: str = "unsupported_parameter"):
    words = {"message": f"Unsupported parameter: {name!r}.", "param": name, "code": code}
    return body(json.dumps({"error": words}), 400)


def test_a_model_is_asked_with_the_settings_that_it_takes(fake):
    fake.replies = [refusal("max_tokens"), refusal("temperature", "unsupported_value"), body(completion("code"))]
    asked = policy(fake.url, max_new_tokens=9, in_flight=1)
    assert asked.reply([PICTURE, PICTURE], "draw") == ["code", "code"]
    settings = [{k: v for k, v in r.items() if k not in ("messages", "model")} for r in fake.requests]
    taken = {"max_completion_tokens": 9}
    assert settings == [{"temperature": 0.0, "max_tokens": 9}, {"temperature": 0.0, **taken}, taken, taken]


def test_a_penalty_that_changes_nothing_is_left_out_for_a_model_that_does_not_know_it(fake):
    """Only vLLM knows it. OpenAI refuses any argument that it does not know."""
    fake.replies = [refusal("repetition_penalty", "unknown_parameter"), body(completion("code"))]
    assert policy(fake.url, repetition_penalty=1.0).reply([PICTURE], "draw") == ["code"]
    assert ["repetition_penalty" in request for request in fake.requests] == [True, False]


def test_a_penalty_that_changes_the_answers_is_not_left_out(fake):
    fake.replies = [refusal("repetition_penalty", "unknown_parameter")]
    with pytest.raises(UserError, match="refuses a setting"):
        policy(fake.url, repetition_penalty=1.05).reply([PICTURE], "draw")


def test_a_setting_that_cannot_be_left_out_is_a_user_error(fake):
    fake.replies = [refusal("messages")]
    with pytest.raises(UserError, match="refuses a setting"):
        reply(fake.url)


@pytest.mark.parametrize("thoughts", ["reasoning_content", "reasoning"])
def test_what_a_model_thinks_apart_is_no_part_of_its_reply(fake, thoughts):
    fake.replies = [body(completion("code", message={thoughts: "a draft"}))]
    assert reply(fake.url)[0] == "code"


EMPTY = {
    "cut by length": (completion(None, finish_reason="length"), "cut at 4096 tokens"),
    "cut while thinking": (completion("", finish_reason="length", message={"reasoning_content": "hm"}), "cut at 4096"),
    "filtered": (completion(None, finish_reason="content_filter"), "content_filter"),
    "refused": (completion(None, message={"refusal": "I cannot"}), "I cannot"),
    "no JSON": ("{", "endpoint failed"),
    "HTML": ("<html>", "endpoint failed"),
}


@pytest.mark.parametrize("case", EMPTY)
def test_a_reply_that_is_none_says_why(fake, case):
    text, why = EMPTY[case]
    fake.replies = [body(text)]
    assert reply(fake.url)[0] is None and why in reply(fake.url)[1]


def test_half_a_character_in_a_reply_is_storable(fake):
    fake.says("a \ud83d b")
    assert reply(fake.url)[0] == "a \ufffd b"
