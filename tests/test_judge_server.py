"""The embedded judge as a server: the same answers as in process, and clear refusals."""

import asyncio
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import cv2
import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image
from test_judge_client import body, completion

from rrvf.errors import UserError
from rrvf.judge import compare_files
from rrvf.judge.client import JudgeClient
from rrvf.judge.damage import FAMILIES
from rrvf.judge.embedded import MODEL, judge_pair
from rrvf.judge.local import EmbeddedJudge, decode
from rrvf.judge.measured import measured_card
from rrvf.judge.prompts import POINTS, load_judge_prompt
from rrvf.judge.replies import question
from rrvf.judge.server import Impatient, JudgeApp, running_server, serve


def png(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def sketch(shade: int, left: int = 40) -> np.ndarray:
    picture = np.full((120, 160, 3), 255, np.uint8)
    picture[20:100, 20] = picture[100, 20:150] = 0
    picture[40:100, left : left + 20] = (shade, 90, 200)
    return picture


A, B = sketch(20), sketch(220, 90)


@pytest.fixture(scope="module")
def url():
    with running_server() as address:
        yield address


@pytest.fixture(scope="module")
def client(url):
    with JudgeClient(url) as judge:
        yield judge


def post(url: str, **changes) -> httpx.Response:
    request = {"model": MODEL, "messages": question(load_judge_prompt("chart", "score"), png(A), png(B))} | changes
    return httpx.post(f"{url}/v1/chat/completions", json=request, trust_env=False)


@pytest.mark.parametrize("domain", ["chart", "web"])
def test_the_round_trip_changes_nothing(client, domain):
    direct = judge_pair(A, B, domain)
    scored, compared = client.score(png(A), png(B), domain), client.compare(png(A), png(B), domain)
    assert (scored.score, scored.parts, compared.feedback) == (direct.score, direct.parts, direct.feedback)


def test_the_model_names_itself(client):
    assert client.card("chart").model == MODEL


def test_health_and_metrics_answer(url, client):
    client.score(png(A), png(B), "chart")
    assert httpx.get(f"{url}/health", trust_env=False).text == "ok"
    assert 'rrvf_judge_requests_total{outcome="ok"}' in httpx.get(f"{url}/metrics", trust_env=False).text


PROMPT = load_judge_prompt("chart", "score")
REFUSED = {
    "no messages": {"messages": []},
    "messages of another kind": {"messages": 3},
    "unknown prompt": {"messages": question(type(PROMPT)("Compare them.", ""), png(A), png(B))},
    "one picture": {"messages": [{"role": "user", "content": question(PROMPT, png(A), png(B))[0]["content"][:3]}]},
    "not a picture": {"messages": question(PROMPT, png(A), b"GIF89a")},
    "damaged picture": {"messages": question(PROMPT, png(A), png(B)[:90])},
    "streaming": {"stream": True},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_cannot_answer_is_refused_with_400(url, case):
    reply = post(url, **REFUSED[case])
    assert reply.status_code == 400 and reply.json()["error"]["message"]


def test_pictures_are_never_fetched(url):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        messages = question(PROMPT, png(A), png(B))
        messages[0]["content"][-1]["image_url"]["url"] = f"http://127.0.0.1:{trap.getsockname()[1]}/x.png"
        assert post(url, messages=messages).status_code == 400
        trap.setblocking(False)
        with pytest.raises(BlockingIOError):
            trap.accept()


def test_a_picture_that_cannot_be_read_is_a_judge_error(client):
    judged = client.score(png(A), b"junk", "chart")
    assert judged.status == "judge_error" and judged.score is None


def test_a_full_queue_answers_429_with_retry_after():
    app = JudgeApp(threads=1, queue=0)
    busy, free = threading.Event(), threading.Event()
    app._pool.submit(lambda: (busy.set(), free.wait(30)))
    busy.wait(30)
    request = {"messages": question(PROMPT, png(A), png(B))}

    async def two() -> tuple[httpx.Response, httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url="http://judge") as http:
            first = asyncio.create_task(http.post("/v1/chat/completions", json=request))
            while app._inside == 0:
                await asyncio.sleep(0)
            second = await http.post("/v1/chat/completions", json=request)
            free.set()
            return await first, second

    first, second = asyncio.run(two())
    assert (first.status_code, second.status_code, second.headers["retry-after"]) == (200, 429, "1")


def test_who_sends_slowly_keeps_nobody_out(url):
    port = int(url.rpartition(":")[2])
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: judge\r\nContent-Length: 100000\r\n\r\n{"
    with ExitStack() as slow:
        for _ in range(70):  # more than the server's connections
            slow.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(head)
        assert post(url).status_code == 200


@pytest.mark.parametrize("before", [b"", b"GET /health HTTP/1.1\r\nHost: judge\r\n\r\n"], ids=["first", "kept alive"])
@pytest.mark.parametrize(
    "half", [b"", b"POST /v1/chat", b"GET /health HTTP/1.1\r\nHost: ju"], ids=["none", "line", "head"]
)
def test_half_a_head_is_not_waited_for(monkeypatch, before, half):
    monkeypatch.setattr("rrvf.judge.server.HEADERS_S", 0.3)

    async def talk() -> bytes:
        app = uvicorn.Server(
            uvicorn.Config(JudgeApp().asgi, http=Impatient, log_level="critical", timeout_keep_alive=1)
        )
        with socket.create_server(("127.0.0.1", 0)) as held:
            serving = asyncio.create_task(app.serve(sockets=[held]))
            reader, writer = await asyncio.open_connection(*held.getsockname())
            writer.write(before + half)
            said = await asyncio.wait_for(reader.read(), 20)  # until the connection is closed
            writer.close()
            app.should_exit = True
            await serving
        return said

    assert (b"200 OK" in asyncio.run(talk())) is bool(before)


def test_who_goes_away_while_sending_leaves_no_trace():
    async def gone() -> dict:
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    sent: list[dict] = []
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": [], "query_string": b""}
    asyncio.run(JudgeApp().asgi(scope, gone, send))
    assert sent[0]["status"] == 400


def test_a_stopping_server_finishes_what_it_began():
    server = subprocess.Popen(
        [sys.executable, "-m", "rrvf.judge.server", "--port", "0", "--threads", "1"], stdout=subprocess.PIPE, text=True
    )
    url = json.loads(server.stdout.readline())["url"]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(post, url) for _ in range(4)]
        while "rrvf_judge_in_flight 0.0" in httpx.get(f"{url}/metrics", trust_env=False).text:
            if all(job.done() for job in jobs):
                jobs = [pool.submit(post, url) for _ in range(4)]
        server.send_signal(signal.SIGTERM)
        answers = [job.exception() or job.result().status_code for job in jobs]
    server.wait(30), server.stdout.close()
    # A connection with an unread request may be closed; requests that were read are answered.
    assert 200 in answers and all(a == 200 or isinstance(a, httpx.TransportError) for a in answers)


def test_a_port_in_use_is_a_user_error():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(UserError, match="another port"):
        serve(port=other.getsockname()[1])


def test_the_server_dies_with_its_parent():
    script = "from rrvf.judge.server import running_server\nwith running_server() as u:\n print(u, flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    address = parent.stdout.readline().strip()
    port = int(address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 30) as alive:
        parent.kill()
        parent.wait()
        alive.settimeout(30)
        assert alive.recv(1) == b""  # the server closes its connections when it ends
    parent.stdin.close(), parent.stdout.close()


def test_stopping_leaves_no_listener():
    with running_server() as address:
        port = int(address.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


def test_two_files_are_compared_in_process_and_by_url(url, tmp_path):
    for name, picture in (("a", A), ("b", B)):
        (tmp_path / f"{name}.png").write_bytes(png(picture))
    here = compare_files(tmp_path / "a.png", tmp_path / "b.png", "chart")
    there = compare_files(tmp_path / "a.png", tmp_path / "b.png", "chart", url=url)
    assert (here.score, here.parts, here.feedback) == (there.score, there.parts, there.feedback)


def test_a_judge_is_measured_alike_in_process_and_by_url(url, monkeypatch):
    some = {key: FAMILIES[key] for key in (("web", "colour"), ("web", "text errors"))}
    monkeypatch.setattr("rrvf.judge.calibration.FAMILIES", some)
    here, there = (measured_card("web", address, pictures=1, revision="7") for address in (None, url))
    assert (there.model, there.revision, set(there.agreement)) == (MODEL, "7", {"colour", "text errors"})
    for measured in ("agreement", "order_gap", "plea_gain"):
        assert getattr(there, measured) == getattr(here, measured)


@pytest.fixture
def second(fake):
    """A judge that gives 80 points for B as a copy of A, and 60 for A as a copy of B."""

    def reply(handler):
        points = 80 if handler.asked["messages"] == question(PROMPT, png(A), png(B)) else 60
        shares = {name: top * points / 100 for name, top in POINTS.items()}
        body(completion(json.dumps(shares | {"score": points})))(handler)

    fake.replies = [reply]
    fake.server.RequestHandlerClass.do_GET = body('{"object": "list", "data": [{"id": "other", "object": "model"}]}')
    return fake


def test_two_judges_asked_twice_in_both_orders_give_the_mean_and_how_far_they_differ(url, second, tmp_path):
    for name, picture in (("a", A), ("b", B)):
        (tmp_path / f"{name}.png").write_bytes(png(picture))
    judged = compare_files(tmp_path / "a.png", tmp_path / "b.png", "chart", url, second.url, repeats=2, swap=True)
    ours, swapped = judge_pair(A, B, "chart"), judge_pair(B, A, "chart")
    mean, gap = (ours.score + swapped.score) / 2, abs(ours.score - swapped.score)
    assert judged.score == pytest.approx((mean + 0.7) / 2, abs=1e-5)
    assert judged.spread == pytest.approx({"judges": abs(mean - 0.7) / 2, "order": (gap + 0.2) / 2}, abs=1e-5)
    assert judged.feedback == ours.feedback and judged.judge.startswith(f"{MODEL}@")
    assert sorted((r["seed"], r["temperature"]) for r in second.requests) == [(0, 0.7), (0, 0.7), (1, 0.7), (1, 0.7)]


def test_a_missing_file_is_a_user_error(tmp_path):
    with pytest.raises(UserError):
        compare_files(tmp_path / "none.png", tmp_path / "none.png")


def test_transparency_is_laid_on_white():
    clear = np.dstack([np.zeros((20, 20, 3), np.uint8), np.full((20, 20), 0, np.uint8)])
    assert (decode(png(clear)) == 255).all()


def test_a_turned_photograph_is_judged_as_it_is_seen():
    turned, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    half = np.zeros((40, 20, 3), np.uint8)
    half[:20] = 255
    Image.fromarray(np.rot90(half)).save(turned, "JPEG", exif=exif)
    seen = decode(turned.getvalue())
    assert seen.shape == half.shape and np.abs(seen.astype(int) - half).mean() < 5


def test_a_huge_picture_is_refused_by_its_header():
    bomb = bytearray(png(A))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    assert EmbeddedJudge().score(png(A), bytes(bomb), "chart").reason.startswith("bad_picture")


@pytest.mark.parametrize("tail", ["!?", "é", "\ud83d", "\0", "\u2028"], ids=ascii)
def test_base64_that_is_none_is_refused(url, tail):
    messages = question(PROMPT, png(A), png(B))
    messages[0]["content"][-1]["image_url"]["url"] += tail
    request = json.dumps({"messages": messages})  # httpx cannot encode lone surrogates
    reply = httpx.post(f"{url}/v1/chat/completions", content=request, trust_env=False)
    assert reply.status_code == 400 and "base64" in reply.json()["error"]["message"]


def test_a_deep_picture_of_many_pixels_is_refused_by_its_header():
    deep = bytearray(cv2.imencode(".png", np.zeros((16, 16, 3), np.uint16))[1].tobytes())
    deep[16:24] = (4_000).to_bytes(4, "big") * 2
    deep[29:33] = zlib.crc32(bytes(deep[12:29])).to_bytes(4, "big")
    with pytest.raises(UserError, match="16 bits"):
        decode(bytes(deep))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_picture_is_converted_by_rows_as_it_is_at_once(channels, depth, monkeypatch):
    picture = np.random.default_rng(0).integers(0, np.iinfo(depth).max, (40, 30, channels), dtype=depth)
    data = cv2.imencode(".png", picture)[1].tobytes()
    whole = decode(data)
    monkeypatch.setattr("rrvf.judge.local._ROWS", 7)
    assert (decode(data) == whole).all()


@pytest.mark.parametrize("port", [-1, 65_536, 99_999])
def test_a_port_that_does_not_exist_is_a_user_error(port):
    with pytest.raises(UserError, match=f"no port {port}"):
        serve(port=port)
