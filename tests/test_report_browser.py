"""The sample browser, the episode page and the figures: escaping, completeness, and failed judges."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure
from PIL import Image
from test_report_runs import write_run
from test_report_tables import a_profile

from rrvf.records import Judgement, Render, RewardTerms, Trajectory, Turn
from rrvf.report.browser import _first_shown, write_browser
from rrvf.report.chart_types import chart_types, type_in_name
from rrvf.report.decomposition import paper_splits
from rrvf.report.episodes import (
    best_loop,
    gain,
    kept_pictures,
    place,
    read_trajectories,
    trajectory_html,
    worth,
)
from rrvf.report.figures import OPTIMISER, decomposition_figure, learning_curve, loop_figure
from rrvf.report.highlight import highlighted
from rrvf.report.html import visible
from rrvf.report.runs import find_runs
from rrvf.report.thumbnails import thumbnail
from rrvf.report.write import write_report

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> ]]> {{ 7*7 }} \u202e \x00"


def a_png(color: str = "orange", size: tuple[int, int] = (28, 22)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


class Tags(HTMLParser):
    """The tags that a page really opens, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.found if name == tag]


def an_episode(**changes) -> Trajectory:
    ok = Render(status="ok", png=a_png())
    turns = (
        Turn(
            text="<think>…",
            action="tool_call",
            code="plt.bar(0)",
            render=ok,
            feedback="---Comments:\n-**Text**- missing.",
        ),
        Turn(text=HOSTILE, action="answer", code=HOSTILE),
    )
    fields = {
        "sample_id": "s/<b>1",
        "domain": "chart",
        "turns": turns,
        "final_code": "x",
        "final_render": ok,
        "judgement": Judgement(status="ok", score=0.5),
        "reward": RewardTerms(vision=0.5, format=1, tool=1 / 3, total=1.2),
    }
    return Trajectory(**(fields | changes))


@pytest.fixture
def results(tmp_path):
    for policy in ("reference", "base"):
        folder = write_run(tmp_path / "eval" / "charts" / policy, n=6, reply=HOSTILE, exec_rate=0.5)
        (folder / "renders").mkdir()
        for i in range(3):
            (folder / "renders" / f"s00{i}.png").write_bytes(a_png())
    return tmp_path


@pytest.fixture
def pages(results, tmp_path):
    return write_browser(find_runs(results), tmp_path / "out")


@pytest.mark.parametrize(("policies", "first"), [
    (["reference", "base", "sft", "rrvf", "best8"], ("base", "rrvf")), (["base", "rrvf", "rrvf_hot"], ("base", "rrvf_hot")),
    (["rrvf", "gpt-4o"], ("rrvf", "gpt-4o")), (["base"], ("base", "")), (["reference", "blank"], ("reference", "blank")),
])  # fmt: skip
def test_a_page_opens_with_the_base_and_the_last_trained_policy(policies, first):
    assert _first_shown(policies) == first


def test_every_sample_is_on_the_page_with_its_outcomes(pages):
    cards = Tags(pages[1].read_text()).named("article")
    assert [c["data-id"] for c in cards] == [f"s00{i}" for i in range(6)]
    figures = [a for a in Tags(pages[1].read_text()).named("figure") if "data-policy" in a]
    shown = [(a["data-policy"], a["data-outcome"]) for a in figures]
    assert shown[:2] == [("reference", "scored"), ("base", "scored")]
    assert shown[-2:] == [("reference", "render_error"), ("base", "render_error")]


def test_every_picture_of_a_page_exists(pages):
    found = [a["src"] for a in Tags(pages[1].read_text()).named("img")]
    assert len(found) == 18  # three targets (the reference's renders), three renders of each policy, small and in full
    assert all((pages[1].parent / address).is_file() for address in found)


