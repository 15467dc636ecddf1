"""Any reply of a child process and any program gives a render or a typed failure."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import socket
import struct
from concurrent.futures import Future
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

import rrvf.render
from rrvf.domains import domain
from rrvf.protocol import parse_turn
from rrvf.records import RenderReason
from rrvf.render import Limits
from rrvf.render import web_checks as web
from rrvf.render.chart import _converse, policy_text
from rrvf.render.limits import Failure
from rrvf.render.zygote import Child

#: Long, for busy machines.
patient = settings(deadline=None)
SMALL = Limits(wall_s=5, max_pixels=1024)
REASONS = get_args(RenderReason)
SCALARS = st.none() | st.booleans() | st.integers(-2, 1 << 70) | st.floats() | st.text(max_size=9)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
#: Headers from correct to absurd: each field is missing, plausible or arbitrary.
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "outcome": st.sampled_from(["ok", *REASONS]) | JSON,
        "message": st.text() | JSON,
        "width": st.integers(0, 40) | JSON,
        "height": st.integers(0, 40) | JSON,
        "coverage": st.floats(0, 1) | JSON,
        "items": st.dictionaries(st.text(), JSON, max_size=2) | JSON,
        "score": JSON,
    },
)


@pytest.fixture(scope="module")
def faults():
    """The sandbox's own parser and reporter, which run in the process of the foreign program."""
    path = Path(rrvf.render.__file__).parent / "sandbox" / "faults.py"
    spec = importlib.util.spec_from_file_location("sandbox_faults", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcome(reply: bytes, traced: bool):
    """The host's result for a child that sends `reply` and ends."""
    ours, theirs = socket.socketpair()
    readable, writable = os.pipe()
    os.close(writable)  # as with a dead process
    status: Future[int] = Future()
    status.set_result(0)
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        theirs.sendall(reply)
        theirs.shutdown(socket.SHUT_WR)
        try:
            return _converse(Child(ours, readable, status), "code", SMALL, traced)
        except Failure as failure:
            return failure
        finally:
            os.close(readable)


def check(reply: bytes, traced: bool) -> None:
    result = outcome(reply, traced)
    if isinstance(result, Failure):
        assert result.reason in REASONS
        assert len(policy_text(result.message)) <= 300
    elif result.png:
        with Image.open(io.BytesIO(result.png)) as picture:
            assert picture.size == (result.width, result.height)
            assert len(picture.convert("RGB").getcolors()) > 1
    assert traced or result.items is None


@patient
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_render_or_a_typed_failure(reply: bytes, traced: bool) -> None:
    check(reply, traced)


@patient
@given(HEADERS, st.binary(max_size=64), st.booleans())
@example({"outcome": "ok", "width": 16, "height": 32}, bytes(range(256)) * 6, False)
@example({"outcome": "exception", "items": {}}, b"", False)
def test_any_header_is_a_render_or_a_typed_failure(header: dict, picture: bytes, traced: bool) -> None:
    head = json.dumps(header).encode()
    check(struct.pack(">II", len(head), len(picture)) + head + picture, traced)


@patient
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=60))
def test_any_claimed_length_is_a_render_or_a_typed_failure(head: int, picture: int, rest: bytes) -> None:
    check(struct.pack(">II", head, picture) + rest, traced=True)


def test_a_right_reply_is_a_render() -> None:
    head = json.dumps({"outcome": "ok", "width": 16, "height": 32}).encode()
    pixels = bytes(range(256)) * 6
    assert outcome(struct.pack(">II", len(head), len(pixels)) + head + pixels, traced=False).ok


PYTHON = st.lists(
    st.sampled_from(["def f", "(", ")", ":", "\n", "    ", "x", "=", "1_0", "'", '"""', "f'{", "}", "\\", "\0", "#",
                     "lambda", "*", "é", "\ud800", "\x0c", "0" * 5000, "class", "@", ";", "async", "match"]),
    max_size=20,
).map("".join)  # fmt: skip


@patient
@given(PYTHON | st.text())
def test_a_program_parses_or_is_a_syntax_error(faults, source: str) -> None:
    try:
        faults.oversized_literals(faults.parse(source, "script.py"), 100)
    except faults.Fault as fault:
        assert faults.describe(fault, "script.py", source)["outcome"] in ("syntax_error", "limit")


HTML = st.lists(
    st.sampled_from(["<svg", "</svg>", "<style>", "</style>", "<!--", "-->", "<!-->", "<![CDATA[", "]]>", "data:", "url(",
                     ")", '"', "'", "<p style=", "&#100;", "&quot;", "\\64 ", "\\", "/*", "*/", ">", "<", "x", ";",
                     "<script>", "<textarea>", "\0", "box-shadow:", "," * 2000]),
    max_size=20,
).map("".join)  # fmt: skip


@patient
@given(HTML | st.text())
def test_a_page_is_allowed_or_refused(code: str) -> None:
    pasted, drawn = web.embedded(code)
    assert 0 <= pasted <= len(code) * 2
    assert drawn >= 0


@patient
@given(st.text() | HTML)
def test_a_turn_parses_whatever_it_holds(text: str) -> None:
    assert parse_turn(text, domain("chart")).kind
