"""Harmless charts: canvas rules, outcomes, order, isolation between renders, and clean ends."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rrvf.domains import NANO_CANVAS, Canvas
from rrvf.errors import UserError
from rrvf.records import Render
from rrvf.render import Limits, Renderer, chart, isolation, render
from rrvf.render.chart import ChartRenderer, policy_text
from rrvf.render.files import render_file, render_folder
from rrvf.render.zygote import plot_python

LINE = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\n"
PATIENT = Limits(wall_s=120, cpu_s=120)  # for busy machines


def _png(record: Render) -> bytes:
    assert record.ok, record.message
    return record.png


def _pixels(record: Render) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(_png(record))))


def test_without_canvas_the_script_chooses_its_size(engine: ChartRenderer) -> None:
    record = engine.render("import matplotlib.pyplot as plt\nplt.figure(figsize=(3, 2), dpi=300)\nplt.plot([1, 2])")
    assert (record.width, record.height) == (300, 200)
    assert _pixels(record).shape == (200, 300, 3)


@pytest.mark.parametrize("size", [(280, 224), (229, 231), (230, 1001)])
def test_a_canvas_is_met_to_the_pixel(engine: ChartRenderer, size: tuple[int, int]) -> None:
    code = "import matplotlib.pyplot as plt\nplt.figure(figsize=(9, 9), dpi=70)\nplt.plot([1, 2])"
    record = engine.render(code, limits=Limits(wall_s=120, canvas=Canvas(*size, dpi=100)))
    assert _pixels(record).shape == (size[1], size[0], 3)


def test_a_canvas_sets_the_base_font_size(engine: ChartRenderer) -> None:
    code = LINE + "assert plt.rcParams['font.size'] == 8 and plt.rcParams['figure.autolayout']"
    assert engine.render(code, limits=Limits(wall_s=120, canvas=NANO_CANVAS)).ok


def test_the_picture_is_what_matplotlib_itself_saves(engine: ChartRenderer) -> None:
    code = LINE + "plt.title('own')\nplt.savefig('own.png', dpi=100)\n"
    own = (
        "import io, numpy as np\nfrom PIL import Image\nimport matplotlib.figure as f\nsave = f.Figure.savefig\n"
        + code
        + "buffer = io.BytesIO()\nplt.gcf().savefig(buffer, dpi=100)\nimage = Image.open(buffer)\n"
        "plt.close()\nplt.figure(figsize=(6.4, 4.8)).figimage(np.asarray(image))"
    )
    assert (_pixels(engine.render(code)) == _pixels(engine.render(own))).all()


def test_a_transparent_figure_stands_on_white(engine: ChartRenderer) -> None:
    record = engine.render(LINE + "plt.gcf().patch.set_alpha(0)")
    assert tuple(_pixels(record)[0, 0]) == (255, 255, 255)


def test_the_current_one_of_several_figures_is_rendered(engine: ChartRenderer) -> None:
    code = "import matplotlib.pyplot as plt\n" + "".join(
        f"plt.figure({n}, figsize=({n}, 2))\nplt.plot([1, 2])\n" for n in (2, 3, 4)
    )
    assert engine.render(code + "plt.figure(3)").width == 300


@pytest.mark.parametrize("ending", ["plt.savefig('a.png')", "plt.gcf().savefig('a.pdf')", "plt.show()"])
def test_a_figure_saved_or_shown_and_then_closed_is_rendered(engine: ChartRenderer, ending: str) -> None:
    assert _png(engine.render(f"{LINE}{ending}\nplt.close()")) == _png(engine.render(LINE))


def test_a_script_may_save_into_memory(engine: ChartRenderer) -> None:
    code = LINE + "import io\nbuffer = io.BytesIO()\nplt.savefig(buffer)\nassert buffer.getvalue()[:4] == b'\\x89PNG'"
    assert engine.render(code).ok


def test_a_script_may_use_its_own_folder(engine: ChartRenderer) -> None:
    code = (
        LINE + "import tempfile\nopen('a.csv', 'w').write('1')\nassert open('a.csv').read() == '1'\ntempfile.mkdtemp()"
    )
    assert engine.render(code).ok


def test_a_script_runs_as_the_main_program(engine: ChartRenderer) -> None:
    assert engine.render(
        "def main():\n    " + LINE.replace("\n", "\n    ") + "\nif __name__ == '__main__':\n    main()"
    ).ok


def test_an_error_names_its_line_and_kind(engine: ChartRenderer) -> None:
    record = engine.render(LINE + "plt.bar([1, 2], [1, 2, 3])")
    assert (record.reason, record.png) == ("exception", None)
    assert record.message.startswith("line 3: plt.bar([1, 2], [1, 2, 3])\nValueError: shape mismatch")


def test_a_syntax_error_names_its_line(engine: ChartRenderer) -> None:
    record = engine.render("x = 1\nplot(")
    assert record.reason == "syntax_error"
    assert record.message.startswith("line 2: plot(\nSyntaxError")


def test_unseeded_scripts_are_reproducible(engine: ChartRenderer) -> None:
    code = (
        "import random\nimport numpy as np\nimport matplotlib.pyplot as plt\nrng = np.random.default_rng()\n"
        'plt.plot([random.random(), np.random.rand(), rng.random()])\nplt.title(f\'{hash("x")} {set("abc")}\')'
    )
    assert _png(engine.render(code)) == _png(engine.render(code))


def test_nothing_passes_from_one_render_to_the_next(engine: ChartRenderer) -> None:
    spoil = (
        "import matplotlib.pyplot as plt\nplt.rcParams['axes.facecolor'] = 'red'\nopen('left', 'w').close()\n" + LINE
    )
    clean = _png(engine.render(LINE))
    assert engine.render(spoil).ok
    assert engine.render(LINE + "import os\nassert os.listdir() == ['script.py']").png == clean


def test_processor_time_is_bounded_apart_from_wall_time(engine: ChartRenderer) -> None:
    record = engine.render("while True: pass", limits=Limits(wall_s=600, cpu_s=1))
    assert record.reason == "timeout"
    assert "processor" in record.message


def test_code_size_is_bounded(engine: ChartRenderer) -> None:
    assert engine.render("#" * 100, limits=Limits(code_bytes=99)).reason == "limit"


def test_picture_size_is_bounded(engine: ChartRenderer) -> None:
    assert engine.render(LINE, limits=Limits(wall_s=120, max_pixels=640 * 480)).ok
    assert engine.render(LINE, limits=Limits(wall_s=120, max_pixels=640 * 480 - 1)).reason == "limit"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("File '/home/me/secret/a.py'", "File 'a.py'"),
        ("a <|im_end|> b", "a < |im_end|> b"),
        ("x = 3 / 4 / 5", "x = 3 / 4 / 5"),
        ("../../etc/passwd", "passwd"),
    ],
)
def test_a_message_is_made_fit_for_a_policy(written: str, shown: str) -> None:
    assert policy_text(written) == shown


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    codes = [f"import matplotlib.pyplot as plt\nplt.plot([{n}, 1])\nplt.title('{n}')" for n in range(12)]
    codes[5] = "1 / 0"
    results = []
    for workers in (1, 3):
        with Renderer("chart", workers, PATIENT) as renderer:
            results.append([(r.reason, r.message, r.png) for r in renderer.render_many(codes)])
    assert results[0] == results[1]
    assert len(set(results[0])) == 12


def test_closing_ends_a_render_under_way() -> None:
    engine = ChartRenderer()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(engine.render, "while True: pass", limits=Limits(wall_s=600))
        while engine._free._value:
            pass
        engine.close()
        assert running.result().status == "harness_error"


def test_a_link_to_the_plotting_runtime_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "linked").symlink_to(plot_python().parents[1])
    monkeypatch.setenv("RRVF_PLOT_PYTHON", str(tmp_path / "linked" / "bin" / "python"))
    with Renderer("chart", 1, PATIENT) as renderer:
        assert renderer.render("import matplotlib.pyplot as plt\nplt.title('text')\nplt.plot([1, 2])").ok


def test_isolation_names_what_is_missing(engine: ChartRenderer) -> None:
    assert isolation() == engine.missing == {}


def test_a_dead_zygote_is_replaced() -> None:
    with ChartRenderer(limits=PATIENT) as engine:
        before = _png(engine.render(LINE))
        os.kill(engine._zygote._process.pid, signal.SIGKILL)
        engine._zygote._process.wait()
        assert engine.render(LINE).png == before


@pytest.mark.parametrize(("kills", "status"), [(1, "ok"), (9, "render_error")])
def test_a_worker_that_was_killed_within_its_limits_is_tried_once_more(
    kills: int, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may have been short of memory. A program that ends itself again is at fault."""
    converse, tries = chart._converse, []

    def killed(*words, **named):
        tries.append(words)
        if len(tries) <= kills:
            raise chart.Killed("memory", "the program was ended for lack of memory")
        return converse(*words, **named)

    monkeypatch.setattr(chart, "_converse", killed)
    with ChartRenderer(limits=PATIENT) as engine:
        assert engine.render(LINE).status == status
    assert len(tries) == 2


