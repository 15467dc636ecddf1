"""Hostile pages: each ends with a typed outcome within its time limit, reaches nothing, and harms no other render."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import psutil
import pytest
from hostile_suite import Attack, attacks

from rrvf.domains import Canvas
from rrvf.records import Render
from rrvf.render import Limits
from rrvf.render.web import WebRenderer

pytestmark = pytest.mark.alone

#: Seconds that a busy machine may take to end a page after its time limit.
SLACK_S = 10
PAGES = attacks("web")
#: A picture that every user can read. A page that succeeds in showing it is not blank.
CANARY = "<svg xmlns='http://www.w3.org/2000/svg' width='200' height='150'><circle r='99' fill='red'/></svg>"
CANVAS = Canvas(200, 150, full_page=True)
HARMLESS = """<p id="seen">seen before: </p>
<script>
seen.append(document.cookie, localStorage.length);
document.cookie = 'a=b';
localStorage.setItem('a', 'b');
</script>
"""


@dataclass
class Outcome:
    """The results and traces of one run of all pages."""

    hostile: dict[str, Render]
    harmless: list[Render]
    contacts: int
    processes: set[psutil.Process]
    files: list[str]


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """Eight browsers at once, two a group: with and without scripts, for pages that may time out and for the others."""
    groups = [(key, list(pages)) for key, pages in groupby(sorted(PAGES, key=_group), key=_group)]
    halves = [(key, pages[half::2]) for key, pages in groups for half in (0, 1)]
    folder, secret = tempfile.mkdtemp(), tempfile.mkdtemp()
    for one in (folder, secret):
        os.chmod(one, 0o755)  # as root, the browser runs as another user
    canary = Path(secret) / "canary.svg"
    canary.write_text(CANARY)
    before = _processes()
    with pytest.MonkeyPatch.context() as patch, Listeners() as listeners, ThreadPoolExecutor(8) as threads:
        patch.setenv("TMPDIR", folder)
        done = list(threads.map(lambda group: _render(*group, listeners.port, canary), halves))
        contacts = listeners.contacts()
    hostile = {name: render for renders, _ in done for name, render in renders.items()}
    files = os.listdir(folder)
    shutil.rmtree(folder)
    shutil.rmtree(secret)
    return Outcome(hostile, [r for _, renders in done for r in renders], contacts, _processes() - before, files)


def _render(
    key: tuple[bool, float], pages: list[Attack], port: int, canary: Path
) -> tuple[dict[str, Render], list[Render]]:
    scripts, wall_s = key
    limits = Limits(canvas=CANVAS, javascript=scripts, wall_s=wall_s, memory_mb=800)
    hostile, harmless = {}, []
    with WebRenderer(1, limits) as renderer:
        for page in pages:
            renderer.limits = limits
            hostile[page.name] = renderer.render(page.aimed(port, canary))
            if wall_s > 10 or hostile[page.name].reason:
                renderer.limits = replace(limits, wall_s=60)  # long, for busy machines
                harmless.append(renderer.render(HARMLESS if scripts else "<p>seen before: 0</p>"))
    return hostile, harmless


class Listeners:
    """A TCP and a UDP socket on the same loopback port that count connections."""

    def __enter__(self) -> Listeners:
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self._tcp.close()
        self._udp.close()

    def contacts(self) -> int:
        count = 0
        for one, call in ((self._tcp, self._tcp.accept), (self._udp, lambda: self._udp.recv(1))):
            one.setblocking(False)
            try:
                call()
                count += 1
            except BlockingIOError:
                pass
        return count


def _group(page: Attack) -> tuple[bool, float]:
    """(scripts run, time limit): two seconds for pages that may reach the limit, a long limit for others."""
    return page.scripts, 2.0 if page.may_time_out else 60.0


def _processes() -> set[psutil.Process]:
    """Browsers and drivers below this process. Other tests may have their own."""
    return {p for p in psutil.Process().children(recursive=True) if "chrom" in p.name() or "node" in p.name()}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_hostile_page_ends_as_expected(outcome: Outcome, page: Attack) -> None:
    render = outcome.hostile[page.name]
    assert (render.reason or "ok") in page.expected, render.message


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_it_ends_within_its_time(outcome: Outcome, page: Attack) -> None:
    assert outcome.hostile[page.name].seconds < _group(page)[1] + SLACK_S


def test_messages_are_fit_for_a_policy(outcome: Outcome) -> None:
    for render in outcome.hostile.values():
        assert not any(
            mark in render.message for mark in ("<|", "<answer>", "</tool_response>", "/usr/", "/tmp/", "\x1b")
        )
        assert len(render.message) <= 300


def test_the_render_beside_a_hostile_one_is_unaffected(outcome: Outcome) -> None:
    assert {r.status for r in outcome.harmless} == {"ok"}
    assert len({r.png for r in outcome.harmless}) == 1


def test_nobody_was_contacted(outcome: Outcome) -> None:
    assert outcome.contacts == 0


def test_no_process_is_left(outcome: Outcome) -> None:
    assert outcome.processes == set()


def test_no_file_is_left(outcome: Outcome) -> None:
    assert outcome.files == []
