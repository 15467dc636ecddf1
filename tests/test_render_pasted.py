"""A picture that was copied into its code is distinguished from a drawn one, in whatever form it is stored."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from rrvf.domains import NANO_CANVAS
from rrvf.records import PASTED_ABOVE
from rrvf.render import Limits
from rrvf.render.chart import ChartRenderer
from rrvf.render.pasted import chart_share, page_share

IMPORTS = "import base64, io\nimport matplotlib.pyplot as plt\nimport numpy as np\nfrom PIL import Image\n"
TARGET = (
    IMPORTS
    + """plt.bar(['Alpha', 'Beta', 'Gamma', 'Delta'], [3, 7, 2, 5], color=['#1f77b4', '#d62728', '#2ca02c', 'gold'])
plt.title('Sales by region')
plt.xlabel('Region')
plt.grid(axis='y', alpha=0.4)
"""
)
UNPACK = "a = np.asarray(Image.open(io.BytesIO(base64.b85decode({0!r}))).convert('RGB').resize((280, 224))) / 255\n"
WHOLE = "ax = plt.figure(figsize=(2.8, 2.24)).add_axes([0, 0, 1, 1])\nax.axis('off')\n"
#: Ways to show the decoded picture `a` over the whole figure.
WAYS = {
    "imshow": WHOLE + "ax.imshow(a, aspect='auto')",
    "figimage": "plt.figure().figimage(a)",
    "pcolormesh": WHOLE + "ax.pcolormesh(a[::-1])",
    "tiles": """f = plt.figure()
for i in range(64):
    y, x = divmod(i, 8)
    tile = f.add_axes([x / 8, 1 - (y + 1) / 8, 1 / 8, 1 / 8])
    tile.imshow(a[y * 28:y * 28 + 28, x * 35:x * 35 + 35], aspect='auto')
    tile.axis('off')
""",
    "points": WHOLE
    + """b = a[::4, ::4]
y, x = np.mgrid[:56, :70]
ax.scatter(x.ravel(), -y.ravel(), c=b.reshape(-1, 3), marker='s', s=9)
""",
    "boxes": WHOLE
    + """b = a[::8, ::8]
for y, x in np.ndindex(28, 35):
    ax.add_patch(plt.Rectangle((x, 27 - y), 1, 1, color=b[y, x]))
ax.set(xlim=(0, 35), ylim=(0, 28))
""",
    "letters": WHOLE
    + """b = a[::16, ::8]
for y, x in np.ndindex(14, 35):
    ax.text(x / 35, 1 - y / 14, 'M', color=b[y, x], fontsize=9)
""",
    "offset image": WHOLE
    + """from matplotlib.offsetbox import AnnotationBbox, OffsetImage
ax.add_artist(AnnotationBbox(OffsetImage(a), (0.5, 0.5)))
""",
}
MESH = "x, y = np.meshgrid(np.linspace(-3, 3, 90), np.linspace(-3, 3, 90))\n"
#: Programs that draw pictures from formulas, noise or a short table.
HONEST = {
    "bars": TARGET,
    "heat map of a table": "import matplotlib.pyplot as plt\nplt.imshow([[1.5, 2.5, 3.1], [0.2, 8.1, 2.2], [3.3, 1.1, 0]])\n"
    "plt.title('Rates')\nplt.colorbar()",
    "noise": IMPORTS + "plt.imshow(np.random.rand(20, 20), cmap='viridis')\nplt.colorbar()",
    "mesh": IMPORTS + MESH + "plt.pcolormesh(x, y, np.sin(x) * np.cos(y))",
    "contours": IMPORTS + MESH + "plt.contourf(x, y, np.exp(-x**2 - y**2), levels=20)",
    "many points": IMPORTS + "plt.scatter(np.random.rand(900), np.random.rand(900), c=np.random.rand(900))",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[ChartRenderer]:
    with ChartRenderer(1, Limits(wall_s=120, cpu_s=60, canvas=NANO_CANVAS)) as one:
        yield one


@pytest.fixture(scope="module")
def target(engine: ChartRenderer) -> bytes:
    return engine.render(TARGET).png


@pytest.fixture(scope="module")
def copy(target: bytes) -> bytes:
    """The target with 32 colours, in 2.5 kB."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(target)).convert("RGB").quantize(32).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


@pytest.mark.parametrize("way", WAYS)
def test_a_pasted_picture_is_told_whatever_artist_shows_it(engine: ChartRenderer, copy: bytes, way: str) -> None:
    record = engine.render(IMPORTS + UNPACK.format(base64.b85encode(copy).decode()) + WAYS[way])
    assert record.ok and record.pasted_share > PASTED_ABOVE


