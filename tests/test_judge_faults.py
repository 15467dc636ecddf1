"""Hundreds of faults, an outage and a killed server: no answer is lost or wrong, and the run continues."""

import base64
import hashlib
import json
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from test_judge_client import body, completion, cut_off, reset

from rrvf.domains import domain
from rrvf.judge.child import running_server
from rrvf.judge.client import JudgeClient
from rrvf.judge.local import encode
from rrvf.judge.prompts import POINTS
from rrvf.judge.scenes import draw_chart, random_chart
from rrvf.records import Render
from rrvf.rollout import Episode, Tools


def truth(generated: bytes) -> float:
    """The correct score of a picture: a multiple of 0.01 from its hash."""
    return hashlib.sha256(generated).digest()[0] % 101 / 100


def right(generated: bytes) -> str:
    score = left = round(100 * truth(generated))
    points = {}
    for name, top in POINTS.items():
        points[name] = min(top, left)
        left -= points[name]
    return completion(json.dumps(points | {"score": score}))


def drip(handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    for _ in range(20):
        handler.wfile.write(b" ")
        time.sleep(0.15)


FAULTS = {
    "reset": reset,
    "hang": lambda handler: time.sleep(3),
    "slow drip": drip,
    "cut off": cut_off,
    "429": body("{}", 429),
    "429 with Retry-After": body("{}", 429, Retry_After=0),
    "500": body("oops", 500, "text/plain"),
    "503": body("", 503),
    "gateway down": body("<html>502 Bad Gateway</html>", 502, "text/html"),
    "HTML error page": body("<html>Internal Server Error</html>", 500, "text/html"),
    "HTML as an answer": body("<html>proxy login</html>", kind="text/html"),
    "truncated JSON": body(right(b"x")[:-9]),
    "wrong schema": body('{"result": 1.0}'),
    "Score: 100/10": body(completion("Score: 100/10")),
    "obeyed the picture": body(completion("As the picture says: identical, score 100.")),
    "empty": body(completion("")),
    "a score twice": body(completion(json.dumps(dict.fromkeys(POINTS, 0) | {"score": 5})[:-1] + ', "score": 100}')),
}


class Faulty(ThreadingHTTPServer):
    """Answers a picture's first requests with that picture's faults, then correctly; `never` stays faulty."""

    daemon_threads, request_queue_size = True, 256

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Answer)
        self.asked: Counter[bytes] = Counter()
        self.injected: Counter[str] = Counter()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, *_) -> None:
        """Print nothing when a client has given up on a hanging reply."""


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body('{"object": "list", "data": []}')(self)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        links = re.findall(r"base64,([^\"]+)", json.dumps(request))
        picture = base64.b64decode(links[1])
        faults = picture.decode().split("|")[1:]
        turn = self.server.asked[picture]
        self.server.asked[picture] += 1
        if b"never" in picture or turn < len(faults):
            fault = faults[turn % len(faults)]
            self.server.injected[fault] += 1
            FAULTS[fault](self)
        else:
            body(right(picture))(self)

    def log_message(self, *_) -> None:
        pass


def test_hundreds_of_faults_lose_nothing_and_score_nothing_wrongly():
    rng = random.Random(0)
    passing = [f"{i}|{rng.choice([*FAULTS])}".encode() for i in range(240)]
    lasting = [
        f"never {i}|{fault}".encode() for i in range(2) for fault in FAULTS if fault not in ("hang", "slow drip")
    ]
    server = Faulty()
    ask = {"max_in_flight": 32, "timeout_s": 2.0, "deadline_s": 120.0, "max_retries": 3}
    with JudgeClient(f"http://127.0.0.1:{server.server_port}", "m", **ask) as client, ThreadPoolExecutor(32) as pool:
        pictures = passing + lasting
        judged = dict(zip(pictures, pool.map(lambda p: client.score(b"target", p, "chart"), pictures), strict=True))
    server.shutdown(), server.server_close()
    assert sum(server.injected.values()) >= 300 and set(server.injected) == set(FAULTS)
    assert all(judged[p].score == truth(p) for p in passing)
    assert all(judged[p].score is None and judged[p].reason for p in lasting)


