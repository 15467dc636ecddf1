"""ChartMimic's items and scores: exact on the conformance cases, and rules that are easy to get wrong."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rrvf.benchmarks import chartmimic, chartmimic_scores, thinning
from rrvf.benchmarks.beside import table
from rrvf.benchmarks.chartmimic import LIMITS, aggregate, extract_code, extract_folder, overall
from rrvf.benchmarks.chartmimic_scores import PairScore, carried, colors, score_items
from rrvf.benchmarks.colors import similarity
from rrvf.benchmarks.items import items_of
from rrvf.benchmarks.pairs import References, partial
from rrvf.errors import UserError
from rrvf.records import Render
from rrvf.render import Limits, Renderer

pytestmark = pytest.mark.usefixtures("lent")

CASES = json.loads((Path(__file__).parent / "conformance/chartmimic_cases.json").read_text())["cases"]
NOTHING = {"text": [], "layout": [], "axes": 0, "type": {}, "color": []}
IMPORTS = "import matplotlib.pyplot as plt\n"


@pytest.fixture(scope="module")
def renderer():
    with Renderer("chart", 2, Limits(wall_s=120.0)) as renderer:
        yield renderer


@pytest.fixture(scope="module")
def official():
    with Renderer("chart", 2, LIMITS) as renderer:
        renders = renderer.render_many([case["script"] for case in CASES], "official")
    return {case["name"]: items_of(render) for case, render in zip(CASES, renders, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_official_items_are_exact(case, official):
    # Where the official evaluator crashes, it reports no items of that kind.
    expected = {k: NOTHING[k] if isinstance(v, dict) and "error" in v else v for k, v in case["official"].items()}
    assert {kind: official[case["name"]][kind] for kind in expected} == expected


REPAIRED = [c for c in CASES if "vlmevalkit_head_differs" in c and c["name"] != "bar_last_named"]


@pytest.mark.parametrize("case", REPAIRED, ids=[case["name"] for case in REPAIRED])
def test_fixed_gives_what_the_repaired_evaluator_gives(case, renderer):
    items = renderer.render(case["script"], "fixed").items
    assert {k: items[k] for k in case["vlmevalkit_head_differs"]} == case["vlmevalkit_head_differs"]


def test_fixed_reads_a_bar_recoloured_by_name(renderer):
    script = IMPORTS + "b = plt.bar([1, 2], [1, 2])\nb[1].set_color('red')\n"
    assert renderer.render(script, "fixed").items["color"] == [["bar", "#FF0000"]]


def test_items_do_not_depend_on_whether_a_picture_is_drawn(renderer):
    script = IMPORTS + "plt.scatter([1, 2], [1, 2], c=[1, 2])\nplt.colorbar()\nplt.title('t')\n"
    with Renderer("chart", 1, LIMITS) as bare:
        found = bare.render(script, "fixed")
    drawn = renderer.render(script, "fixed")
    assert found.ok and found.png is None and found.items == drawn.items and drawn.png


SEABORN = IMPORTS + "import seaborn as sns\nsns.barplot(x=['a', 'b'], y=[1, 2])\nplt.title('t')\n"
BAR_BY_NAME = IMPORTS + "plt.bar([1, 2], [1, 2], facecolor='red')\nplt.title('t')\n"
CAUGHT = IMPORTS + "try:\n    plt.bar([1, 2], [1, 2, 3])\nexcept ValueError:\n    pass\nplt.plot([1, 2])\n"
RADAR = """
from matplotlib.projections import register_projection
from matplotlib.projections.polar import PolarAxes
class Radar(PolarAxes):
    name = "radar"
