"""A picture out of bounds is a fault of its code. It is found before a judge is asked, in both domains."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from rrvf.domains import NANO_CANVAS, Canvas
from rrvf.errors import UserError
from rrvf.judge.local import EmbeddedJudge, decode
from rrvf.pictures import MAX_PIXELS, fitting, misfit, read_picture
from rrvf.render import Limits
from rrvf.render.chart import ChartRenderer
from rrvf.render.limits import Failure, check_size
from rrvf.render.web_checks import check_picture

MISFITS = [(2000, 5), (10, 500), (15, 15), (16, 3201), (1_000_001, 16), (1, 1_000_001), (4001, 4000), (0, 0)]
FITS = [(16, 16), (280, 224), (16, 3200), (3200, 16), (4000, 4000)]


def header(width: int, height: int) -> bytes:
    """An empty PNG that claims this size."""
    data = b"IHDR" + struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + data + struct.pack(">I", zlib.crc32(data)) + bytes(12)


def judged(width: int, height: int) -> None:
    decode(header(width, height))


def drawn_page(width: int, height: int) -> None:
    check_picture(header(width, height) + bytes(2000 + width * height // 20), Limits())


def drawn_chart(width: int, height: int) -> None:
    check_size(width, height, Limits())


@pytest.mark.parametrize("size", MISFITS)
@pytest.mark.parametrize("door", [judged, drawn_page, drawn_chart])
def test_every_door_refuses_the_same_sizes(door, size) -> None:
    assert misfit(*size)
    with pytest.raises((UserError, Failure)) as refusal:
        door(*size)
    assert getattr(refusal.value, "reason", "limit") == "limit"


@pytest.mark.parametrize("size", FITS)
@pytest.mark.parametrize("door", [drawn_page, drawn_chart])
def test_every_door_takes_the_same_sizes(door, size) -> None:
    assert misfit(*size) is None
    door(*size)


@pytest.mark.parametrize("size", [(2000, 5), (16, 3201), (5, 5)])
def test_a_policy_is_not_shown_what_nobody_can_look_at(tmp_path, size) -> None:
    Image.new("RGB", size).save(tmp_path / "x.png")
    for look in (fitting, read_picture):
        with pytest.raises(UserError, match=f"x.png: the picture is {size[0]} x {size[1]}"):
            look(tmp_path / "x.png")


def test_a_damaged_picture_is_one_line(tmp_path) -> None:
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8)).save(whole, "PNG")
    (tmp_path / "cut.png").write_bytes(whole.getvalue()[:9000])
    (tmp_path / "text.png").write_text("no picture")
    for name in ("cut.png", "text.png"):
        with pytest.raises(UserError, match=name):
            read_picture(tmp_path / name)


CANVASES = {"exact": (Canvas(280, 224), [(280, 224)], [(37, 900), (2300, 2300), (281, 224), (280, 225), (280, 223)]),
            "full page": (Canvas(280, 224, full_page=True), [(280, 224), (280, 900), (308, 250)], [(279, 900), (280, 223)])}  # fmt: skip


@pytest.mark.parametrize("name", CANVASES)
def test_under_a_canvas_a_picture_has_its_size(name: str) -> None:
    canvas, right, wrong = CANVASES[name]
    for size in right:
        check_size(*size, Limits(canvas=canvas))
    for size in wrong:
        with pytest.raises(Failure) as failure:
            check_size(*size, Limits(canvas=canvas))
        assert failure.value.reason == "forbidden"


@pytest.mark.parametrize("inches", [(20, 0.05), (0.1, 5), (0.15, 0.15), (1e5, 0.2), (0.2, 1e5), (50, 50)])
@pytest.mark.parametrize("trace", [None, "official"])
def test_a_chart_of_such_a_size_is_a_render_error(engine: ChartRenderer, inches, trace) -> None:
    code = f"import matplotlib.pyplot as plt\nplt.figure(figsize={inches}).add_axes([0, 0, 1, 1]).plot([1, 2])"
    record = engine.render(code, trace)
    assert (record.status, record.reason, record.png) == ("render_error", "limit", None)
    assert (record.items is not None) == (trace is not None)  # the program did run


FORGED = """import json, os, struct
w, h = {size}
head = json.dumps({{'outcome': 'ok', 'width': w, 'height': h, 'coverage': 0.0}}).encode()
data = memoryview(struct.pack('>II', len(head), 3 * w * h) + head + bytes(range(256)) * (3 * w * h // 256) + bytes(3 * w * h % 256))
while data:
    data = data[os.write(3, data):]
os._exit(0)
"""


@pytest.mark.parametrize(
    ("size", "canvas", "reason"),
    [
        ((1_000_001, 1), None, "limit"),
        ((1, 1_000_001), None, "limit"),
        ((900_000, 17), None, "limit"),
        ((37, 900), NANO_CANVAS, "forbidden"),
        ((2300, 2300), NANO_CANVAS, "forbidden"),
    ],
)
def test_a_forged_size_is_a_render_error(engine: ChartRenderer, size, canvas, reason: str) -> None:
    record = engine.render(FORGED.format(size=size), limits=Limits(wall_s=120, canvas=canvas))
    assert (record.status, record.reason) == ("render_error", reason)


def test_what_the_renderer_passes_the_judge_takes(engine: ChartRenderer) -> None:
    for inches in ((0.16, 0.16), (32, 0.16), (0.16, 32)):
        png = engine.render(f"import matplotlib.pyplot as plt\nplt.figure(figsize={inches})\nplt.plot([1, 2])").png
        assert EmbeddedJudge().score(png, png, "chart").ok


def test_the_bounds_of_a_render_are_those_of_every_picture() -> None:
    assert Limits().max_pixels == MAX_PIXELS