def hostile_page(tmp_path) -> str:
    folder = write_run(tmp_path / "charts" / "base", n=3)
    records = (folder / "records.jsonl").read_text()
    encoded = HOSTILE.encode("unicode_escape").decode().replace("\\x00", "\\u0000").replace("\\x", "\\u00")
    (folder / "records.jsonl").write_text(re.sub(r'"code":"[^"]*"', lambda _: f'"code":"{encoded}"', records))
    return write_browser(find_runs(tmp_path), tmp_path / "out")[1].read_text()


def test_policy_output_opens_no_tag(tmp_path):
    tags = Tags(hostile_page(tmp_path))
    assert len(tags.named("script")) == 2
    assert not any(key.startswith("on") for _, attributes in tags.found for key in attributes)
    assert not tags.named("img")


def test_policy_output_is_shown_as_written(tmp_path):
    text = re.sub("</?i[^>]*>", "", hostile_page(tmp_path))  # without syntax colours
    assert "&lt;script&gt;alert(1)" in text and "{{ 7*7 }}" in text
    assert "\\u202e \\u0000" in text and "\u202e" not in text


def test_only_the_pages_own_script_may_run(pages):
    policy = next(m for m in Tags(pages[1].read_text()).named("meta") if "http-equiv" in m)["content"]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy
    assert re.search(r"script-src 'sha256-[\w+/=]+' 'sha256-[\w+/=]+';", policy)


@pytest.mark.parametrize("name", ["../../escape", "a/b", "index", ""])
def test_a_set_name_cannot_leave_the_folder(tmp_path, name):
    write_run(tmp_path / "in" / "charts" / "base", n=2)
    runs = find_runs(tmp_path / "in")
    object.__setattr__(runs[0].summary, "set", name)
    pages = write_browser(runs, tmp_path / "out")
    assert len(set(pages)) == 2 and all(p.resolve().parent == (tmp_path / "out").resolve() for p in pages)


def test_a_sample_name_cannot_leave_the_renders(tmp_path):
    write_run(tmp_path / "charts" / "base", n=1)
    run = find_runs(tmp_path)[0]
    assert run.render_path("../../etc/passwd").parent == run.folder / "renders"


def test_broken_pictures_are_left_out():
    damaged = bytearray(a_png())
    damaged[36] = 0  # the second chunk's length: Pillow raises SyntaxError
    assert thumbnail(b"no picture") is None and thumbnail(bytes(damaged)) is None


def test_thumbnails_are_bounded():
    with Image.open(io.BytesIO(thumbnail(a_png(size=(2000, 9000))))) as image:
        assert image.width <= 640 and image.height <= 5120


def test_long_and_unpaired_text_survives():
    assert visible("\ud800") == "\\ud800"
    assert len(visible("x" * 100_000)) < 21_000


def test_an_episode_shows_target_turns_feedback_and_reward():
    page = trajectory_html([an_episode()], kept_pictures({"s/<b>1": a_png("blue")}))
    tags = Tags(page)
    assert len(tags.named("img")) == 3 and all(a["src"].startswith("data:image/webp") for a in tags.named("img"))
    assert len(tags.named("script")) == 2 and not tags.named("b")
    assert "-**Text**- missing." in page and "R = 1.20" in page


def test_an_episode_without_a_judge_names_no_number():
    failed = an_episode(
        judgement=Judgement(status="judge_error", reason="timeout"),
        reward=RewardTerms(vision=None, format=1, tool=0, total=None),
    )
    assert worth(failed) == "judge_error: the episode leaves its group"
    assert "timeout" in trajectory_html([failed], kept_pictures({}))


def test_an_episode_that_a_kill_cut_is_left_out(tmp_path):
    path = tmp_path / "episodes.jsonl"
    path.write_text(an_episode().model_dump_json() + '\n{"cut')
    assert [[t.code for t in episode.turns] for episode in read_trajectories(path)] == [["plt.bar(0)", HOSTILE]]


def test_the_loop_figure_has_a_panel_a_turn_and_the_target():
    figure = loop_figure(an_episode(), a_png("blue"), [a_png(), None])
    assert [a.get_title() for a in figure.axes] == ["Target", "Turn 1: draft", "Turn 2: answer"]


