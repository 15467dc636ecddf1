"""Which gallery scripts are used, and why the others are not."""

from __future__ import annotations

import pytest
from data_stub import png, render_many

from rrvf.data import gallery
from rrvf.errors import UserError
from rrvf.records import Render
from rrvf.render import Renderer

pytestmark = pytest.mark.usefixtures("lent")

SCRIPTS = {
    "one": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "two": "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.figure()\nplt.plot([2, 1])",
    "clock": "import time\nimport matplotlib.pyplot as plt\nplt.title(time.time_ns())",
    "broken": "1 / 0",
    "film": "import matplotlib.animation as animation",
    "photo": "from matplotlib import cbook",
}


@pytest.fixture
def assets(tmp_path):
    folder = tmp_path / gallery.VERSION / "galleries" / "examples" / "lines"
    folder.mkdir(parents=True)
    for name, code in SCRIPTS.items():
        (folder / f"{name}.py").write_text(code)
    return tmp_path


def test_each_rule_refuses_its_script_in_the_real_sandbox(assets):
    with Renderer("chart") as renderer:
        verdicts = {p.stem: r for p, r, _ in gallery.survey(gallery.scripts(assets), renderer.render_many)}
    assert verdicts == {
        "one": None,
        "two": "not one figure",
        "clock": "another picture each time",
        "broken": "does not render: exception",
        "film": "moves or waits for a person",
        "photo": "reads sample data",
    }


def test_a_time_out_is_not_taken_for_a_second_figure():
    late = Render(status="render_error", reason="timeout")
    assert gallery.refused_by_render(Render(status="ok", png=png("x")), late) == "does not render: timeout"


def test_the_order_is_drawn_by_the_seed_alone(assets, monkeypatch):
    monkeypatch.setattr(gallery, "_ONE_FIGURE", "")

    def names(count, seed):
        return [i.id for i in gallery.items(count, seed, render_many, assets)]

    for code in ("a", "b", "c", "d", "e", "f"):
        (assets / gallery.VERSION / "galleries" / "examples" / "lines" / f"{code}.py").write_text(code)
    assert names(3, 0) == names(None, 0)[:3] == names(3, 0)
    assert names(None, 0) != names(None, 1) and sorted(names(None, 0)) == sorted(names(None, 1))


def test_what_is_yielded_is_the_script_itself(assets, monkeypatch):
    monkeypatch.setattr(gallery, "_ONE_FIGURE", "")
    found = {i.id: i for i in gallery.items(None, 0, render_many, assets)}
    assert set(found) == {"lines/one", "lines/two", "lines/clock", "lines/broken"}
    assert found["lines/one"].code == SCRIPTS["one"] and found["lines/one"].png == png(SCRIPTS["one"])
    assert "licence" in found["lines/one"].licence


def test_a_gallery_that_was_not_downloaded_is_said(tmp_path):
    with pytest.raises(UserError, match="make assets"):
        gallery.scripts(tmp_path)
