"""Whatever a judge server does, the client returns a complete answer or a judge_error, never an invented number."""

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from rrvf.errors import UserError
from rrvf.judge.card import Sampling
from rrvf.judge.child import running_server
from rrvf.judge.client import JudgeClient, _serves_only_another
from rrvf.judge.embedded import MODEL
from rrvf.judge.prompts import POINTS

GOOD = json.dumps({name: top / 2 for name, top in POINTS.items()} | {"score": 50})
WORDS = "---Comments:\n-**Text**- the title is missing."


def completion(content, **choice) -> str:
    message = {"role": "assistant", "content": content} | choice.pop("message", {})
    choices = [{"index": 0, "message": message, "finish_reason": "stop"} | choice]
    usage = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020}
    head = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
    return json.dumps(head | {"choices": choices, "usage": usage})


class FakeJudge:
    """A server whose replies are a list of functions of the handler. The last one is repeated."""

    def __init__(self) -> None:
        self.replies: list[Callable] = []
        self.requests: list[dict] = []
        self.keys: list[str] = []
        self.released = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.asked = json.loads(body)
                fake.requests.append(self.asked)
                fake.keys.append(self.headers["Authorization"])
                fake.replies[min(len(fake.requests), len(fake.replies)) - 1](self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.released = self.released
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def says(self, *contents) -> None:
        self.replies = [body(completion(c)) for c in contents]


def body(text: str, status: int = 200, kind: str = "application/json", **headers) -> Callable:
    def send(handler) -> None:
        data = text.encode()
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(data), **headers}.items():
            handler.send_header(name.replace("_", "-"), str(value))
        handler.end_headers()
        handler.wfile.write(data)

    return send