def test_the_learning_curve_names_what_was_not_logged():
    figure = learning_curve([[{"step": i, "rrvf/exec_rate": 0.5} for i in range(1, 4)]])
    words = {a.get_title(loc="left"): [t.get_text() for t in a.get_legend().get_texts()] for a in figure.axes}
    assert words["Execution rate"] == ["final code", "drafts: not logged"]


def test_the_optimiser_has_panels_of_its_own():
    figure = learning_curve([[{"step": 1, "grad_norm": 0.2}]], panels=OPTIMISER, title="A run")
    assert figure.get_suptitle() == "A run"
    assert [a.get_title(loc="left") for a in figure.axes] == ["Gradient norm", "Clip fraction", "Seconds per step"]


def test_several_seeds_are_a_line_with_a_band():
    logs = [[{"step": step, "rrvf/exec_rate": rate} for step in (1, 2)] for rate in (0.2, 0.6, 0.7)]
    axes = next(a for a in learning_curve(logs).axes if a.get_title(loc="left") == "Execution rate")
    (line,) = (x for x in axes.lines if len(x.get_xdata()))
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert list(line.get_ydata()) == pytest.approx([0.5, 0.5])
    assert (heights.min(), heights.max()) == pytest.approx((0.2, 0.7))


def test_what_must_be_nothing_stands_in_words():
    log = [{"step": 1, "rrvf/judge_errors": 0.0}, {"step": 2, "rrvf/judge_errors": 0.1}]
    assert any("judge errors 5.0%" in t.get_text() for t in learning_curve([log]).texts)


def test_an_empty_log_draws():
    assert isinstance(learning_curve([]), Figure)


def test_the_decomposition_figure_names_the_papers_rows():
    figure = decomposition_figure(paper_splits(1))
    assert {"SFT", "RRVF (Ours)"} <= {t.get_text() for t in figure.axes[0].texts}


def test_the_whole_report(results):
    paths = write_report(results, profile=a_profile())
    names = {p.name for p in paths}
    assert {
        "table1.md",
        "table3.png",
        "claims.md",
        "decomposition.md",
        "audit.md",
        "index.html",
        "charts.html",
    } <= names
    assert all(p.is_file() for p in paths)
    assert "75 of 78" in (results / "report" / "audit.md").read_text()


def an_end(name: str, total: float | None, score: float, turns: int = 2) -> Trajectory:
    return an_episode(
        sample_id=name,
        turns=an_episode().turns[-turns:],
        judgement=Judgement(status="ok", score=score),
        reward=RewardTerms(vision=score, format=1, tool=0, total=total),
    )


def test_a_gain_is_from_the_first_draft_to_the_answer():
    drawn = an_episode().turns[0].model_copy(update={"render": Render(status="ok", png=b"draft")})
    failed = drawn.model_copy(update={"render": Render(status="render_error", reason="exception")})
    half = lambda target, png, domain: Judgement(status="ok", score=0.5 if png == b"draft" else 0.0)  # noqa: E731
    end = an_end("a", 1.0, 0.9)
    episodes = [end.model_copy(update={"turns": (draft, end.turns[-1])}) for draft in (drawn, failed)]
    assert [gain(t, b"target", half) for t in episodes] == [pytest.approx(0.4), pytest.approx(0.9)]
    assert gain(an_end("a", 1.0, 0.9, turns=1), b"target", half) is None


def test_the_loop_s_episode_has_the_largest_gain_and_its_caption_names_its_place():
    episodes = [an_end("a", 1.5, 0.9, turns=1), an_end("b", 1.2, 0.7), an_end("c", 0.4, 0.2), an_end("d", None, 0.99)]
    shown = best_loop(episodes, [None, 0.3, -0.1, None])
    assert shown.sample_id == "b"
    note = place(shown, episodes, [an_end("b", 0.1, 0.3)])
    assert note == "no. 2 of 4 episodes by reward; similarity 0.70, median of all 0.70; the same picture before: 0.30"
    figure = loop_figure(shown, a_png("blue"), [a_png(), None], note)
    assert any(note.startswith(t.get_text().splitlines()[0]) for t in figure.texts if t.get_text() != "➜")