register_projection(Radar)
plt.subplot(projection="radar").plot([0, 1], [1, 2])
plt.figure()
plt.subplot(projection="polar").scatter([0, 1], [1, 2])
"""


@pytest.mark.parametrize("script", [SEABORN, BAR_BY_NAME], ids=["seaborn", "bar"])
@pytest.mark.parametrize("protocol", ["official", "fixed"])
def test_extraction_does_not_change_the_picture(script, protocol, renderer):
    assert renderer.render(script).png == renderer.render(script, protocol).png


def test_seaborn_breaks_the_tracer_of_july_2025_and_no_other(renderer):
    july, fixed = (renderer.render(SEABORN, protocol).items for protocol in ("july2025", "fixed"))
    assert july["type"] == {} and july["color"] == [] and july["text"] == ["t"]
    assert fixed["type"]["bar"] == 2 and ["bar", "#3274A1"] in fixed["color"]


def test_settings_of_a_script_do_not_reach_its_second_traced_run(renderer):
    script = IMPORTS + "import seaborn\nplt.plot([1, 2])\nplt.rcParams['axes.prop_cycle'] = plt.cycler(color=['r'])\n"
    assert renderer.render(script, "official").items["color"] == [["line", "#1F77B4"]]


def test_a_colour_that_cannot_be_read_costs_colours_and_nothing_else(renderer):
    items = renderer.render(BAR_BY_NAME, "official").items
    assert items == {"text": ["t"], "layout": [[1, 1, 0, 0, 0, 0]], "axes": 1, "type": {"bar": 1}, "color": []}


HOLLOW = (
    IMPORTS
    + """
