"""A benchmark's judge sees the picture that the benchmark itself saves from a script."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from rrvf.benchmarks.items import items_of
from rrvf.records import Render
from rrvf.render.chart import ChartRenderer

START = (
    "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(4, 3), dpi=80, facecolor='grey')\n"
    "ax.bar([1, 2], [3, 4], color='red', label='a')\nax.legend(loc='upper left', bbox_to_anchor=(1, 1))\n"
)
DPI = {"official": 100, "fixed": 100, "july2025": 100, "plot2code": 80}
SETTINGS = ["'savefig.bbox': 'tight'", "'savefig.bbox': 'tight', 'savefig.pad_inches': 0.5", "'savefig.facecolor': 'y'",
            "'savefig.transparent': True"]  # fmt: skip


@pytest.fixture(scope="module")
def starts(engine: ChartRenderer) -> dict[str, Render]:
    """The render of START under each trace."""
    records = {trace: engine.render(START, trace) for trace in DPI}
    assert all(record.ok for record in records.values())
    return records


def _pixels(record: Render) -> np.ndarray:
    assert record.png, record.message
    return np.asarray(Image.open(io.BytesIO(record.png)).convert("RGB"))


@pytest.mark.parametrize("trace", DPI)
@pytest.mark.parametrize("save", ["fig.savefig('a.png', bbox_inches='tight', dpi=40)\n",
                                  "plt.savefig('a.png', facecolor='yellow')\n"])  # fmt: skip
def test_options_of_the_script_s_own_saves_do_not_count(
    engine: ChartRenderer, starts: dict[str, Render], trace: str, save: str
) -> None:
    assert engine.render(START + save, trace).png == starts[trace].png


@pytest.mark.parametrize("trace", DPI)
@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_of_every_save_count(
    engine: ChartRenderer, starts: dict[str, Render], trace: str, settings: str
) -> None:
    start = f"{START}plt.rcParams.update({{{settings}}})\n"
    saved = _pixels(engine.render(f"{start}plt.savefig('a.png', dpi={DPI[trace]})"))
    assert (_pixels(engine.render(start, trace)) == saved).all()
    plain = _pixels(starts[trace])
    assert saved.shape != plain.shape or (saved != plain).any()


@pytest.mark.parametrize(
    ("trace", "more", "size"),
    [
        ("official", "", (400, 300)),
        ("fixed", "plt.rcParams['savefig.dpi'] = 50", (400, 300)),  # a PDF has no resolution
        ("plot2code", "", (320, 240)),
        ("plot2code", "plt.rcParams['savefig.dpi'] = 50", (200, 150)),
    ],
)
def test_the_resolution_is_the_benchmark_s(engine: ChartRenderer, trace: str, more: str, size: tuple[int, int]) -> None:
    record = engine.render(START + more, trace)
    assert (record.width, record.height) == size


@pytest.mark.parametrize(
    ("trace", "broken", "counts"),
    [
        ("official", "plt.rcParams['savefig.bbox'] = 'tight'\nfig.text(4000, 4000, 'far')", True),
        ("fixed", "plt.rcParams['savefig.bbox'] = 'tight'\nfig.text(4000, 4000, 'far')", True),
        ("official", "fig.clf()\nplt.title(r'$\\frac$')", True),
        ("fixed", "fig.clf()\nplt.title(r'$\\frac$')", False),
    ],
)
def test_a_picture_that_cannot_be_drawn_costs_no_items_where_the_benchmark_has_its_file(
    engine: ChartRenderer, trace: str, broken: str, counts: bool
) -> None:
    record = engine.render(START + broken, trace)
    assert record.png is None
    assert (items_of(record) is not None) == counts