def test_an_episode_is_shown_where_no_judge_scored_any():
    episodes = [an_end("a", None, 0.5)]
    assert best_loop(episodes, [None]) is episodes[0]
    assert "no judge scored" in place(episodes[0], episodes)


def test_a_target_that_is_not_in_the_data_is_the_reference_s_render(results, tmp_path):
    shown = a_png("green", (40, 30))
    (tmp_path / "t.png").write_bytes(shown)
    pages = write_browser(
        find_runs(results), tmp_path / "out", lambda _, i: tmp_path / "t.png" if i == "s005" else None
    )
    assert pages[1].read_text().count("no target picture on this machine") == 4  # s003 and s004 never rendered


@pytest.mark.parametrize(
    ("code", "types"),
    [
        ("plt.bar(x, y)", ("bar",)),
        ("a[0].barh(x, y)\na[1].plot(x)\na[1].fill_between(x, y)", ("area", "horizontal bar", "line")),
        ("sns.heatmap(z)\nplt.title('pie')", ("heatmap",)),
        ("plt.text(0, 0, 'words')", ()),
        ("plt.bar(", ()),
        ("\0", ()),
        ("(" * 5000, ()),
        ("-" * 20_000 + "1", ()),
        ("a" + ".b" * 20_000, ()),
    ],
)
def test_chart_types_are_read_from_the_code(code, types):
    assert chart_types(code) == types


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("direct_600/bar_12", ("bar",)),
        ("HR_3", ("HR",)),
        ("sb-admin/pages/index", ("sb-admin",)),
        ("chart-2000001", ()),
    ],
)
def test_where_no_code_is_known_the_name_says_the_type(name, types):
    assert type_in_name(name) == types


@pytest.mark.parametrize("language", ["python", "html", "diff"])
@pytest.mark.parametrize("code", [HOSTILE, "x = 1\n", "<p class='a'>é</p>", "\n\n  x", "'''", "+a\n-b\n@@ c"])
def test_highlighted_code_reads_as_it_was_written(language, code):
    texts: list[str] = []
    parser = HTMLParser()
    parser.handle_data = texts.append
    parser.feed(highlighted(code, language))
    parser.close()
    assert "".join(texts) == visible(code)
    assert {tag for tag, _ in Tags(highlighted(code, language)).found} <= {"i"}


def test_keywords_text_and_numbers_are_told_apart():
    assert str(highlighted("import x\ny = 'a' + 1", "python")) == (
        """<i class="k">import</i> x\ny = <i class="s">'a'</i> + <i class="n">1</i>"""
    )


def test_a_turn_shows_what_it_changed_in_the_draft_before():
    first, second = an_episode().turns
    turns = (first, second.model_copy(update={"code": "plt.bar(1)"}))
    shown = trajectory_html([an_episode(turns=turns)], kept_pictures({}))
    assert '<i class="d">-plt.bar(0)' in shown and '<i class="g">+plt.bar(1)' in shown


def test_the_index_links_to_the_episodes_of_training(results):
    episodes = results / "train" / "rrvf_chart" / "episodes" / "step-00010.html"
    index = write_browser(find_runs(results), results / "report" / "browser", episodes=[episodes])[0]
    link = next(a["href"] for a in Tags(index.read_text()).named("a") if "step" in a["href"])
    assert (index.parent / link).resolve() == episodes.resolve()


def test_the_label_beside_a_target_is_shown_and_says_the_chart_s_type(tmp_path):
    write_run(tmp_path / "eval" / "charts" / "base", n=1)
    (tmp_path / "t.png").write_bytes(a_png())
    (tmp_path / "t.py").write_text("plt.barh(x, y)")
    text = write_browser(find_runs(tmp_path), tmp_path / "out", lambda *_: tmp_path / "t.png")[1].read_text()
    assert "Reference code" in text and "<option>horizontal bar</option>" in text
