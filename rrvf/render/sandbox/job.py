"""One script in one child: run it as `python script.py` would, and reply once with its picture.

The reply is a frame: header length and picture length (two big-endian 32-bit integers), a JSON header, and the picture
as raw RGB rows. The host checks all of it before it uses any.
"""

from __future__ import annotations

import builtins
import json
import os
import resource
import struct
import sys
import types

import matplotlib
import randomness
from drawing import DPI, Picture, draw, resolution, saved
from faults import Fault, compiled, describe, oversized_literals, parse
from matplotlib.figure import Figure
from saving import Saves, open_figure

try:
    import trace as tracing  # trace.py of this folder extracts metric items; it shadows the standard module

    Tracer = tracing.Tracer
except (ImportError, AttributeError):
    Tracer = None

_NAME = "script.py"
_encode = json.dumps
_write, _read, _pack = os.write, os.read, struct.pack
_get_limit, _set_limit, _MEMORY = resource.getrlimit, resource.setrlimit, resource.RLIMIT_AS
_builtins, _restore = dict(vars(builtins)), vars(builtins).update


def receive(fd: int) -> dict:
    """Read the job that the host wrote: `code`, `trace`, `canvas` and the limits. It is trusted."""
    size = int.from_bytes(_read(fd, 4), "big")
    text = bytearray()
    while len(text) < size:
        text += _read(fd, size - len(text))
    return json.loads(text)


def send(fd: int, header: dict, picture: bytes = b"") -> None:
    """Write a frame: two lengths, the header as JSON, the raw pixels. Raises OSError if the host has closed its end."""
    head = _encode(header, default=str).encode()
    for part in (_pack(">II", len(head), len(picture)) + head, picture):
        view = memoryview(part)
        while view:
            view = view[_write(fd, view) :]


def run(fd: int, job: dict) -> None:
    """Run one job and send its reply."""
    source = job["code"]
    try:
        tracer = _tracer(job["trace"])
        source = tracer.prepare(source) if tracer else source
        header, picture = _run(source, tracer, job)
    except BaseException as error:  # SystemExit and KeyboardInterrupt count as failures of the script too
        _set_limit(_MEMORY, (_get_limit(_MEMORY)[1],) * 2)
        header, picture = describe(error, _NAME, source), b""
    send(fd, header, picture)


def _tracer(protocol: str | None):
    if protocol and Tracer is None:
        raise Fault("crash", "this installation cannot trace charts")
    return Tracer(protocol) if protocol else None


def _run(source: str, tracer, job: dict) -> tuple[dict, bytes]:
    tree = parse(source, _NAME)
    if not tracer:
        oversized_literals(tree, job["literal_bytes"])
    program = compiled(tree, source, _NAME)
    randomness.seed()
    _set_canvas(job["canvas"])
    module = _main_module(source)
    if tracer:
        tracer.start()
        _execute(program, module)
        figure = open_figure()
        header, picture = _traced_reply(figure, job, lambda: tracer.finish(figure, module.__dict__))
    else:
        header, picture = _reply(_saved(program, module, job))
    return header | {"unseeded": randomness.unseeded(tree)}, picture


def _main_module(source: str) -> types.ModuleType:
    """The `__main__` that `python script.py` gives a script: its file in its folder, its name as the only argument."""
    with open(_NAME, "w", encoding="utf-8") as file:
        file.write(source)
    module = types.ModuleType("__main__")
    module.__file__, module.__builtins__ = os.path.abspath(_NAME), builtins
    sys.modules["__main__"] = module
    sys.argv, sys.orig_argv = [_NAME], [sys.executable, _NAME]
    sys.path.insert(0, os.getcwd())
    return module


def _execute(program: types.CodeType, module: types.ModuleType) -> None:
    try:
        exec(program, module.__dict__)
    finally:
        _restore(_builtins)  # our code below needs the original builtins


def _saved(program: types.CodeType, module: types.ModuleType, job: dict) -> Picture:
    """Run an untraced script; its picture by the rule of `saving`."""
    saves = Saves(job["canvas"], job["max_pixels"])
    saves.watch()
    try:
        _execute(program, module)
    except SystemExit as error:
        # As in a shell, exit code 0 is success, provided that the script has drawn something.
        passed = error.code is None or (isinstance(error.code, int) and error.code == 0)
        if not passed or not (saves.picture or saves.last_figure()):
            raise
    return saves.picture or _drawn(saves.last_figure(), job)


def _drawn(figure: Figure | None, job: dict) -> Picture:
    if figure is None:
        raise Fault("no_figure", "the program drew no figure")
    return draw(figure, job["canvas"], job["max_pixels"])


def _reply(picture: Picture) -> tuple[dict, bytes]:
    return picture.header, picture.pixels


def _traced_reply(figure: Figure | None, job: dict, finish) -> tuple[dict, bytes]:
    """The reply of a traced script. Its picture is what the benchmark's own last line saves."""
    if not job["max_pixels"]:
        return {"outcome": "ok", "items": finish()}, b""
    try:
        header, picture = _reply(_benchmark_picture(figure, job))
    except Exception as error:  # the file may have been started before the error; `finish` handles that case
        header, picture = describe(error, _NAME, ""), b""
    return header | {"items": finish()}, picture


def _benchmark_picture(figure: Figure | None, job: dict) -> Picture:
    """The picture of `plt.savefig(FILE)`, the line that the benchmarks append to the part of a script that they run.

    Follows metrics_spec 1.2 and 2.2. The options of the script's own saves do not apply, so a ChartMimic answer is not
    cropped to a tight box when its reference is not. `rcParams["savefig.*"]` do apply. Plot2Code saves a PNG at the
    script's resolution. ChartMimic saves a PDF, which has no resolution: it is drawn at 100 dots per inch, about what
    GPT-4o is shown of a page of 10 x 8 inches.
    """
    if figure is None or job["canvas"]:
        return _drawn(figure, job)
    dpi = resolution(figure) if job["trace"] == "plot2code" else DPI
    return saved(figure, dpi, job["max_pixels"])


def _set_canvas(canvas: dict | None) -> None:
    if canvas:
        size = [canvas["width"] / canvas["dpi"], canvas["height"] / canvas["dpi"]]
        matplotlib.rcParams.update(
            {"figure.figsize": size, "figure.dpi": canvas["dpi"], "font.size": canvas["font_size"],
             "figure.autolayout": True}
        )  # fmt: skip