def reset(handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def cut_off(handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(completion(GOOD)[:40].encode())
    handler.wfile.flush()
    reset(handler)


@pytest.fixture
def ask(fake):
    clients = []

    def make(**options) -> JudgeClient:
        clients.append(JudgeClient(fake.url, "m", **{"max_retries": 0, "timeout_s": 20} | options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_a_good_reply_is_scored(fake, ask):
    fake.says(GOOD)
    judged = ask().score(b"a", b"b", "chart")
    assert judged.ok and judged.score == 0.5 and set(judged.parts.values()) == {0.5}


def test_good_feedback_is_passed_on(fake, ask):
    fake.says(WORDS)
    judged = ask().compare(b"a", b"b", "chart")
    assert judged.ok and judged.feedback == WORDS and judged.score is None


@pytest.fixture
def two():
    """A judge at two addresses, with its client. Counts the questions at each server."""
    servers, clients = [FakeJudge(), FakeJudge()], []
    for server in servers:
        server.says(GOOD)

    def make(**options) -> JudgeClient:
        urls = ", ".join(server.url for server in servers)
        clients.append(JudgeClient(urls, "m", **{"max_retries": 0, "timeout_s": 20, "max_in_flight": 4} | options))
        return clients[-1]

    yield servers, make
    for client in clients:
        client.close()
    for server in servers:
        server.released.set()
        server.server.shutdown(), server.server.server_close()


def scored(client: JudgeClient, questions: int) -> list:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda i: client.score(b"a", b"%d" % i, "chart"), range(questions)))


def test_two_servers_share_the_questions_evenly(two):
    servers, client = two
    assert all(judged.ok for judged in scored(client(), 24))
    assert abs(len(servers[0].requests) - len(servers[1].requests)) <= 4  # the open questions


FAILING = {
    "is out of order": body("oops", 500, "text/plain"),
    "is overrun": body("{}", 429, Retry_After=600),
    "hangs up": reset,
    "is silent": lambda handler: handler.server.released.wait(30),
}


@pytest.mark.parametrize("fault", FAILING)
def test_a_server_that_fails_costs_no_score(two, fault, capfd):
    servers, client = two
    servers[1].replies = [body(completion(GOOD))] * 3 + [FAILING[fault]]
    judged = scored(client(timeout_s=2.0 if "silent" in fault else 20), 24)
    assert [j.status for j in judged] == ["ok"] * 24 and len({j.score for j in judged}) == 1
    # Only the questions that were open when it failed: after a failure it is asked last for a while.
    assert 4 <= len(servers[1].requests) <= 3 + 4
    assert capfd.readouterr().err.count(f"the judge at {servers[1].url}/v1/ failed") == 1


def test_a_server_that_was_never_there_costs_no_score(two):
    servers, client = two
    servers[1].server.shutdown(), servers[1].server.server_close()
    judge = client()
    judge.check()
    assert all(judged.ok for judged in scored(judge, 12)) and len(servers[0].requests) == 12


def test_a_server_of_one_other_model_is_no_judge():
    with running_server() as url:
        with JudgeClient(url, "Qwen/Qwen2.5-VL-7B-Instruct") as judge, pytest.raises(UserError, match="is not Qwen/"):
            judge.check()
        with JudgeClient(url, MODEL) as judge:
            judge.check()


@pytest.mark.parametrize(("listed", "another"), [(["a"], False), (["b"], True), (["b", "c"], False), ([], False)])
def test_a_host_of_many_models_may_call_ours_by_another_name(listed, another):
    async def models():
        return SimpleNamespace(data=[SimpleNamespace(id=name) for name in listed])

    api = SimpleNamespace(models=SimpleNamespace(list=models))
    assert asyncio.run(_serves_only_another(api, "a")) is another


def test_a_server_that_recovers_gets_its_share_again(two, monkeypatch):
    monkeypatch.setattr("rrvf.judge.servers.PAUSE_S", 0.0)
    servers, client = two
    servers[1].replies = [body("oops", 500, "text/plain")] * 2 + [body(completion(GOOD))]
    assert all(judged.ok for judged in scored(client(), 24)) and len(servers[1].requests) >= 8


def test_where_all_servers_fail_it_is_an_error_with_the_retries_of_one(two):
    servers, client = two
    for server in servers:
        server.replies = [body("oops", 500, "text/plain")]
    judged = client(max_retries=1).score(b"a", b"b", "chart")
    assert judged.status == "judge_error" and judged.score is None
    assert sorted(len(server.requests) for server in servers) == [1, 3]


def test_a_question_that_is_refused_is_not_asked_elsewhere(two):
    servers, client = two
    for server in servers:
        server.replies = [body("{}", 404)]
    assert client().compare(b"a", b"b", "chart").status == "judge_error"
    assert sum(len(server.requests) for server in servers) == 1


FAULTS = {
    "reset": reset,
    "cut off in the body": cut_off,
    "429": body("{}", 429),
    "429 with Retry-After": body("{}", 429, Retry_After=0),
    "500": body("oops", 500, "text/plain"),
    "400": body('{"error": {"message": "no"}}', 400),
    "HTML page": body("<html>proxy login</html>", kind="text/html"),
    "HTML as JSON": body("<html>proxy login</html>"),
    "truncated JSON body": body(completion(GOOD)[:60]),
    "empty body": body(""),
    "other schema": body('{"result": 1.0}'),
    "no choices": body('{"choices": []}'),
    "choice without message": body('{"choices": [{"index": 0}]}'),
    "JSON null": body("null"),
    "null content": body(completion(None)),
    "empty content": body(completion("  ")),
    "prose": body(completion("These look 90% alike!")),
    "Score: 100/10": body(completion("Score: 100/10")),
    "bare number": body(completion("0.9")),
    "truncated answer": body(completion(GOOD[:-9])),
    "stopped by length": body(completion(GOOD, finish_reason="length")),
    "refusal": body(completion(GOOD, message={"refusal": "I cannot"})),
    "NaN": body(completion(GOOD.replace("50", "NaN"))),
    "infinity": body(completion(GOOD.replace("50", "1e999"))),
    "above the range": body(completion(GOOD.replace("50", "150"))),
    "below the range": body(completion(GOOD.replace("50", "-1"))),
    "part above its range": body(completion(GOOD.replace("7.5", "75", 1))),
    "number as text": body(completion(GOOD.replace("50", '"50"'))),
    "true for a number": body(completion(GOOD.replace("50", "true"))),
    "missing part": body(completion('{"score": 50}')),
    "extra key": body(completion(GOOD.replace("{", '{"note": 1, '))),
    "list": body(completion(f"[{GOOD}]")),
    "two objects": body(completion(GOOD + GOOD)),
    "a tag before it": body(completion("Sure! " + GOOD)),
    "a score twice": body(completion(GOOD[:-1] + ', "score": 100}')),
    "shares for all": body(completion(json.dumps({n: t / 200 for n, t in POINTS.items()} | {"score": 0.5}))),
    "full shares": body(completion(json.dumps({n: t / 100 for n, t in POINTS.items()} | {"score": 1}))),
    "prose before it": body(completion(f"Here is my assessment:\n\n{GOOD}")),
    "a score in its thoughts": body(completion(f"<think>{GOOD}</think>")),
    "stopped by a filter": body(completion(GOOD, finish_reason="content_filter")),
    "gzip that is none": body("junk", Content_Encoding="gzip"),
    "endless redirects": body("", 307, Location="/v1/chat/completions"),
    "Retry-After a day": body("{}", 429, Retry_After=86400),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_score_is_a_judge_error(fake, ask, fault):
    fake.replies = [FAULTS[fault]]
    judged = ask().score(b"a", b"b", "chart")
    assert (judged.status, judged.score, judged.parts) == ("judge_error", None, {}) and judged.reason


@pytest.mark.parametrize("said", ["20", "51", "0.5"])
def test_the_points_are_added_up_whatever_sum_the_judge_names(fake, ask, said):
    fake.says(GOOD.replace("50", said))
    assert ask().score(b"a", b"b", "chart").score == 0.5


def test_thoughts_before_a_score_are_no_part_of_it(fake, ask):
    fake.says(f"<think>\nperhaps {{}}?\n</think>\n\n{GOOD}")
    assert ask().score(b"a", b"b", "chart").score == 0.5


FEEDBACK = {
    "preface": "Here are my comments.\n\n---Comments:\n-**Layout**- a\n-**Text**- b",
    "thoughts": "<think>hm</think>\n---Comments:\n-**Layout**- a\n-**Text**- b",
    "fence": "```\n---Comments:\n-**Layout**- a\n-**Text**- b\n```",
    "CRLF": "---Comments:\r\n-**Layout**- a\r\n-**Text**- b",
    "spaced dashes": "---Comments:\n- **Layout** - a\n- **Text** - b",
    "colons": "---Comments:\n-**Layout**: a\n-**Text**: b",
    "colons inside": "**Comments**\n**Layout:** a\n**Text:** b",
    "bold head": "**---Comments:**\n-**Layout**- a\n-**Text**- b",
    "long dashes": "---Comments:\n-**Layout**– a\n-**Text**— b",
    "numbers": "1. **Layout**: a\n2. **Text**: b",
    "headings": "## Comments\n### Layout\n- a\n\n### Text\n- b",
    "stars": "Comments:\n* Layout: a\n* Text: b",
    "plain words": "layout: a\ntext (axes): b",
    "underscores": "---Comments:\n- __Layout__: a\n- __Text__: b",
    "a table": "| Layout | a |\n| Text | b |",
}


@pytest.mark.parametrize("form", FEEDBACK)
def test_feedback_of_any_near_form_comes_out_in_one(fake, ask, form):
    fake.says(FEEDBACK[form])
    assert ask().compare(b"a", b"b", "chart").feedback == "---Comments:\n-**Layout**- a\n-**Text**- b"


@pytest.mark.parametrize("words", ["---Comments:\nThe title is missing.", "---Comments: The title is missing."])
def test_words_under_the_head_without_an_aspect_are_of_all(fake, ask, words):
    fake.says(words)
    assert ask().compare(b"a", b"b", "chart").feedback == "---Comments:\n-**All**- The title is missing."


@pytest.mark.parametrize(
    "words",
    [
        "", "fine", "---Comments:", "The title is missing.", "**Sorry**: I cannot", "Type of chart differs", GOOD,
        WORDS + "x" * 9000, WORDS + "\ud800", "<think>---Comments:\n-**Text**- a</think>",
    ],
)  # fmt: skip
def test_feedback_of_another_form_is_a_judge_error(fake, ask, words):
    fake.says(words)
    assert ask().compare(b"a", b"b", "web").status == "judge_error"


def test_nobody_listening_is_a_judge_error():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with JudgeClient(f"http://127.0.0.1:{free.getsockname()[1]}", "m", max_retries=0) as client:
            assert client.score(b"a", b"b", "chart").reason.startswith("unreachable")


def test_a_hanging_judge_ends_at_the_timeout(fake, ask):
    fake.replies = [lambda handler: fake.released.wait(30)]
    assert ask(timeout_s=0.2).score(b"a", b"b", "chart").reason.startswith("timeout")


def test_the_deadline_bounds_all_retries(fake, ask):
    fake.replies = [lambda handler: fake.released.wait(30)]
    judged = ask(timeout_s=30, deadline_s=0.3, max_retries=9).score(b"a", b"b", "chart")
    assert judged.reason.startswith("timeout") and judged.seconds < 25


@pytest.mark.parametrize("fault", ["429 with Retry-After", "500", "reset", "cut off in the body"])
def test_a_passing_fault_is_retried(fake, ask, fault):
    fake.replies = [FAULTS[fault], body(completion(GOOD))]
    assert ask(max_retries=2).score(b"a", b"b", "chart").score == 0.5


def test_one_bad_reply_is_asked_again(fake, ask):
    fake.says("well, ...", GOOD)
    assert ask().score(b"a", b"b", "chart").score == 0.5


@pytest.mark.parametrize("words", ["response_format is not supported", "json_schema: no such backend", "bad request"])
def test_a_server_without_structured_output_is_asked_without_it(fake, ask, words):
    refusal = body(json.dumps({"error": {"message": words}}), 400)
    fake.replies = [refusal, body(completion(f"```json\n{GOOD}\n```"))]
    assert ask().score(b"a", b"b", "chart").score == 0.5
    assert ["response_format" in r for r in fake.requests] == [True, False]


def test_a_refusal_for_another_reason_keeps_structured_output(fake, ask):
    refusal = body('{"error": {"message": "the picture is damaged"}}', 400)
    fake.replies = [refusal, refusal, body(completion(GOOD))]
    client = ask()
    assert client.score(b"a", b"b", "chart").reason == "http_400: the picture is damaged"
    assert client.score(b"a", b"c", "chart").ok and "response_format" in fake.requests[-1]


def test_the_reference_comes_first_and_roles_are_named(fake, ask):
    fake.says(GOOD)
    ask().score(b"REF", b"GEN", "chart")
    parts = fake.requests[0]["messages"][0]["content"]
    assert [p.get("text", p.get("image_url", {}).get("url", ""))[:40] for p in parts[1:]] == [
        "Reference picture:", "data:image/png;base64,UkVG", "Generated picture:", "data:image/png;base64,R0VO",
    ]  # fmt: skip


def test_a_jpeg_is_sent_as_a_jpeg(fake, ask):
    fake.says(GOOD)
    ask().score(b"\xff\xd8\xff\xe0", b"GEN", "chart")
    assert fake.requests[0]["messages"][0]["content"][2]["image_url"]["url"].startswith("data:image/jpeg;")


def test_the_same_pair_is_paid_once(fake, ask, tmp_path):
    fake.says(GOOD)
    first = ask(cache_dir=tmp_path).score(b"a", b"b", "chart")
    again = ask(cache_dir=tmp_path).score(b"a", b"b", "chart")
    assert first.usage.calls == len(fake.requests) == 1
    assert again == first.model_copy(update={"usage": None})


@pytest.mark.parametrize(
    "change", [{"generated_png": b"c"}, {"reference_png": b"c"}, {"domain": "web"}, {"model": "n"}, {"max_tokens": 9}]
)
def test_another_question_is_asked_anew(fake, ask, tmp_path, change):
    fake.says(GOOD)
    pair = {"reference_png": b"a", "generated_png": b"b", "domain": "chart"}
    ask(cache_dir=tmp_path).score(**pair)
    with JudgeClient(
        fake.url,
        change.pop("model", "m"),
        cache_dir=tmp_path,
        sampling=Sampling(max_tokens=change.pop("max_tokens", 512)),
    ) as other:
        other.score(**pair | change)
    assert len(fake.requests) == 2


def test_an_error_is_not_cached(fake, ask, tmp_path):
    fake.says("no", "no", GOOD)
    client = ask(cache_dir=tmp_path)
    assert [client.score(b"a", b"b", "chart").status for _ in range(2)] == ["judge_error", "ok"]


def test_an_answer_that_cannot_be_kept_is_an_answer(fake, ask, tmp_path, monkeypatch):
    fake.says(GOOD)
    client = ask(cache_dir=tmp_path)
    monkeypatch.setattr("diskcache.Cache.__setitem__", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.warns(UserWarning, match="no space left"):
        assert client.score(b"a", b"b", "chart").score == 0.5


def test_whoever_waits_when_the_client_is_closed_is_told(fake, ask):
    fake.replies = [lambda handler: fake.released.wait(30)]
    client = ask(timeout_s=30)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(client.score, b"a", png, "chart") for png in (b"b", b"c")]
        while len(fake.requests) < 2:
            time.sleep(0.01)
        client.close()
        assert [w.result(25).reason.partition(":")[0] for w in waiting] == ["closed", "closed"]


def test_a_key_is_taken_from_the_environment(fake, ask, monkeypatch):
    monkeypatch.setenv("RRVF_JUDGE_API_KEY", "secret")
    fake.says(GOOD)
    ask().score(b"a", b"b", "chart")
    assert fake.keys == ["Bearer secret"]


def test_identical_questions_in_flight_are_one_request(fake, ask):
    def slow(handler) -> None:
        fake.released.wait(30)
        body(completion(GOOD))(handler)

    fake.replies = [slow]
    client = ask()

    async def all_at_once() -> list:
        calls = [asyncio.ensure_future(client.ascore(b"a", b"b", "chart")) for _ in range(8)]
        while not fake.requests:
            await asyncio.sleep(0)
        fake.released.set()
        return await asyncio.gather(*calls)

    judged = asyncio.run(all_at_once())
    assert [j.score for j in judged] == [0.5] * 8 and len(fake.requests) == 1
    assert sum(j.usage.calls for j in judged if j.usage) == 1


def test_requests_in_flight_are_bounded(fake, ask):
    inside, most, lock = [0], [0], threading.Lock()

    def count(handler) -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        fake.released.wait(0.05)  # so that the next questions come in while this one is open
        body(completion(GOOD))(handler)
        with lock:
            inside[0] -= 1

    fake.replies = [count]
    client = ask(max_in_flight=2)

    async def many() -> list:
        return await asyncio.gather(*(client.ascore(b"a", bytes([i]), "chart") for i in range(12)))

    assert all(j.ok for j in asyncio.run(many())) and most[0] <= 2


def test_sync_calls_work_inside_a_running_loop(fake, ask):
    fake.says(GOOD)
    client = ask()

    async def notebook_cell() -> float:
        return client.score(b"a", b"b", "chart").score

    assert asyncio.run(notebook_cell()) == 0.5


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host", "http://[", "http://"])
def test_an_address_that_is_none_is_a_user_error(url):
    with pytest.raises(UserError):
        JudgeClient(url, "m")
