"""A chart script runs as in `python script.py`: picture, files, arguments, encoding and exit."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rrvf.domains import NANO_CANVAS
from rrvf.records import Render
from rrvf.render import Limits
from rrvf.render.chart import ChartRenderer, policy_text
from rrvf.render.files import render_file
from rrvf.sources import read_script

LIMITS = Limits(wall_s=120)
OWNED = replace(LIMITS, canvas=NANO_CANVAS)
START = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.bar([1, 2], [3, 4], color='red')\n"
LOOSE = (
    "from matplotlib.figure import Figure\nfig = Figure()\nax = fig.subplots()\nax.bar([1, 2], [3, 4], color='red')\n"
)
#: Shows the file `a.png` pixel by pixel.
SHOW_FILE = "\nrows = plt.imread('a.png')\nplt.figure(figsize=(rows.shape[1] / 100, rows.shape[0] / 100)).figimage(rows)\nplt.show()"


def _png(record: Render) -> bytes:
    assert record.ok, record.message
    return record.png


def _pixels(record: Render) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(_png(record))).convert("RGB"))


@pytest.fixture(scope="module")
def start_png(engine: ChartRenderer) -> bytes:
    """The picture of START."""
    return _png(engine.render(START))


@pytest.mark.parametrize("save", ["plt.savefig('a.png')", "fig.savefig(fname='a')", "plt.show()", "fig.show()",
                                  "fig.savefig('a.svg')", "fig.canvas.print_figure('a.pdf')",
                                  "fig.canvas.print_png('a.png')", "fig.savefig(__import__('io').BytesIO())"])  # fmt: skip
@pytest.mark.parametrize(
    "after", ["plt.clf()", "ax.cla()", "plt.close()", "plt.figure()", "ax.bar([1, 2], [3, 4], color='blue')"]
)
def test_the_picture_is_as_it_was_saved(engine: ChartRenderer, start_png: bytes, save: str, after: str) -> None:
    assert _png(engine.render(f"{START}{save}\n{after}")) == start_png


@pytest.mark.parametrize("save", ["fig.savefig('a.png')", "fig.canvas.print_figure('a.png')",
                                  "from matplotlib.backends.backend_agg import FigureCanvasAgg as C\nC(fig).print_png('a.png')",
                                  "from matplotlib.backends.backend_svg import FigureCanvasSVG as C\nC(fig).print_svg('a.svg')",
                                  "from matplotlib.backends.backend_agg import FigureCanvasAgg as C\nC(fig).print_to_buffer()"])  # fmt: skip
def test_a_figure_without_pyplot_counts(engine: ChartRenderer, start_png: bytes, save: str) -> None:
    assert _png(engine.render(LOOSE + save)) == start_png


def test_the_last_save_of_the_last_saved_figure_wins(engine: ChartRenderer, start_png: bytes) -> None:
    code = (
        START
        + "other, bx = plt.subplots(figsize=(3, 3))\nbx.plot([1, 2])\nother.savefig('b')\nfig.savefig('a')\nbx.plot([2, 1])"
    )
    assert _png(engine.render(code)) == start_png


def test_showing_what_was_saved_keeps_the_saved_picture(engine: ChartRenderer) -> None:
    saved = START + "plt.savefig('a.png', dpi=50)\n"
    assert engine.render(saved + "plt.show()").width == 320
    assert engine.render(saved + "plt.title('changed')\nplt.show()").width == 640


@pytest.mark.parametrize("canvas", [None, NANO_CANVAS])
def test_saves_leave_the_figure_as_it_was(engine: ChartRenderer, canvas) -> None:
    keep = "size, dpi, canvas = tuple(fig.get_size_inches()), fig.dpi, fig.canvas\n"
    check = "\nassert (size, dpi, canvas) == (tuple(fig.get_size_inches()), fig.dpi, fig.canvas)"
    record = engine.render(
        f"{START}{keep}plt.savefig('a.pdf')\nplt.show(){check}", limits=replace(LIMITS, canvas=canvas)
    )
    assert record.ok, record.message


@pytest.mark.parametrize("options", ["dpi=130, bbox_inches='tight'", "bbox_inches='tight', pad_inches=0.7", "facecolor='#222831'",
                                     "transparent=True", "dpi=60, facecolor='yellow', edgecolor='none'"])  # fmt: skip
@pytest.mark.parametrize(
    "way",
    [
        "plt.savefig('a.png', {})",
        "plt.rcParams.update({{'savefig.' + k: v for k, v in dict({}).items()}})\nplt.savefig('a.png')",
    ],
)
def test_what_a_save_asks_for_is_honoured_where_the_script_owns_its_canvas(
    engine: ChartRenderer, way: str, options: str
) -> None:
    start = START.replace("subplots()", "subplots(facecolor='grey')")
    save = way.format(options.replace("bbox_inches", "bbox") if "rcParams" in way else options)
    shown = _pixels(engine.render(start + save + SHOW_FILE))
    assert (_pixels(engine.render(start + save)) == shown).all()
    plain = _pixels(engine.render(start))
    assert shown.shape != plain.shape or (shown != plain).any()


def test_a_vector_file_is_shown_with_the_options_of_its_save(engine: ChartRenderer) -> None:
    save = "plt.savefig('a.{}', bbox_inches='tight', facecolor='yellow', dpi=70)"
    assert _png(engine.render(START + save.format("pdf"))) == _png(engine.render(START + save.format("png")))


@pytest.mark.parametrize(
    "options", ["dpi=300", "bbox_inches='tight', pad_inches=2", "facecolor='red'", "transparent=True"]
)
def test_what_a_save_asks_for_does_not_count_where_the_harness_owns_the_canvas(
    engine: ChartRenderer, options: str
) -> None:
    start = START.replace("subplots()", "subplots(facecolor='grey')")
    saved = engine.render(f"{start}plt.savefig('a.png', {options})", limits=OWNED)
    assert _png(saved) == _png(engine.render(start, limits=OWNED))


def test_resolution_is_bounded_by_the_pixel_limit(engine: ChartRenderer) -> None:
    record = engine.render(START + "plt.savefig('a.png', dpi=1e6)", limits=replace(LIMITS, max_pixels=400_000))
    assert 390_000 < record.width * record.height <= 400_000


@pytest.mark.parametrize("limits", [LIMITS, OWNED], ids=["script", "harness"])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.pdf", "a.svg", "a"])
def test_a_saved_file_can_be_read_back(engine: ChartRenderer, name: str, limits: Limits) -> None:
    read = f"\nimport os\nfrom PIL import Image\nname = {name!r} if '.' in {name!r} else 'a.png'\nassert os.path.getsize(name) > 500\n"
    look = "Image.open(name).load()\n" if name in ("a.png", "a.jpg", "a") else ""
    record = engine.render(f"{START}plt.savefig({name!r}){read}{look}", limits=limits)
    assert record.ok, record.message


def test_saving_outside_the_private_folder_still_counts(engine: ChartRenderer, start_png: bytes) -> None:
    assert _png(engine.render(START + "plt.savefig('/mnt/data/a.png')\nplt.clf()")) == start_png


@pytest.mark.parametrize("code", ["import sys\nassert sys.argv == sys.orig_argv[1:] == ['script.py'], sys.argv",
                                  "assert __builtins__.len('a') == 1",
                                  "import argparse\np = argparse.ArgumentParser()\np.add_argument('--n', default=2)\np.parse_args()",
                                  "import os\nos.chdir(os.path.dirname(__file__))\nassert os.path.isabs(__file__)",
                                  "import os\nos.makedirs(os.path.dirname(__file__) + '/out')\nopen('out/x', 'w').close()",
                                  "assert 'red' in open(__file__).read()",
                                  "import inspect\ndef f(): return 7\nassert 'return 7' in inspect.getsource(f)",
                                  "open('beside.py', 'w').write('x = 1')\nimport beside"])  # fmt: skip
@pytest.mark.parametrize("trace", [None, "fixed"])
def test_a_script_finds_itself_as_python_would_have_it(engine: ChartRenderer, code: str, trace) -> None:
    record = engine.render(START + code, trace)
    assert record.ok, record.message


@pytest.mark.parametrize(
    "leave", ["import sys\nsys.exit()", "raise SystemExit(0)", "exit(None)", "quit()", "raise SystemExit(False)"]
)
def test_an_exit_with_success_after_drawing_is_one(engine: ChartRenderer, start_png: bytes, leave: str) -> None:
    assert _png(engine.render(START + leave)) == start_png


@pytest.mark.parametrize("code", [START + "exit(1)", START + "exit('no data')", START + "exit('')", START + "exit(0.0)", "exit(0)",
                                  START + "plt.savefig('a.png')\nimport os\nos._exit(0)"])  # fmt: skip
def test_any_other_exit_is_a_failure(engine: ChartRenderer, code: str) -> None:
    assert engine.render(code).reason == "exit"


@pytest.mark.parametrize(
    "line",
    ["return", "await x", "yield 1", "break", "f(a=1, a=2)", "def f(a, a): pass", "from __future__ import annotations"],
)
def test_a_syntax_error_of_the_compiler_is_one(engine: ChartRenderer, line: str) -> None:
    record = engine.render(f"import os\n{line}\n")
    assert record.reason == "syntax_error"
    assert record.message.startswith(f"line 2: {line}\nSyntaxError: ")


TITLE = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.title('{}')\n"


@pytest.mark.parametrize(("before", "encoding", "title"), [
    ("\ufeff", "utf-8", "Café"), ("", "utf-8", "日本"), ("# -*- coding: latin-1 -*-\n", "latin-1", "Café"),
    ("#!/usr/bin/python\n# vim: set fileencoding=shift_jis :\n", "shift_jis", "日本"), ("# coding=gb2312\r\n", "gb2312", "中文"),
])  # fmt: skip
def test_a_file_is_read_in_the_encoding_that_it_declares(
    engine: ChartRenderer, tmp_path: Path, before: str, encoding: str, title: str
) -> None:
    (tmp_path / "a.py").write_bytes((before + TITLE.format(title)).encode(encoding))
    assert _png(engine.render(read_script(tmp_path / "a.py"))) == _png(engine.render(TITLE.format(title)))


def test_a_byte_order_mark_in_a_reply_does_no_harm(engine: ChartRenderer, start_png: bytes) -> None:
    assert _png(engine.render("\ufeff" + START)) == start_png


@pytest.mark.parametrize("data", [TITLE.format("Café").encode("latin-1"), TITLE.format("x").encode("utf-16"),
                                  b"# coding: ascii\n" + TITLE.format("Café").encode(), b"# coding: klingon\nx = 1",
                                  b"# coding: utf-16\nx = 1", b"# coding: rot13\nk = 1",
                                  b"\xef\xbb\xbf# coding: latin-1\nx = 1", b"x = '\0'"])  # fmt: skip
def test_a_file_that_python_cannot_decode_is_a_syntax_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.py").write_bytes(data)
    record = render_file("chart", tmp_path / "a.py", tmp_path / "a.png")
    assert record.reason == "syntax_error"
    assert "SyntaxError: " in record.message
    assert record.model_dump_json()


@pytest.mark.parametrize("value", ["np.random.RandomState().rand()", "np.random.seed(None) or np.random.rand()", "random.Random().random()",
                                   "random.seed() or random.random()", "np.random.Generator(np.random.PCG64()).random()",
                                   "secrets.randbelow(10**9)", "random.SystemRandom().random()", "uuid.uuid4().hex", "os.urandom(8)"])  # fmt: skip
def test_what_can_be_seeded_is(engine: ChartRenderer, value: str) -> None:
    code = f"import os, random, secrets, uuid\nimport numpy as np\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title(str([{value} for _ in range(3)]))"
    first, second = engine.render(code), engine.render(code)
    assert _png(first) == _png(second)
    assert first.unseeded == ()


def test_unseeded_generators_differ_from_each_other(engine: ChartRenderer) -> None:
    pairs = (
        "np.random.RandomState().rand()",
        "np.random.default_rng().random()",
        "random.Random().random()",
        "os.urandom(8)",
    )
    check = "".join(f"assert {one} != {one}\n" for one in pairs)
    assert engine.render(f"import os, random\nimport numpy as np\n{check}{START}").ok


@pytest.mark.parametrize(("code", "names"), [
    ("import time\ntime.time()", ("time.time",)), ("from time import time as t\nt()", ("time.time",)),
    ("import datetime as dt\ndt.datetime.now()", ("datetime.datetime.now",)), ("import time\ntime.ctime(0)", ()),
    ("from datetime import datetime, date\ndatetime.now()\ndate.today()", ("datetime.date.today", "datetime.datetime.now")),
    ("import pandas as pd\npd.Timestamp('now')\npd.Timestamp('2020-01-01')", ("pandas.Timestamp",)),
    ("import pandas as pd\npd.Timestamp('2020-01-01')\npd.DataFrame({'time': [1]}).time", ()),
])  # fmt: skip
def test_clocks_are_named_in_the_record(engine: ChartRenderer, code: str, names: tuple[str, ...]) -> None:
    record = engine.render(f"{START}{code}")
    assert record.ok and record.unseeded == names


def test_asyncio_works_without_sockets(engine: ChartRenderer) -> None:
    code = "import asyncio\nasync def value(n):\n    await asyncio.sleep(0.001)\n    return n\nasync def main():\n    return await asyncio.gather(*map(value, range(3)))\n"
    assert engine.render(f"{code}assert asyncio.run(main()) == [0, 1, 2]\n{START}").ok


@pytest.mark.parametrize(("line", "path"), [("open('/tmp/values.csv', 'w')", "'/tmp/values.csv'"), ("import os\nos.makedirs('/mnt/data/x')", "/mnt"),
                                            ("open('../data/sales.csv')", "'../data/sales.csv'")])  # fmt: skip
def test_a_message_keeps_the_path_that_the_program_wrote(engine: ChartRenderer, line: str, path: str) -> None:
    assert path in engine.render(line).message.splitlines()[-1]


def test_a_message_hides_the_paths_that_the_program_did_not_write() -> None:
    assert (
        policy_text("no file '/srv/own/a.py', '/tmp/x/b.csv'", "open('/tmp/x/b.csv')")
        == "no file 'a.py', '/tmp/x/b.csv'"
    )
