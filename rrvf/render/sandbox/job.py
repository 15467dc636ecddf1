"""One script in one child: run it, draw the current figure with our own means, reply once.

The reply is a frame: header length and picture length (two big-endian 32-bit words), a JSON header, the picture as bare
RGB rows. The host believes none of it before it has checked it.
"""

from __future__ import annotations

import builtins
import itertools
import json
import os
import random
import resource
import struct
import sys
import types

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from faults import Fault, describe, oversized_literals, parse
from matplotlib._pylab_helpers import Gcf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pasted import coverage

try:
    import trace as tracing  # the extraction of metric items, beside this file; shadows the standard module by intent

    Tracer = tracing.Tracer
except (ImportError, AttributeError):
    Tracer = None

_NAME = "script.py"
_encode = json.dumps
_write, _read, _pack, _rgba = os.write, os.read, struct.pack, np.frombuffer
_draw, _buffer = FigureCanvasAgg.draw, FigureCanvasAgg.buffer_rgba
_get_limit, _set_limit, _MEMORY = resource.getrlimit, resource.setrlimit, resource.RLIMIT_AS
_active = Gcf.get_active
_builtins, _restore = dict(vars(builtins)), vars(builtins).update


def receive(fd: int) -> dict:
    """The job: `code`, `trace`, `canvas` and the limits. Written by the host, trusted."""
    size = int.from_bytes(_read(fd, 4), "big")
    text = bytearray()
    while len(text) < size:
        text += _read(fd, size - len(text))
    return json.loads(text)


def send(fd: int, header: dict, picture: bytes = b"") -> None:
    head = _encode(header, default=str).encode()
    for part in (_pack(">II", len(head), len(picture)) + head, picture):
        view = memoryview(part)
        while view:
            view = view[_write(fd, view) :]


def run(fd: int, job: dict) -> None:
    """Run one job and send its reply."""
    try:
        header, picture = _run(job)
    except BaseException as error:  # SystemExit and KeyboardInterrupt are failures of the script too
        _set_limit(_MEMORY, (_get_limit(_MEMORY)[1],) * 2)
        header, picture = describe(error, _NAME, job["code"]), b""
    send(fd, header, picture)


def _run(job: dict) -> tuple[dict, bytes]:
    if job["trace"] and Tracer is None:
        raise Fault("crash", "this installation cannot trace charts")
    tracer = Tracer(job["trace"]) if job["trace"] else None
    source = tracer.prepare(job["code"]) if tracer else job["code"]
    tree = parse(source, _NAME)
    if not tracer:
        oversized_literals(tree, job["literal_bytes"])
    program = compile(tree, _NAME, "exec", dont_inherit=True)
    _same_randomness()
    _set_canvas(job["canvas"])
    saved = [] if tracer else _defuse_output()
    module = types.ModuleType("__main__")
    module.__file__ = _NAME
    sys.modules["__main__"] = module
    if tracer:
        tracer.start()
    try:
        exec(program, module.__dict__)
    finally:
        _restore(_builtins)  # our own code below relies on them
    figure = _figure() or (saved[-1] if saved else None)
    return _reply(figure, job, (lambda: tracer.finish(figure, module.__dict__)) if tracer else None)


def _reply(figure: Figure | None, job: dict, finish) -> tuple[dict, bytes]:
    if finish is not None and not job["max_pixels"]:
        return {"outcome": "ok", "items": finish()}, b""
    try:
        picture, header = _picture(figure, job["canvas"], job["max_pixels"])
    except Fault as fault:
        if finish is None or fault.reason not in ("no_figure", "limit"):
            raise
        picture, header = b"", {"outcome": fault.reason, "message": fault.message}
    if finish is not None:
        header["items"] = finish()
    return header, picture


def _picture(figure: Figure | None, canvas: dict | None, max_pixels: int) -> tuple[bytes, dict]:
    """The figure as RGB rows on white, by canvas rules: the harness owns size and resolution."""
    if figure is None:
        raise Fault("no_figure", "the program drew no figure")
    if canvas is None:
        figure.set_dpi(100)
    else:
        figure.set_dpi(canvas["dpi"])
        figure.set_size_inches(_inches(canvas["width"], canvas["dpi"]), _inches(canvas["height"], canvas["dpi"]))
    width, height = (float(v) for v in figure.bbox.size)
    if not (width >= 1 and height >= 1 and width * height <= max_pixels and max(width, height) < 1 << 16):
        raise Fault("limit", f"the figure has {width:.0f} x {height:.0f} pixels, {max_pixels} in all are allowed")
    agg = FigureCanvasAgg(figure)
    _draw(agg)
    rgba = np.asarray(_buffer(agg))
    header = {"outcome": "ok", "width": rgba.shape[1], "height": rgba.shape[0], "coverage": coverage(figure)}
    return _on_white(rgba).tobytes(), header


def _inches(pixels: int, dpi: int) -> float:
    """Inches that give exactly `pixels` once Agg has multiplied by `dpi` and cut off the fraction."""
    inches = pixels / dpi
    while int(inches * dpi) < pixels:
        inches = float(np.nextafter(inches, np.inf))
    return inches


def _on_white(rgba: np.ndarray) -> np.ndarray:
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    if alpha.min() == 255:
        return rgb
    mixed = rgb * (alpha / 255.0) + (255.0 - alpha)
    return np.rint(mixed).astype(np.uint8)


def _figure() -> Figure | None:
    manager = _active()
    return manager.canvas.figure if manager else None


def _same_randomness() -> None:
    """Seed both global generators, and let an unseeded `default_rng()` count up from 0: equal code, equal picture."""
    random.seed(0)
    np.random.seed(0)
    real, counter = np.random.default_rng, itertools.count()
    np.random.default_rng = lambda seed=None: real(next(counter) if seed is None else seed)


def _set_canvas(canvas: dict | None) -> None:
    if canvas:
        size = [canvas["width"] / canvas["dpi"], canvas["height"] / canvas["dpi"]]
        matplotlib.rcParams.update(
            {"figure.figsize": size, "figure.dpi": canvas["dpi"], "font.size": canvas["font_size"],
             "figure.autolayout": True}
        )  # fmt: skip


def _defuse_output() -> list[Figure]:
    """Make saving to a path, showing and switching backends cost nothing; gives the list of figures saved or shown.

    A program that saves and then closes its figure is drawn from that list.
    """
    saved: list[Figure] = []
    real_save = Figure.savefig

    def savefig(self: Figure, fname: object = None, *args: object, **options: object) -> None:
        saved[:] = [self]
        if hasattr(fname, "write"):
            real_save(self, fname, *args, **options)

    def save_current(*args: object, **options: object) -> None:
        savefig(plt.gcf(), *args, **options)

    def show(*args: object, **options: object) -> None:
        saved[:] = [f for f in [_figure()] if f]

    Figure.savefig, plt.savefig, plt.show, Figure.show = savefig, save_current, show, show
    matplotlib.use = plt.switch_backend = lambda *args, **options: None
    return saved