def test_an_outage_is_waited_out_and_told_once(capfd):
    server = Faulty()
    port = server.server_port
    with (
        JudgeClient(f"http://127.0.0.1:{port}", "m", max_retries=0, outage_s=60) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        server.shutdown(), server.server_close()
        jobs = [pool.submit(client.score, b"target", p, "chart") for p in (b"1", b"2", b"3")]
        said = ""
        while "cannot be reached" not in said:
            time.sleep(0.01)
            said += capfd.readouterr().err
        back = Faulty(port)
        assert [job.result().score for job in jobs] == [truth(p) for p in (b"1", b"2", b"3")]
    back.shutdown(), back.server_close()
    said += capfd.readouterr().err
    assert said.count("waiting up to 60 s") == 1 and said.count("the judge is back") == 1


def test_a_run_that_waits_says_so_again_and_again(capfd, monkeypatch):
    monkeypatch.setattr("rrvf.judge.outage.SIGN_S", 0.05)
    with JudgeClient("http://127.0.0.1:9", "m", max_retries=0, outage_s=0.4) as client:
        client.score(b"a", b"b", "chart")
    assert capfd.readouterr().err.count("still waiting for the judge at http://127.0.0.1:9") >= 2


def test_an_outage_without_end_is_a_judge_error():
    with JudgeClient("http://127.0.0.1:9", "m", max_retries=0, outage_s=0.2) as client:
        assert client.score(b"a", b"b", "chart").reason.startswith("unreachable")


def test_a_question_that_takes_its_server_down_each_time_is_given_up():
    """The server answers every check of its health, and crashes whenever this picture is sent."""
    server = Faulty()
    with JudgeClient(f"http://127.0.0.1:{server.server_port}", "m", max_retries=0, outage_s=60) as client:
        judged = client.score(b"target", b"never|reset", "chart")
    server.shutdown(), server.server_close()
    assert judged.reason.startswith("unreachable") and server.asked.total() == 3


def test_a_gateway_whose_server_is_gone_is_waited_for(capfd):
    server = Faulty()
    with JudgeClient(f"http://127.0.0.1:{server.server_port}", "m", max_retries=0, outage_s=60) as client:
        assert client.score(b"target", b"1|gateway down|503", "chart").score == truth(b"1|gateway down|503")
    server.shutdown(), server.server_close()
    assert capfd.readouterr().err.count("the judge is back") == 2


class Drawn:
    """A renderer whose pictures are charts of a seed; the code is the seed."""

    def render(self, code: str) -> Render:
        return Render(status="ok", png=chart(int(code)), width=280, height=224)


def chart(seed: int) -> bytes:
    return encode(draw_chart(random_chart(random.Random(seed))))


def test_a_server_killed_under_a_group_of_episodes_comes_back_and_no_episode_notices(capfd):
    """As in a training step: eight answers of a group are scored at once."""
    with running_server() as url, JudgeClient(url, max_retries=0, outage_s=60) as judge:
        tools = Tools({"chart": Drawn()}, judge)
        answers = [f"'<think>x</think><answer>```python\n{seed}\n```</answer>'" for seed in range(8)]
        group = lambda: [  # noqa: E731
            tools.submit(Episode(str(i), domain("chart"), chart(100), tools).finish, a) for i, a in enumerate(answers)
        ]
        before = [job.result().judgement.score for job in group()]
        os.kill(_listener(int(url.rpartition(":")[2])), signal.SIGKILL)
        after = [job.result().judgement.score for job in group()]
        tools.close()
    assert None not in before and after == before
    assert "starting it again" in capfd.readouterr().err


def _listener(port: int) -> int:
    import psutil

    return next(c.pid for c in psutil.net_connections("tcp") if c.laddr[1] == port and c.status == "LISTEN")


@pytest.mark.parametrize("fault", ["Score: 100/10", "obeyed the picture"])
def test_a_judge_that_obeys_the_picture_gives_no_score(fault):
    server = Faulty()
    with JudgeClient(f"http://127.0.0.1:{server.server_port}", "m", max_retries=0) as client:
        judged = client.score(b"target", f"never|{fault}".encode(), "chart")
    server.shutdown(), server.server_close()
    assert judged.status == "judge_error" and judged.score is None
