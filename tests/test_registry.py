"""The benchmarks of the runner: what counts as an executed answer, and which means they report."""

from __future__ import annotations

import pytest

from rrvf.benchmarks import items, registry
from rrvf.benchmarks.pairs import References
from rrvf.benchmarks.registry import NONE, ChartMimic, Plot2Code, WebSight, rate
from rrvf.benchmarks.run import Run
from rrvf.benchmarks.runner import evaluate
from rrvf.data import DataConfig
from rrvf.domains import Canvas
from rrvf.judge.local import EmbeddedJudge
from rrvf.profile import load_profile
from rrvf.records import Provenance, Render, Sample, SampleResult
from rrvf.render import Limits, Renderer

pytestmark = pytest.mark.usefixtures("lent")

TEXTS = {"texts": [["title", 0.5, 1.0]], "size": [6.4, 4.8]}
ITEMS = {"text": [], "layout": [[1, 1, 0, 0, 0, 0]], "axes": 1, "type": {}, "color": []}
SAMPLE = Sample(id="bar_1", domain="chart", split="t", image="a.png", sha256="", phash="", source="", licence="")


class Renders:
    """A renderer that refuses `blank` as a figure of one colour, and gives a picture for any other code."""

    def __init__(self, items=ITEMS, canvas=None, message=""):
        self.items, self.limits, self.message, self.drawn = items, Limits(canvas=canvas), message, []

    def render(self, code, trace):
        self.drawn.append(code)
        if code == "blank":
            return Render(status="render_error", reason="blank", items=self.items)
        return Render(status="ok", png=b"", items=self.items, message=self.message)


def results(*pairs):
    return [SampleResult(sample_id=str(i), outcome=o, metrics=m) for i, (o, m) in enumerate(pairs)]


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setattr(registry, "References", lambda renderer, trace: References(renderer, trace, None))


def test_a_blank_figure_counts_as_run_in_chartmimic_and_not_in_plot2code():
    nano = load_profile("nano")
    assert ChartMimic(Renders(), nano).score(SAMPLE, "true", "blank")[1]["exec"] == 1.0
    assert Plot2Code(Renders(TEXTS)).score(SAMPLE, "true", "blank")[1]["exec"] == 0.0


def test_the_true_script_as_an_answer_runs_once():
    nano = load_profile("nano")
    for benchmark, renders in ((lambda r: ChartMimic(r, nano), Renders()), (Plot2Code, Renders(TEXTS))):
        assert benchmark(renders).score(SAMPLE, "true\n", "true")[1]["exec"] == 1.0
        assert renders.drawn == ["true"]


def test_a_true_script_that_a_limit_ends_is_run_again_without_it(monkeypatch):
    slow, calls = Render(status="render_error", reason="timeout"), []

    def unbounded(domain, code, limits, trace):
        calls.append((domain, limits.wall_s))
        return Render(status="ok", png=b"", items=ITEMS)

    monkeypatch.setattr("rrvf.benchmarks.pairs.draw", unbounded)
    renders = Renders()
    renders.domain = "chart"
    references = References(renders, "fixed", None)
    monkeypatch.setattr(renders, "render", lambda code, trace: slow)
    assert references.items("slow()") == ITEMS and calls == [("chart", 120.0)]


def kept_in(folder, monkeypatch):
    monkeypatch.setattr(registry, "References", lambda renderer, trace: References(renderer, trace, folder))


def test_a_true_page_is_drawn_for_the_first_policy_only(tmp_path, monkeypatch):
    kept_in(tmp_path, monkeypatch)
    renders = Renders({"blocks": []}, Canvas(280, 224))
    for _ in range(2):
        WebSight(renders, tmp_path).check("<p>true")
    assert renders.drawn == ["<p>true"]


def test_a_true_page_without_its_stylesheet_is_drawn_again(tmp_path, monkeypatch):
    kept_in(tmp_path, monkeypatch)
    renders = Renders({"blocks": []}, Canvas(280, 224), "drawn without its stylesheet")
    for _ in range(2):
        WebSight(renders, tmp_path).check("<p>true")
    assert renders.drawn == 2 * ["<p>true"]


def test_items_of_pages_belong_to_a_browser(tmp_path, monkeypatch):
    found = []
    for name in ("one", "two"):
        (tmp_path / name).touch()
        monkeypatch.setattr(items, "find_chromium", lambda name=name: str(tmp_path / name))
        found.append(items.tracer_version.__wrapped__("blocks"))
    assert found[0] != found[1]


def test_a_figure_without_matplotlib_code_has_no_text_score_and_neither_has_its_set():
    benchmark = Plot2Code(Renders(TEXTS))
    assert benchmark.score(SAMPLE, None, "code")[1] == {"exec": 1.0, "text": None}
    summary = benchmark.summary(results(("scored", {"text": 1.0, "judge": 5.0}), ("scored", {"judge": 7.0})), 0)
    assert summary["text"] == summary["text_pass"] == NONE and summary["judge"]["value"] == 6.0


def test_a_failed_judge_does_not_change_what_ran():
    assert (
        rate(results(("scored", {}), ("judge_error", {}), ("render_error", {}), ("policy_error", {})))["value"] == 50.0
    )


def test_the_protocol_of_pages_names_the_canvas(tmp_path):
    canvases = [None, Canvas(280, 224)]
    found = [WebSight(Renders(canvas=canvas), tmp_path).protocol for canvas in canvases]
    assert found == ["websight-1280x720-full", "websight-280x224"]


@pytest.mark.parametrize("name", ["nano", "gpu", "paper"])
def test_a_profile_has_the_data_that_it_trains_and_evaluates_on(name):
    profile = load_profile(name)
    used = {s.train_set for s in (*profile.grpo.values(), *profile.sft.values())}
    used |= {e.dataset for e in profile.evaluations.values()}
    assert used <= DataConfig.read(profile.data).root.keys() and profile.evaluations


SLIVER = "import matplotlib.pyplot as plt\nplt.figure(figsize=(20, 0.05)).add_axes([0, 0, 1, 1]).plot([1, 3])"
CHART = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])"


def test_an_answer_of_a_size_that_nobody_can_look_at_stays_in_the_mean(tmp_path):
    """Two copies and two slivers: the mean is over four, and the judge does not see a sliver."""
    profile = load_profile("nano")
    fields = {"domain": "chart", "split": "t", "sha256": "", "phash": "", "source": "", "licence": ""}
    (tmp_path / "c.py").write_text(CHART)
    with Renderer("chart", 1) as renderer:
        (tmp_path / "c.png").write_bytes(renderer.render(CHART).png)
        samples = [Sample(id=str(i), image="c.png", code="c.py", **fields) for i in range(4)]
        provenance = Provenance(
            protocol="p", prompt_hash="", judge="", metric_version="", versions={}, seed=0, profile_hash=""
        )
        run = Run(ChartMimic(renderer, profile), samples, tmp_path, EmbeddedJudge(), provenance, tmp_path / "s" / "p")
        codes = [CHART, SLIVER, CHART, SLIVER]
        summary = evaluate(run, lambda asked: [f"```python\n{codes[int(s.id)]}\n```" for s in asked])
    assert summary["outcomes"]["judge_error"] == 0
    assert summary["metrics"]["judge"]["value"] == pytest.approx(50.0)
    assert summary["metrics"]["overall"]["value"] < 80
