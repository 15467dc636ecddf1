"""In the `fixed` protocol only visible items count. The record also keeps the score of all drawn items."""

from __future__ import annotations

import pytest

from rrvf.benchmarks.chartmimic import LIMITS, sample_metrics
from rrvf.benchmarks.items import items_of
from rrvf.data.generated import charts, wide_charts
from rrvf.render import Renderer

pytestmark = pytest.mark.usefixtures("lent")

CHART = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.bar([0, 1], [1, 2])\nax.set_title('title')\n"
UNSEEN = {
    "outside the picture": "fig.text(2, 2, 'words')",
    "three quarters outside": "fig.text(0.99, 0.5, 'words')",
    "transparent": "fig.text(0.5, 0.95, 'words', alpha=0)",
    "a colour without opacity": "fig.text(0.5, 0.95, 'words', color=(0, 0, 0, 0))",
    "nearly transparent": "fig.text(0.5, 0.95, 'words', alpha=0.02)",
    "white on white": "fig.text(0.5, 0.95, 'words', color='white')",
    "grey on the same grey": "ax.set_facecolor('0.7')\nax.text(-0.3, 1.5, 'words', color='0.7')",
    "a hundredth of a point high": "fig.text(0.5, 0.95, 'words', fontsize=0.01)",
    "a point high": "fig.text(0.5, 0.95, 'words', fontsize=1)",
    "under a patch": "ax.text(0.2, 1.5, 'words')\nax.add_patch(plt.Rectangle((0, 1), 3, 3, color='white', zorder=9))",
    "under an image": "ax.text(0.2, 1.5, 'words')\nax.imshow([[1]], extent=(0, 1, 1, 2), zorder=9, aspect='auto')",
    "under axes": "ax.text(0.2, 1.5, 'words')\nfig.add_axes([0, 0, 1, 0.87])",
    "under another text": "fig.text(0.5, 0.5, 'words')\nfig.text(0.4, 0.4, '\u2588' * 3, fontsize=90)",
    "clipped away": "ax.text(5, 5, 'words', clip_on=True)",
    "invisible": "ax.text(0.2, 1.5, 'words', visible=False)",
    "in invisible axes": "fig.add_axes([0.1, 0.1, 0.2, 0.2]).set_title('words')\nfig.axes[1].set_visible(False)",
    "in another figure": "plt.figure().text(0.5, 0.5, 'words')\nplt.figure(1)",
    "saved and taken away": "t = fig.text(0.5, 0.5, 'words')\nfig.savefig('a.pdf')\nt.remove()",
    "twice at one place": "fig.text(0.5, 0.95, 'title')\nfig.text(0.5, 0.95, 'title')\nax.set_title('')",
}
SEEN = {
    "black": "fig.text(0.5, 0.95, 'words')",
    "white on black": "fig.set_facecolor('k')\nfig.text(0.5, 0.95, 'words', color='white')",
    "pale": "fig.text(0.5, 0.95, 'words', color='0.8')",
    "turned": "fig.text(0.5, 0.6, 'words', rotation=37)",
    "on a bar": "ax.text(1, 1, 'words', color='w', ha='center')",
    "under a pale veil": "ax.text(0.2, 1.5, 'words')\nax.axhspan(0, 3, color='r', alpha=0.3, zorder=9)",
    "beside the canvas of a tight save": "fig.text(1.05, 0.5, 'words')\nplt.savefig('x.png', bbox_inches='tight')",
    "small": "fig.text(0.5, 0.95, 'words', fontsize=4)",
    "on a transparent figure": "fig.set_facecolor('none')\nfig.text(0.5, 0.95, 'words')",
    "in a large figure": "fig.set_size_inches(30, 30)\nfig.text(0.5, 0.95, 'words')",
}


@pytest.fixture(scope="module")
def renderer():
    with Renderer("chart", 2, LIMITS) as renderer:
        yield renderer


def metrics(renderer, gold, generated):
    gold, generated = renderer.render_many([gold, generated], "fixed")
    return sample_metrics(items_of(gold), generated, "bar_1", "fixed")


@pytest.mark.parametrize("kind", UNSEEN)
def test_a_text_that_nobody_sees_is_not_counted(kind, renderer):
    items = renderer.render(CHART + UNSEEN[kind], "fixed").items
    assert items["text"] == ["title"] or (kind == "under another text" and "words" not in items["text"])


@pytest.mark.parametrize("kind", SEEN)
def test_a_text_that_can_be_read_is_counted(kind, renderer):
    assert "words" in renderer.render(CHART + SEEN[kind], "fixed").items["text"]


def test_both_numbers_of_unseen_words_are_in_the_record(renderer):
    found = metrics(renderer, CHART + SEEN["black"], CHART + UNSEEN["transparent"])
    assert (found["text"], found["text_drawn"]) == (pytest.approx(2 / 3), 1.0)


def test_official_counts_unseen_words(renderer):
    assert sorted(renderer.render(CHART + UNSEEN["white on white"], "official").items["text"]) == ["title", "words"]


@pytest.mark.parametrize(
    "unseen",
    [
        "ax.plot([0, 1], [0, 1], alpha=0)",
        "ax.plot([0, 1], [0, 1], visible=False)",
        "ax.plot([50, 51], [50, 51])\nax.set_xlim(0, 1)",
        "ax.plot([0, 1], [2.05, 2.05], color='white')",
        "ax.plot([0, 1], [1, 1], lw=0)",
        "ax.plot([], [])",
        "ax.plot([0, 1], [0, 1])[0].remove()",
        "ax.plot([0, 1], [0, 0.5], lw=1)\nax.axhspan(-1, 3, color='#123456', zorder=9)",
        "b = fig.add_axes([0, 0, 1, 1])\nb.plot([0, 1])\nb.set_visible(False)",
    ],
)
def test_a_line_that_nobody_sees_is_neither_a_call_nor_a_colour(unseen, renderer):
    items = renderer.render(CHART + unseen, "fixed").items
    assert "plot" not in items["type"] and "line" not in dict(items["color"])
    assert items["drawn"]["type"]["plot"] == 1


@pytest.mark.parametrize(
    "axes",
    [
        "fig.add_subplot(2, 2, 4).set_visible(False)",
        "fig.add_subplot(2, 2, 4).axis('off')",
        "fig.add_subplot(2, 2, 4).set_position([2, 2, 0.3, 0.3])",
    ],
)
def test_axes_that_nobody_sees_have_no_place(axes, renderer):
    items = renderer.render(CHART + axes, "fixed").items
    assert (items["layout"], items["axes"]) == ([[1, 1, 0, 0, 0, 0]], 1)
    assert len(items["drawn"]["layout"]) == 2


def test_of_objects_in_one_colour_the_last_that_is_seen_counts(renderer):
    script = CHART + "ax.plot([0, 1], color='r')\nax.plot([0, 1], color='r', visible=False)[0].set_color('b')"
    assert ["line", "#FF0000"] in renderer.render(script, "fixed").items["color"]


@pytest.mark.parametrize("make", [charts.generate, wide_charts.generate], ids=["charts", "wide"])
def test_all_words_of_an_honest_chart_are_seen(make, renderer):
    scripts = [make(seed) for seed in range(2_000_000, 2_000_012)]
    for script in scripts:
        found = metrics(renderer, script, script)
        assert found["text"] == found["text_drawn"]