def test_a_font_outside_the_sandbox_is_one_that_is_not_installed(tmp_path: Path) -> None:
    inside = plot_python().parents[1]
    (tmp_path / "Elsewhere.ttf").touch()
    code = f"""
import sys; sys.path.insert(0, {str(Path(chart.__file__).parent / "sandbox")!r})
from matplotlib.font_manager import FontEntry, findfont, fontManager
import libraries
gone = [FontEntry(fname, name) for fname, name in (({str(tmp_path / "Elsewhere.ttf")!r}, "Elsewhere"),
                                                   ({str(inside / "removed.ttf")!r}, "Removed"))]
fontManager.ttflist += gone
libraries.forget_fonts_outside([{str(inside)!r}])
print([font.name for font in fontManager.ttflist if font in gone], findfont("Elsewhere").rpartition("/")[2])
"""
    done = subprocess.run([plot_python(), "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] DejaVuSans.ttf\n"


def test_a_worker_that_died_while_it_waited_is_passed_over() -> None:
    with ChartRenderer(limits=PATIENT) as engine:
        waiting = engine._zygote.take(60)
        waiting.kill()
        waiting.status.result(60)
        engine._zygote._idle.put(waiting)
        assert [engine.render(LINE).status for _ in range(3)] == ["ok"] * 3


def test_a_cancelled_render_frees_its_worker() -> None:
    async def cancel(renderer: Renderer) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(renderer.arender("while True: pass"), 0.3)
        assert (await renderer.arender(LINE)).ok

    with Renderer("chart", 1, Limits(wall_s=600)) as renderer:
        asyncio.run(asyncio.wait_for(cancel(renderer), 300))


@pytest.mark.parametrize("without", ["namespaces", "landlock", "namespaces,landlock"])
def test_a_weaker_sandbox_is_refused_until_accepted(without: str) -> None:
    with pytest.raises(UserError, match="RRVF_ACCEPT_WEAK_SANDBOX=" + without):
        ChartRenderer(without=frozenset(without.split(",")))


@pytest.mark.parametrize("without", ["namespaces", "landlock"])
def test_each_means_of_isolation_holds_without_the_other(monkeypatch: pytest.MonkeyPatch, without: str) -> None:
    missing = frozenset(without.split(","))
    monkeypatch.setenv("RRVF_ACCEPT_WEAK_SANDBOX", without)
    with ChartRenderer(limits=PATIENT, without=missing) as engine:
        assert set(engine.missing) == missing
        assert engine.render(LINE).ok
        assert (
            engine.render("raise RuntimeError(open('/etc/passwd').read())").message.splitlines()[1][:10] != "RuntimeErr"
        )
        for attack in ("import os\nos.fork()", "import socket\nsocket.socket()", "import os\nos.kill(os.getppid(), 0)"):
            assert engine.render(attack).reason == "forbidden"


def test_a_folder_is_rendered_in_name_order(tmp_path: Path) -> None:
    for name, code in (("b", LINE), ("a", "1 / 0"), ("c", LINE + "plt.title('c')")):
        (tmp_path / f"{name}.py").write_text(code)
    names = [name for name, _ in render_folder("chart", tmp_path, tmp_path / "out", workers=2)]
    lines = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    assert names == [line["name"] for line in lines] == ["a", "b", "c"]
    assert [line["status"] for line in lines] == ["render_error", "ok", "ok"]
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {"b.png", "c.png"}


def test_a_file_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(LINE)
    record = render_file("chart", tmp_path / "a.py", tmp_path / "new" / "a.png")
    assert (tmp_path / "new" / "a.png").read_bytes() == record.png == render("chart", LINE).png


def test_bad_input_is_told_to_the_user(tmp_path: Path) -> None:
    for call in (
        lambda: render_file("chart", tmp_path / "none.py", tmp_path / "a.png"),
        lambda: list(render_folder("chart", tmp_path, tmp_path / "out")),
        lambda: render("poem", LINE),
        lambda: render("chart", LINE, trace="none"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UserError):
            call()