plt.bar([1], [1], color="#ff0000")
plt.bar([2], [2], color="none", edgecolor="k")
plt.bar([3], [3], color="#0000ff")
"""
)


def test_official_keeps_of_a_generated_script_what_the_tracer_saw_before_it_stopped_it(renderer):
    true, hollow = renderer.render_many([HOLLOW.replace("none", "#ff0000"), HOLLOW], "official")
    found = score_items(true.items, hollow.items, "bar_1", "official").color
    assert (found.precision, found.recall) == (1.0, 0.5)  # of red and blue only the red one
    assert (
        score_items(hollow.items, hollow.items, "bar_1", "official").color.f1 == 0.0
    )  # this does not apply to a true script
    assert "guarded" not in renderer.render(HOLLOW, "july2025").items


def test_official_keeps_the_calls_before_seaborn_failed_in_the_tracer(renderer):
    items = renderer.render(SEABORN.replace("sns.bar", "plt.plot([1, 2])\nsns.bar"), "official").items
    assert items["type"] == {} and items["guarded"]["type"]["plot"] == 1


HEATMAP = IMPORTS + "plt.pcolormesh([[1, 2]])"


def test_official_prints_the_type_score_before_it_where_a_script_calls_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(chartmimic_scores, "_WORKERS", 1)
    for name, code in {"a": HEATMAP, "b": IMPORTS + "plt.plot([1, 2])", "c": "raise ValueError", "d": HEATMAP}.items():
        (tmp_path / f"{name}.gt.py").write_text(IMPORTS + "plt.plot([1, 2])\nplt.bar([1, 2], [1, 2])")
        (tmp_path / f"{name}.gen.py").write_text(code)
    found = chartmimic.score_folder(tmp_path, tmp_path / "o.json", protocol="official", cache=None)
    pairs, means = found["pairs"], found["aggregate"]
    assert [pairs[name]["type"]["f1"] for name in "abcd"] == [0.0, pytest.approx(2 / 3), 0.0, pytest.approx(2 / 3)]
    assert pairs["d"]["type_of"] == "b" and "type_of" not in pairs["a"]
    assert (means["type"], means["type_own"]) == (pytest.approx(100 / 3), pytest.approx(100 / 6))


def test_each_of_the_originals_twenty_workers_carries_its_own():
    half = chartmimic_scores.score(1, 2, 2)
    pairs = {
        f"{i:02}": PairScore(exec_ok=True, text=half, layout=half, type=half, color=half, calls=i < 20)
        for i in range(45)
    }
    assert {name: pair.type_of for name, pair in carried(pairs).items() if pair.type_of} == {
        f"{i}": f"{i % 20:02}" for i in range(20, 45)
    }


def test_an_exception_that_the_script_catches_blinds_the_official_tracer_alone(renderer):
    seen = {p: renderer.render(CAUGHT, p).items for p in ("official", "fixed")}
    assert seen["official"]["color"] == [] and seen["fixed"]["color"] == [["line", "#1F77B4"]]


def test_a_polar_axes_of_another_class_is_polar_in_the_repaired_tracer(renderer):
    seen = {p: renderer.render(IMPORTS + RADAR, p).items for p in ("official", "fixed")}
    assert seen["official"]["type"] == {"plot": 1, "scatter": 1} and seen["fixed"]["type"] == {
        "plot@polar": 1,
        "scatter": 1,
    }
    assert seen["official"]["color"] == [["scatter@polar", "#1F77B4"]]
    assert seen["fixed"]["color"] == [["plot@polar", "#1F77B4"], ["scatter@polar", "#1F77B4"]]


def test_the_last_object_of_a_colour_wins_in_every_protocol(renderer):
    script = next(c["script"] for c in CASES if c["name"] == "boxplot_patch_colors")
    assert renderer.render(script, "fixed").items["color"] == [["boxplot", "#0000FF"]]


def test_a_script_without_plt_does_not_run_as_its_last_line_needs_it(renderer):
    script = "import matplotlib.pyplot as pyplot\npyplot.plot([1, 2])\n"
    assert renderer.render(script).ok and items_of(renderer.render(script, "fixed")) is None


def test_a_blank_figure_counts_as_run(renderer):
    assert items_of(renderer.render(IMPORTS + "plt.figure()\n", "fixed")) == NOTHING


@pytest.mark.parametrize(
    "forged",
    [
        {},
        NOTHING | {"text": "abc"},
        NOTHING | {"type": {"bar": -1}},
        NOTHING | {"layout": [[1]]},
        NOTHING | {"more": 1},
        NOTHING | {"axes": 10**9},
    ],
)
def test_items_that_no_tracer_reports_count_as_not_run(forged):
    assert items_of(Render(status="ok", items=forged)) is None


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("#FF0000", "#0000FF", 0.47120),
        ("#1F77B4", "#4682B4", 0.95080),
        ("#FF7F0E", "#FFA500", 0.86626),
        ("#FFFFFF", "#000000", 0.0),
        ("#66B3FF", "#87CEEB", 0.87628),
        ("#FF0000", "#00FF00", 0.13392),
        ("#0000FF", "#FFFF00", 0.0),
        ("viridis", "viridis", 1.0),
        ("viridis", "#FF0000", 0.0),
    ],
)
def test_colour_similarity(one, two, expected):
    assert similarity(one, two) == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("#945E41", "#0B00B2", 0.5270348333933723),  # the shorter way between the hues crosses 0
        ("#FDA9AA", "#E623B1", 0.7020018943853368),
        ("#945E41FF", "#0B00B280", 0.5270348333933723),
    ],
)
def test_colour_similarity_is_that_of_the_originals_library(one, two, expected):
    assert similarity(one, two) == pytest.approx(expected, abs=1e-12)


def test_empty_against_empty_is_zero():
    assert score_items(NOTHING, NOTHING, "bar_1", "fixed").text.f1 == 0.0


def test_axes_of_a_graph_count_in_a_grid_or_not():
    gold, generated = NOTHING | {"layout": [[1, 1, 0, 0, 0, 0]], "axes": 1}, NOTHING | {"axes": 1}
    names = ("graph_1", "direct_600/graph_1", "bar_1", "bar/subgraph_1")
    assert [score_items(gold, generated, name, "fixed").layout.f1 for name in names] == [1.0, 1.0, 0.0, 0.0]


def test_colours_match_within_their_group_only():
    assert colors([["bar", "#FF0000"]], [["line", "#FF0000"]], "fixed").f1 == 0.0


def test_colours_take_the_best_assignment_not_the_first():
    gold = [["bar", "#FF0000"], ["bar", "#0000FF"]]
    assert colors(gold, gold[::-1], "fixed").f1 == pytest.approx(1.0)


def test_a_reference_without_colours_scores_zero_and_no_error():
    assert colors([], [["bar", "#FF0000"]], "official").f1 == 0.0


def test_ten_colours_against_ten_need_no_permutations():
    gold = [["line", f"#{i * 25:02X}00FF"] for i in range(10)]
    assert colors(gold, gold[::-1], "official").f1 == pytest.approx(1.0)


MANY = [["bar", f"#{i:02X}{255 - i:02X}80"] for i in range(0, 240, 20)]


def test_more_than_ten_colours_score_nothing_in_july_2025_and_thin_alike_in_fixed():
    found = {p: colors(MANY, MANY, p).f1 for p in ("july2025", "fixed")}
    assert found == {"july2025": 0.0, "fixed": pytest.approx(1.0)}


def test_official_gives_the_mean_over_the_orders_in_which_the_original_may_thin(monkeypatch):
    """The original's two processes each use a random order; this test goes through all pairs of orders of few colours."""
    few = MANY[::3]
    monkeypatch.setattr(thinning, "MANY", 3)
    orders = [thinning._Side(few).kept(np.array(order)) for order in itertools.permutations(range(len(few)))]
    exact = np.mean([_f1(one, two) for one in orders for two in orders])
    assert colors(few, few, "official").f1 == pytest.approx(exact, abs=0.03) and exact < 0.97


