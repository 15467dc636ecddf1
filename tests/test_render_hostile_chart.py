"""Hostile programs: each ends with a typed outcome within its time limit, reaches nothing, and harms no other render."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hostile_suite import Attack, attacks

from rrvf.records import Render
from rrvf.render import Limits
from rrvf.render.chart import ChartRenderer

PATIENT = Limits(wall_s=120, cpu_s=10, memory_mb=200)
#: Seconds that a busy machine may take to end a program after its time limit.
SLACK_S = 10
PROGRAMS = attacks("chart")
HARMLESS = """import os, random
import matplotlib.pyplot as plt
plt.plot([random.random() for _ in range(9)])
plt.title(str(os.listdir()))
"""
SECRET = "the-secret-of-the-canary"

pytestmark = pytest.mark.alone


@dataclass
class Outcome:
    """The results and traces of one run of all programs."""

    hostile: dict[str, Render]
    harmless: list[Render]
    contacts: int
    left: list[str]
    descriptors: int
    canary: Path


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    canary = tmp_path_factory.mktemp("secret") / "canary.txt"
    canary.write_text(SECRET)
    before = _descriptors()
    with pytest.MonkeyPatch.context() as patch, _listeners(canary) as listeners:
        patch.setenv("RRVF_TEST_SECRET", SECRET)
        engine = ChartRenderer(workers=3)
        session = engine._zygote._process.pid
        jobs = [job for p in PROGRAMS for job in ((p.aimed(listeners.port, canary), _limits(p)), (HARMLESS, PATIENT))]
        with ThreadPoolExecutor(3) as threads:
            renders = list(threads.map(lambda job: engine.render(job[0], limits=job[1]), jobs))
        engine.close()
        contacts = listeners.contacts()
    hostile = {p.name: r for p, r in zip(PROGRAMS, renders[::2], strict=True)}
    return Outcome(hostile, renders[1::2], contacts, _session(session), _descriptors() - before, canary)


class _listeners:
    """TCP, UDP and unix sockets that count connections."""

    def __init__(self, canary: Path) -> None:
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._unix = socket.socket(socket.AF_UNIX)
        self._unix.bind(f"{canary}.sock")
        self._unix.listen()
        self._all = (self._tcp, self._udp, self._unix)

    def __enter__(self) -> _listeners:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._all:
            one.close()

    def contacts(self) -> int:
        return sum(map(self._called, self._all))

    def _called(self, one: socket.socket) -> bool:
        one.setblocking(False)
        try:
            one.recv(1) if one is self._udp else one.accept()
        except BlockingIOError:
            return False
        return True


def _limits(attack: Attack) -> Limits:
    """Two seconds for attacks that may reach the limit; others get time to end by themselves, also on busy machines."""
    return replace(PATIENT, wall_s=2) if attack.may_time_out else PATIENT


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _session(number: int) -> list[str]:
    """Processes in the sandbox's session."""
    return [p for p in _stats() if p.rsplit(")", 1)[1].split()[3] == str(number)]


def _stats() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield path.read_text()
        except OSError:
            continue


@pytest.mark.parametrize("attack", PROGRAMS, ids=lambda a: a.name)
def test_a_hostile_program_ends_as_expected(outcome: Outcome, attack: Attack) -> None:
    render = outcome.hostile[attack.name]
    assert (render.reason or "ok") in attack.expected, render.message


@pytest.mark.parametrize("attack", PROGRAMS, ids=lambda a: a.name)
def test_it_ends_within_its_time(outcome: Outcome, attack: Attack) -> None:
    assert outcome.hostile[attack.name].seconds < _limits(attack).wall_s + SLACK_S


@pytest.mark.parametrize("name", [a.name for a in PROGRAMS])
def test_its_message_is_fit_for_a_policy(outcome: Outcome, name: str) -> None:
    message = outcome.hostile[name].message
    own = next(a.code for a in PROGRAMS if a.name == name).replace("__CANARY__", str(outcome.canary))
    assert "LEAK" not in message.rsplit("\n", 1)[-1]
    assert SECRET not in message
    assert not any(mark in message for mark in ("<|", "<answer>", "</tool_response>"))
    assert not any(folder in message and folder not in own for folder in ("/usr/", "/tmp/", "/root/", "/work/"))
    assert len(message) <= 300


def test_the_render_beside_a_hostile_one_is_unaffected(outcome: Outcome) -> None:
    assert {r.status for r in outcome.harmless} == {"ok"}
    assert len({r.png for r in outcome.harmless}) == 1


def test_patching_the_libraries_changes_no_picture(outcome: Outcome) -> None:
    pictures = {outcome.hostile[n].png for n in ("patched_saving", "patched_interpreter", "swallowed_fork_bomb")}
    assert len(pictures) == 1


def test_nobody_was_contacted(outcome: Outcome) -> None:
    assert outcome.contacts == 0


def test_nothing_was_written_beside_the_canary(outcome: Outcome) -> None:
    assert {p.name for p in outcome.canary.parent.iterdir()} == {"canary.txt", "canary.txt.sock"}
    assert outcome.canary.read_text() == SECRET


def test_no_process_is_left(outcome: Outcome) -> None:
    assert outcome.left == []


def test_no_descriptor_is_left(outcome: Outcome) -> None:
    # Fewer is not a leak: garbage collection may close descriptors of an earlier test meanwhile.
    assert outcome.descriptors <= 0