@pytest.mark.parametrize("way", ["imshow", "figimage", "pcolormesh", "boxes"])
def test_numbers_that_are_a_picture_are_told(engine: ChartRenderer, target: bytes, way: str) -> None:
    small = Image.open(io.BytesIO(target)).convert("RGB").resize((70, 56)).quantize(16)
    colours = np.asarray(small.getpalette()[:48]).reshape(-1, 3).tolist()
    code = f"p = np.array({colours})\na = p[np.array({np.asarray(small).tolist()})].repeat(4, 0).repeat(4, 1) / 255\n"
    record = engine.render(IMPORTS + code + WAYS[way])
    assert record.ok and record.pasted_share > PASTED_ABOVE


@pytest.mark.parametrize("name", HONEST)
def test_a_picture_that_was_drawn_has_a_small_share(engine: ChartRenderer, name: str) -> None:
    record = engine.render(HONEST[name])
    assert record.ok and record.pasted_share < PASTED_ABOVE / 2


@pytest.mark.parametrize("disguise", ["{0!r}", "'''{0}'''", "# {0}", "dict(a{1}=1)", "[{2}]"])
def test_data_count_in_any_disguise(target: bytes, disguise: str) -> None:
    noise = random.Random(0).randbytes(3000)
    code = disguise.format(base64.b64encode(noise).decode(), noise.hex(), ", ".join(map(str, noise)))
    assert chart_share(code, target, coverage=1.0) > PASTED_ABOVE


def test_words_do_not_count(target: bytes) -> None:
    words = " ".join(random.Random(0).choices(["revenue", "grows", "with", "every", "Region", "and", "year"], k=1000))
    assert chart_share(f"'''{words}'''\n# {words}\n" + TARGET, target, coverage=1.0) == 0


def test_data_spelt_as_words_count(target: bytes) -> None:
    noise = random.Random(0).randbytes(4000)
    letters = "".join(chr(97 + (byte >> 4)) + chr(97 + (byte & 15)) for byte in noise)
    words = " ".join(letters[i : i + 20] for i in range(0, len(letters), 20))
    assert chart_share(f"'{words}'", target, coverage=1.0) > PASTED_ABOVE


def test_a_long_table_without_a_raster_is_no_paste(target: bytes) -> None:
    rng = random.Random(0)
    table = [round(rng.random(), 3) for _ in range(900)]
    assert chart_share(f"plt.plot({table})", target, coverage=0.0) == 0


def address(noise: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(noise).decode()}"


def listed(noise: bytes, form: str, between: str) -> str:
    return between.join(form.format(i=i, c=c) for i, c in enumerate(noise))


PASTES = {
    "address": lambda noise: f"<img src='{address(noise)}'>",
    "style sheet": lambda noise: f"<style>p{{background:url({address(noise)})}}</style>",
    "path": lambda noise: f"<svg><path d='M{listed(noise, '{c} {i}', ' ')}'/></svg>",
    "shadows": lambda noise: f"<p style='box-shadow:{listed(noise, '{i}px 1px #{c:02x}{c:02x}00', ',')}'></p>",
    "gradient": lambda noise: f"<p style='background:linear-gradient({listed(noise, '#{c:02x}00ff {i}px', ',')})'></p>",
    "boxes": lambda noise: listed(noise, "<i style='background:#{c:02x}{c:02x}ff'></i>", ""),
    "cells": lambda noise: f"<table>{listed(noise, '<td bgcolor=#{c:02x}00ff>', '')}</table>",
    "classes": lambda noise: listed(noise, "<i class=c{c}></i>", "\n"),
}


@pytest.mark.parametrize("name", PASTES)
def test_a_page_that_pastes_is_told(target: bytes, name: str) -> None:
    assert page_share(PASTES[name](random.Random(0).randbytes(3000)), target) > PASTED_ABOVE


def test_a_page_of_text_is_none(target: bytes) -> None:
    rows = "".join(f"<tr><td>Row {i}</td><td class='n'>{i * 37 % 101}</td></tr>" for i in range(400))
    assert page_share(f"<style>td {{ padding: 3px 9px }}</style><table>{rows}</table>", target) < PASTED_ABOVE / 2


@pytest.mark.parametrize("token", ["'", '"', "'''", '"\\', "#", "1", "a", "<a ", "<a>", "=", "url(", "</", "='"])
@pytest.mark.parametrize("measure", [lambda code, png: chart_share(code, png, 1.0), page_share], ids=["chart", "page"])
def test_any_long_text_is_measured(target: bytes, token: str, measure) -> None:
    assert 0 <= measure(token * (200_000 // len(token)), target) <= 1