def _f1(gold, generated):
    return chartmimic_scores.score(chartmimic_scores._matched(gold, generated), len(generated), len(gold)).f1


def test_what_thinning_gives_does_not_depend_on_the_order_of_the_list():
    assert colors(MANY, MANY[::-1], "official") == colors(MANY, MANY, "official")
    (kept, _), *_ = thinning.thinned(MANY, MANY, drawn=False)
    assert len(kept) < 10


def test_a_side_of_ten_or_fewer_is_not_thinned():
    assert {len(one) for one, _ in thinning.thinned(MANY[:10], MANY, drawn=True)} == {10}


def test_only_the_first_python_fence_is_code():
    assert extract_code("a\n```python\nx = 1\n```\n```python\ny\n```") == "\nx = 1\n"
    assert extract_code("```python\nx = 1") is None and extract_code("x = 1") is None


def test_overall_reproduces_the_papers_row():
    assert overall(62.47, 80.97, 53.56, 46.41, 67.87) == pytest.approx(64.36, abs=0.01)


PAIRS = {
    "bar_1": ("plt.bar([1, 2], [3, 4])\nplt.title('t')", "plt.bar([1, 2], [3, 4])\nplt.title('t')"),
    "bar_2": ("plt.bar([1, 2], [3, 4])", "raise ValueError"),
    "line_3": ("plt.plot([1, 2])\nplt.title('a')", "plt.plot([1, 2])\nplt.title('b')"),
    "pie_4": ("plt.pie([1, 2])", "import os\nos.kill(os.getpid(), 9)"),
    "pie_5": ("plt.pie([1, 2])", "while True: pass"),
}
#: Each with the message in its pair's record.
HOSTILE = {
    "crash": ("import ctypes\nctypes.string_at(0)", "crash"),
    "fork": ("import os\nos.fork()\nplt.plot([1, 2])", "forbidden"),
    "kill": ("import os\nos.kill(os.getpid(), 9)", "forbidden"),
    "leave": ("import os\nos._exit(0)", "exit"),
    "own_score": ("open('out.json', 'w').write('{}')\nraise SystemExit", "exit"),
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name, (gold, generated) in PAIRS.items():
        (folder / f"{name}.gt.py").write_text(IMPORTS + gold)
        (folder / f"{name}.gen.py").write_text(IMPORTS + generated)
    return folder


@pytest.fixture
def score_folder(tmp_path, monkeypatch):
    """`score_folder` with its own cache and limits; an endless loop ends after one second of CPU time."""
    monkeypatch.setattr(chartmimic, "LIMITS", replace(LIMITS, cpu_s=1.0))
    return lambda folder, out, **options: chartmimic.score_folder(folder, out, cache=tmp_path / "cache", **options)


def test_a_folder_scores_each_pair_by_itself_and_those_that_fail_count_zero(folder, tmp_path, score_folder):
    found = score_folder(folder, tmp_path / "out.json", workers=1)
    pairs, means = found["pairs"], found["aggregate"]
    assert (means["n"], means["exec_rate"], means["type"]) == (5, 40.0, 40.0)
    ran = {"bar_1": True, "bar_2": False, "line_3": True, "pie_4": False, "pie_5": False}
    assert {n: p["exec_ok"] for n, p in pairs.items()} == ran
    assert pairs["bar_1"]["text"]["f1"] == 1.0 and pairs["line_3"]["text"]["f1"] == 0.0


def test_what_a_script_does_stands_in_its_own_record_and_nowhere_else(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(chartmimic, "LIMITS", replace(LIMITS, wall_s=10.0, cpu_s=1.0))
    for name, (code, _) in HOSTILE.items():
        (folder / f"{name}.gt.py").write_text(IMPORTS + PAIRS["bar_1"][0])
        (folder / f"{name}.gen.py").write_text(IMPORTS + code)
    pairs = chartmimic.score_folder(folder, tmp_path / "out.json", workers=2, cache=tmp_path / "cache")["pairs"]
    assert {n: pairs[n]["reason"] for n in HOSTILE} == {n: reason for n, (_, reason) in HOSTILE.items()}
    assert pairs["bar_1"]["color"]["f1"] == 1.0 and "reason" not in pairs["bar_1"]


def test_ten_thousand_texts_are_ten_thousand_items(tmp_path):
    (tmp_path / "a.py").write_text(IMPORTS + "for i in range(10_000): plt.text(0, 0, 'x')")
    found = extract_folder(tmp_path, tmp_path / "out.json", workers=1, protocol="official")
    assert found["a"]["text"] == ["x"] * 10_000


def test_the_same_bytes_with_any_number_of_workers_in_any_order(folder, tmp_path, score_folder, lent, monkeypatch):
    monkeypatch.setattr("rrvf.render._engine", lent)
    other = tmp_path / "other"
    other.mkdir()
    for path in sorted(folder.iterdir(), reverse=True):
        shutil.copy(path, other)
    score_folder(folder, tmp_path / "1.json", workers=1, protocol="official")
    shutil.rmtree(tmp_path / "cache")
    score_folder(other, tmp_path / "3.json", workers=3, protocol="official")
    score_folder(other, tmp_path / "cached.json", workers=2, protocol="official")
    one, three, cached = ((tmp_path / f"{name}.json").read_bytes() for name in (1, 3, "cached"))
    assert one == three == cached


SCORE = """
import sys
from pathlib import Path
from rrvf.benchmarks.chartmimic import score_folder
score_folder(Path(sys.argv[1]), Path(sys.argv[2]), workers=1, cache=None)
"""


def test_a_run_that_the_machine_kills_goes_on_to_the_same_bytes(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    for i in range(8):
        for half in ("gt", "gen"):
            (folder / f"line_{i}.{half}.py").write_text(IMPORTS + f"plt.plot([1, {i}])")
    outs = [tmp_path / "killed.json", tmp_path / "whole.json"]
    command = [sys.executable, "-c", SCORE, folder]
    killed = subprocess.Popen([*command, outs[0]], stderr=subprocess.DEVNULL)
    log = partial(outs[0])
    while not (log.exists() and '"name"' in log.read_text()):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert 1 <= log.read_text().count('"name"') < 8
    for out in outs:
        subprocess.run([*command, out], check=True, capture_output=True)
    assert outs[0].read_bytes() == outs[1].read_bytes()


class Killed(Exception):
    pass


def test_a_killed_run_continues_with_what_is_missing_or_changed(folder, tmp_path, score_folder, monkeypatch):
    out, seen = tmp_path / "out.json", []

    def kill(gold, generated, name, protocol):
        seen.append(name)
        if len(seen) == 3:
            raise Killed
        return score_items(gold, generated, name, protocol)

    monkeypatch.setattr(chartmimic, "score_items", kill)
    with pytest.raises(Killed):
        score_folder(folder, out)
    with (tmp_path / "out.json.partial").open("a") as log:
        log.write('{"name": "line_3", "sc')
    (folder / "bar_2.gen.py").write_text(IMPORTS + PAIRS["bar_2"][0])
    pairs = score_folder(folder, out)["pairs"]
    assert seen == ["bar_1", "bar_2", "line_3", "bar_2", "line_3", "pie_4", "pie_5"]
    assert pairs["bar_2"]["type"]["f1"] == 1.0 and sorted(p.name for p in tmp_path.glob("out*")) == ["out.json"]


def test_a_true_script_is_traced_once(renderer, tmp_path, monkeypatch):
    script = IMPORTS + "plt.plot([1, 2])"
    first = References(renderer, "fixed", tmp_path).items(script)
    monkeypatch.setattr(Renderer, "render", None)
    assert References(renderer, "fixed", tmp_path).items(script) == first != NOTHING


def test_a_true_script_that_failed_is_tried_again_in_the_next_run(renderer, tmp_path):
    assert References(renderer, "fixed", tmp_path).items("raise ValueError") is None
    assert list(tmp_path.iterdir()) == []


def test_half_a_pair_is_named(folder, tmp_path, score_folder):
    (folder / "pie_4.gen.py").unlink()
    with pytest.raises(UserError, match="pie_4"):
        score_folder(folder, tmp_path / "out.json")


@pytest.mark.parametrize("run", [extract_folder, chartmimic.score_folder])
def test_an_output_that_is_a_folder_is_told_before_anything_runs(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(chartmimic, "Renderer", None)
    (folder / "a.py").write_text("")
    with pytest.raises(UserError, match="is a folder"):
        run(folder, tmp_path)


def test_extract_gives_the_shape_of_the_conformance_file(tmp_path):
    (tmp_path / "a.py").write_text(IMPORTS + "plt.plot([1, 2])\nplt.title('t')")
    found = extract_folder(tmp_path, tmp_path / "out.json", workers=1)
    assert found == {
        "a": {"text": ["t"], "layout": [[1, 1, 0, 0, 0, 0]], "type": {"plot": 1}, "color": [["line", "#1F77B4"]]}
    }


def score_file(path, protocol, pairs):
    aggregate = {"n": len(pairs), "exec_rate": 50.0, "text_pass": None}
    path.write_text(json.dumps({"protocol": protocol, "pairs": pairs, "aggregate": aggregate}))
    return path


def test_score_files_of_two_protocols_stand_in_one_table(tmp_path):
    one = score_file(tmp_path / "1.json", "chartmimic-fixed", {"a": {"type": 1}, "b": {"type": 0}})
    two = score_file(tmp_path / "2.json", "chartmimic-july2025", {"a": {"type": 0}, "b": {"type": 0}})
    assert table([one, two]).splitlines()[2:] == [
        "| chartmimic-fixed | 2 | 50.00 | n/a | 0 |",
        "| chartmimic-july2025 | 2 | 50.00 | n/a | 1 |",
    ]


def test_score_files_over_other_pairs_are_refused(tmp_path):
    one, two = (score_file(tmp_path / f"{name}.json", "p", {name: {}}) for name in "ab")
    with pytest.raises(UserError, match="other pairs"):
        table([one, two])


def test_extract_gives_a_graphs_axes_the_place_that_the_metric_sees(tmp_path):
    (tmp_path / "graph_1.py").write_text(IMPORTS + "plt.subplot()\nplt.axes([0, 0, 1, 1])")
    found = extract_folder(tmp_path, tmp_path / "out.json", "official", workers=1)
    assert found["graph_1"]["layout"] == [[1, 1, 0, 1, 0, 1]] * 2


def test_nothing_scored_has_no_rate():
    assert aggregate([])["n"] == 0
