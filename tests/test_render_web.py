"""Pages: one contract, whatever the page does. Each hostile page states the one thing that must not happen."""

from __future__ import annotations

import socket
import threading

import psutil
import pytest

from rrvf.domains import NANO_CANVAS, Canvas
from rrvf.render import Limits, Renderer

PAGE = "<!DOCTYPE html><body style='margin:0'><h1 style='color:navy'>Hello</h1><p>world</p>"
WALL = 6.0


@pytest.fixture(scope="module")
def small():
    with Renderer("web", 2, Limits(canvas=NANO_CANVAS, wall_s=30)) as renderer:
        yield renderer


@pytest.fixture(scope="module")
def scripted():
    with Renderer("web", 1, Limits(canvas=Canvas(400, 300), javascript=True, wall_s=WALL)) as renderer:
        renderer.render(PAGE)
        yield renderer


@pytest.fixture
def listener():
    """A loopback port that notes who comes by."""
    server = socket.create_server(("127.0.0.1", 0))
    visits: list = []

    def wait() -> None:
        while True:
            try:
                visits.append(server.accept())
            except OSError:
                return

    threading.Thread(target=wait, daemon=True).start()
    yield server.getsockname()[1], visits
    server.close()


def test_the_picture_has_the_canvas_size(small):
    render = small.render(PAGE)
    assert render.ok and (render.width, render.height) == (280, 224)


def test_the_same_page_gives_the_same_bytes_by_either_worker(small):
    assert len({r.png for r in small.render_many([PAGE] * 6)}) == 1


def test_results_come_in_order(small):
    pages = [PAGE.replace("Hello", "x" * n) for n in (1, 9, 5)]
    assert [r.png for r in small.render_many(pages)] == [small.render(p).png for p in pages]


def test_without_a_canvas_the_whole_page_is_drawn():
    with Renderer("web", 1, Limits(wall_s=30)) as renderer:
        render = renderer.render("<div style='height:2000px;background:teal'>long</div>")
    assert render.width == 1280 and render.height > 2000


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("<body style='background:red'>", "blank"),
        ("x" * 300_000, "limit"),
        (f"<img src='data:image/png;base64,{'A' * 30_000}'>", "limit"),
    ],
    ids=["blank", "long", "pasted picture"],
)
def test_a_page_that_shows_nothing_of_its_own_fails_with_a_reason(small, page, reason):
    assert small.render(page).reason == reason


def test_a_page_a_million_pixels_high_is_refused():
    with Renderer("web", 1, Limits(wall_s=30)) as renderer:
        assert renderer.render("<div style='height:1000000px'>x</div>").reason == "limit"


def test_scripts_are_off_unless_asked_for(small):
    plain = small.render("<p>a</p>")
    assert small.render("<p>a</p><script>document.body.innerHTML = 'b'</script>").png == plain.png


@pytest.mark.parametrize(
    "body",
    [
        "while (1) {}",
        "location.reload()",
        "const a = []; while (1) a.push(new Array(1e6).fill(1))",
        "for (let i = 0; i < 3e6; i++) document.body.append(document.createElement('p'))",
        "alert(1); confirm(2); prompt(3)",
        "for (let i = 0; i < 50; i++) window.open('about:blank')",
    ],
    ids=["loop", "reload", "memory", "nodes", "dialogs", "popups"],
)
def test_a_hostile_script_ends_in_time_and_the_next_page_is_drawn(scripted, body):
    render = scripted.render(f"<p>hi</p><script>{body}</script>")
    assert render.seconds < WALL + 4
    assert scripted.render(PAGE).ok


@pytest.mark.parametrize(
    "markup",
    [
        "<img src='http://127.0.0.1:{port}/'>",
        "<iframe src='http://127.0.0.1:{port}/'></iframe>",
        "<meta http-equiv='refresh' content='0;url=http://127.0.0.1:{port}/'>",
        "<link rel='stylesheet' href='http://127.0.0.1:{port}/'>",
        "<script>fetch('http://127.0.0.1:{port}/').catch(() => 0)</script>",
        "<script>new WebSocket('ws://127.0.0.1:{port}/')</script>",
        "<script>navigator.sendBeacon('http://127.0.0.1:{port}/', 'x')</script>",
        "<script>const p = new RTCPeerConnection({{iceServers: [{{urls: 'turn:127.0.0.1:{port}?transport=tcp', "
        "username: 'u', credential: 'c'}}]}}); p.createDataChannel('d'); p.createOffer().then(o => p.setLocalDescription(o))"
        "</script>",
    ],
    ids=["img", "iframe", "refresh", "stylesheet", "fetch", "websocket", "beacon", "webrtc"],
)
def test_nothing_reaches_the_network(scripted, listener, markup):
    port, visits = listener
    scripted.render("<p>hi</p>" + markup.format(port=port))
    assert not visits


def test_a_file_of_the_machine_is_not_shown(small):
    plain = small.render("<p>a</p><iframe></iframe>")
    assert small.render("<p>a</p><iframe src='file:///etc/passwd'></iframe>").png == plain.png


def test_closing_leaves_no_process():
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    with Renderer("web", 2, Limits(canvas=NANO_CANVAS, wall_s=30)) as renderer:
        renderer.render_many([PAGE] * 3)
    assert {p.pid for p in psutil.Process().children(recursive=True) if p.is_running()} <= before
