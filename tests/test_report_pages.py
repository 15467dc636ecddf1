"""The report's pages in a real browser, opened as files without a network."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from test_report_browser import a_png, an_episode
from test_report_runs import write_run

from rrvf.chromium import find_chromium
from rrvf.records import Outcome, Render, Turn
from rrvf.report import thumbnails
from rrvf.report.browser import write_browser
from rrvf.report.episodes import kept_pictures, trajectory_html
from rrvf.report.runs import find_runs

N = 12
CODES = ("plt.bar(x, y)", "ax.plot(x, y)", "ax.bar(x, y); ax.plot(x, y)")
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A report of twelve samples under four policies. The function `judge` gives the judge's score of sample i."""
    root = tmp_path_factory.mktemp("report")
    for policy, rate in (("reference", 1.0), ("blank", 1.0), ("base", 0.5), ("rrvf", 0.75)):
        run = write_run(root / "eval" / "charts" / policy, n=N, exec_rate=rate, judge_errors=int(policy == "rrvf"))
        _rewrite(run / "records.jsonl", policy)
        (run / "renders").mkdir()
        for i in range(round(N * rate)):
            height = 2_000 if (policy, i) == ("base", 1) else 200 + i
            color = "tan" if policy == "reference" else "navy"
            (run / "renders" / f"s{i:03}.png").write_bytes(a_png(color, (280, height)))
    write_browser(find_runs(root), root / "out")
    pages = kept_pictures({"s/<b>1": a_png("blue", (280, 224))})
    (root / "out" / "episodes.html").write_text(trajectory_html([three_turns(), three_turns()], pages))
    return root / "out"


def _rewrite(path: Path, policy: str) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for i, row in enumerate(rows):
        row["code"] = CODES[i % 3]
        if row["outcome"] == "scored":
            row["metrics"]["judge"] = judge(policy, i)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def judge(policy: str, i: int) -> float:
    return {"reference": 100.0, "blank": 0.0, "base": 10.0 * i, "rrvf": 60.0 - 5 * i}[policy]


def three_turns():
    ok = Render(status="ok", png=a_png("teal", (280, 224)))
    drafts = [
        Turn(text="…", action="tool_call", code=f"plt.bar({i})", render=ok, feedback="a bar is missing") for i in (1, 2)
    ]
    return an_episode(turns=(*drafts, Turn(text="…", action="answer", code="plt.bar(3)")), final_render=ok)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser, folder) -> Page:
    """A shared page for tests that only read it."""
    page = browser.new_page()
    page.goto(f"file://{folder}/charts.html")
    return page


@pytest.fixture
def visit(browser, folder):
    """Opens a page of the folder by its address. Any error on the page fails the test."""
    contexts, errors = [], []

    def visit(address: str, **settings) -> Page:
        contexts.append(browser.new_context(offline=True, **settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.goto(f"file://{folder}/{address}")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not errors


def listed(page: Page) -> list[str]:
    return page.eval_on_selector_all(".card:not([hidden])", "cards => cards.map(card => card.dataset.id)")


def names(*numbers: int) -> list[str]:
    return [f"s{i:03}" for i in numbers]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("", names(*range(N))),
        ("outcome-a=render_error", names(*range(6, N))),
        ("outcome-a=render_error&outcome-b=scored", names(6, 7, 8)),
        ("outcome-b=judge_error", names(0)),
        ("type=line", names(*(i for i in range(N) if i % 3))),
        ("metric=judge&from-a=20&to-a=40", names(2, 3, 4)),
        ("metric=judge&to-a=0", names(0, *range(6, N))),
        ("metric=judge&to-b=0", names(9, 10, 11)),
        ("b=*&outcome-b=render_error", names(9, 10, 11)),
        ("search=00", names(*range(10))),
        ("metric=judge&sort=high&to-a=100", names(5, 4, 3, 2, 1, 0, *range(6, N))),
        ("metric=judge&sort=low", names(0, *range(6, N), 1, 2, 3, 4, 5)),
        ("metric=judge&sort=gain&from-a=1&from-b=1", names(1, 2, 3, 4, 5)),
        ("metric=judge&sort=loss&from-a=1&from-b=1", names(5, 4, 3, 2, 1)),
        ("search=nothing", []),
    ],
)
def test_the_address_filters_and_sorts(page, state, expected):
    page.evaluate("state => { history.replaceState(null, '', '#' + state); restore(); }", state)
    assert listed(page) == expected
    assert page.inner_text("#count") == f"{len(expected)} of {N} samples"


def test_a_sample_whose_reference_cannot_be_used_has_no_score(browser, tmp_path):
    run = write_run(tmp_path / "eval" / "charts" / "base", n=4, exec_rate=0.5)
    rows = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    rows[3] |= {"outcome": "excluded", "render": None, "message": "the reference cannot be used"}
    (run / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    summary = json.loads((run / "summary.json").read_text())
    summary["outcomes"] |= {"render_error": 1, "excluded": 1}
    (run / "summary.json").write_text(json.dumps(summary))
    write_browser(find_runs(tmp_path), tmp_path / "out")
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/out/charts.html#metric=judge&to-a=0")
    assert listed(page) == names(2)
    meanings = page.eval_on_selector_all(".meanings .badge", "badges => badges.map(badge => badge.classList[1])")
    assert tuple(meanings) == get_args(Outcome)
    black = "rects => rects.filter(r => getComputedStyle(r).fill === 'rgb(0, 0, 0)').length"
    assert page.eval_on_selector_all(".tally rect", black) == 0
    page.close()


def test_a_filter_changes_the_list_and_the_address(visit):
    page = visit("charts.html")
    page.select_option("#outcome-a", "render_error")
    assert listed(page) == names(*range(6, N)) and "outcome-a=render_error" in page.evaluate("location.hash")
    page.click("#reset")
    assert len(listed(page)) == N
    at(page, "#")


def test_two_policies_stand_beside_each_other_and_any_two_can_be_chosen(visit):
    page = visit("charts.html")
    shown = "() => [...document.querySelector('.card').querySelectorAll('figure[data-policy]:not([hidden])')].map(f => f.dataset.policy)"
    assert page.evaluate(shown) == ["base", "rrvf"]
    page.select_option("#a", "blank")
    page.select_option("#b", "base")
    assert page.evaluate(shown) == ["blank", "base"]
    page.click(".card a.open")
    boxes = [page.locator(f"#panels [data-policy={p}]").bounding_box() for p in ("blank", "base")]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]


def at(page, ending: str) -> None:
    """Wait until the page's address has this ending. `page.url` is a copy that Playwright updates later."""
    page.wait_for_function("ending => location.href.endsWith(ending)", arg=ending)


def opened(page, name: str) -> None:
    """Wait until the viewer shows a sample. A page learns its new address some time after the click."""
    page.wait_for_function("name => document.getElementById('viewer-title').textContent === name", arg=name)


def test_a_link_opens_its_sample_and_the_back_button_closes_it(visit):
    page = visit("charts.html#sample=s004&a=blank")
    assert page.inner_text("#viewer-title") == "s004"
    page.wait_for_selector("#panels [data-policy=blank] .stage img:not(.under)")
    assert page.inner_text("#panels [data-policy=blank] pre") == CODES[1]
    page = visit("charts.html")
    page.click("text=s002")
    opened(page, "s002")
    at(page, "#sample=s002")
    page.go_back()
    page.wait_for_selector("#viewer", state="hidden")


def test_a_link_to_no_sample_says_so(visit):
    assert "no sample is called s999" in visit("charts.html#sample=s999").inner_text("#count")


def test_keys_move_between_the_samples_that_fit(visit):
    page = visit("charts.html#outcome-a=render_error&outcome-b=scored")
    for key in ("j", "j", "k", "Enter"):
        page.keyboard.press(key)
    expected = names(6, 7, 8, 8, 7)
    opened(page, expected[0])
    titles = [page.inner_text("#viewer-title")]
    for key, name in zip(("ArrowRight", "j", "j", "k"), expected[1:], strict=True):
        page.keyboard.press(key)
        opened(page, name)
        titles.append(page.inner_text("#viewer-title"))
    assert titles == expected
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.activeElement.textContent === 's007'")
    assert not page.is_visible("#viewer")
    assert page.evaluate("document.activeElement.textContent") == "s007"


def test_a_key_typed_into_a_field_is_text(visit):
    page = visit("charts.html")
    page.keyboard.press("/")
    page.keyboard.type("j1t/")
    assert page.input_value("#search") == "j1t/" and page.locator("body").get_attribute("data-view") == "side"


SHOWN = """(sides) => sides.map(side => {
  const image = document.querySelector(`#panels [data-policy=base] .stage ${side}`);
  const style = getComputedStyle(image);
  return [image.complete && image.naturalWidth > 0 && style.display !== "none", style.clipPath, style.mixBlendMode];
})"""
SIDES = ["img.under", "img:not(.under)"]
LOADED = "() => [...document.querySelectorAll('#panels .stage img')].every(image => image.complete)"


def test_the_slider_shows_the_target_left_and_the_render_right(visit):
    page = visit("charts.html#sample=s003&b=")
    page.keyboard.press("2")
    page.wait_for_function(LOADED)
    target, render = page.evaluate(SHOWN, SIDES)
    assert target == [True, "inset(0px 50% 0px 0px)", "normal"] and render[:2] == [True, "inset(0px 0px 0px 50%)"]
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    assert page.evaluate(SHOWN, SIDES)[1][1] == "inset(0px 0px 0px 0%)"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#viewer-title") == "s003" and slider.input_value() == "1"


def test_the_difference_lays_the_render_over_the_target(visit):
    page = visit("charts.html#sample=s003&view=difference")
    page.wait_for_function(LOADED)
    (there, _, _), (_, _, blend) = page.evaluate(SHOWN, SIDES)
    assert there and blend == "difference"


def test_where_a_policy_has_no_picture_nothing_is_laid_over_the_target(visit):
    page = visit("charts.html#sample=s011&view=slider&b=")
    assert page.inner_text("#panels [data-policy=base] .stage") == "exception"
    assert page.get_by_role("slider").count() == 0


def test_a_tall_picture_is_not_cut(visit):
    page = visit("charts.html")
    figure = page.locator("[data-id=s001] [data-policy=base]")
    frame, small = (figure.locator(f".shot{inner}").bounding_box() for inner in ("", " img"))
    assert small["y"] >= frame["y"] and small["y"] + small["height"] <= frame["y"] + frame["height"]
    page.click("text=s001")
    opened(page, "s001")
    page.wait_for_function(LOADED)
    stage = "#panels [data-policy=base] .stage"
    frame, full = (page.locator(f"{stage}{inner}").bounding_box() for inner in ("", " img:not(.under)"))
    assert full["height"] <= frame["height"] and full["height"] == pytest.approx(full["width"] * 2_000 / 280, rel=0.05)


@pytest.mark.parametrize(
    "address", ["index.html", "charts.html", "charts.html#b=*", "charts.html#sample=s001&view=slider", "episodes.html"]
)
def test_a_phone_needs_no_sideways_scroll(visit, address):
    page = visit(address, viewport=PHONE)
    wide = "[...document.querySelectorAll('html, dialog')].every(box => box.scrollWidth <= box.clientWidth)"
    assert page.evaluate(wide)


def test_the_scores_of_all_policies_are_seen_on_a_phone_without_a_scroll(visit):
    page = visit("charts.html", viewport=PHONE)
    right = "heads => Math.max(...heads.map(head => head.getBoundingClientRect().right))"
    assert page.eval_on_selector_all(".tally thead .number", right) <= PHONE["width"]


@pytest.mark.parametrize("size", [PHONE, {"width": 1280, "height": 900}], ids=["phone", "desk"])
def test_the_theme_stays_beside_the_title_however_many_sets_there_are(visit, size):
    page = visit("charts.html", viewport=size)
    page.evaluate(
        "for (let i = 0; i < 30; i++) document.querySelector('nav').append(document.querySelector('nav a').cloneNode(true))"
    )
    title, theme, sets = (page.locator(name).bounding_box() for name in ("h1", "#theme", ".top nav"))
    assert theme["y"] < title["y"] + title["height"] and theme["y"] + theme["height"] <= sets["y"]


def test_the_theme_follows_the_system_until_the_reader_switches_it(visit):
    page = visit("charts.html", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.keyboard.press("t")
    light = page.evaluate(ground)
    page.reload()
    assert page.evaluate(ground) == light != dark
    page.click("#theme")
    assert page.evaluate(ground) == dark


@pytest.mark.parametrize("address", ["index.html", "charts.html#sample=s001", "episodes.html"])
def test_every_picture_and_control_has_a_name(visit, address):
    page = visit(address)
    unnamed = """() => [...document.querySelectorAll('img:not(.under), button, select, input, a')].filter(e =>
      !(e.alt || e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).map(e => e.outerHTML)"""
    assert page.evaluate(unnamed) == []


def test_an_episode_shows_every_turn_and_lays_it_over_the_target(visit):
    page = visit("episodes.html")
    first = page.locator("#episode-1")
    assert first.locator(".panel h3").all_inner_texts() == [
        "Target",
        "Turn 1: draft",
        "Turn 2: draft",
        "Turn 3: final answer",
    ]
    assert first.locator("img:not(.under)").count() == 4
    page.keyboard.press("3")
    assert first.locator(".under:visible").count() == 3
    page.keyboard.press("j")
    at(page, "#episode-1")
    page.keyboard.press("j")
    at(page, "#episode-2")


def a_photo(seed: int) -> bytes:
    """The worst case for a codec: a picture of coloured noise."""
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (150, 200, 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("at_most", [20_000, 5_000, 500])
def test_a_picture_takes_no_more_than_its_share(at_most):
    assert len(thumbnails.thumbnail(a_photo(0), at_most)) <= at_most


def test_all_pictures_of_a_page_share_one_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(thumbnails, "BUDGET", 10_000)
    sources = [tmp_path / f"{i}.png" for i in range(5)]
    for i, path in enumerate(sources):
        path.write_bytes(a_photo(i))
    (tmp_path / "pictures").mkdir()
    pictures = thumbnails.Thumbnails(tmp_path, [*sources, None, tmp_path / "missing.png"])
    sizes = [(tmp_path / pictures.address(path)).stat().st_size for path in sources]
    assert len(pictures.written) == 5 and sum(sizes) <= 10_000 and pictures.address(None) is None


def test_600_samples_leave_room_for_the_budget_of_pictures_in_30_mb(tmp_path):
    """A tenth of the samples, under four policies, with programs as long as ChartMimic's."""
    lines = 25 * "ax.bar([1.5, 2.5], y, color='tab:blue', label='Sales of 2024')  # the bars\n"
    for policy in ("reference", "blank", "base", "rrvf"):
        run = write_run(tmp_path / "eval" / "charts" / policy, n=60, exec_rate=1.0)
        rows = [json.loads(line) | {"code": lines} for line in (run / "records.jsonl").read_text().splitlines()]
        (run / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pages = write_browser(find_runs(tmp_path), tmp_path / "out")
    assert 10 * pages[1].stat().st_size + thumbnails.BUDGET < 30e6


def test_a_new_report_leaves_no_pictures_of_the_one_before(folder, tmp_path):
    run = write_run(tmp_path / "eval" / "charts" / "base", n=1, exec_rate=1.0)
    (run / "renders").mkdir()
    for color in ("red", "green"):
        (run / "renders" / "s000.png").write_bytes(a_png(color))
        write_browser(find_runs(tmp_path), tmp_path / "out")
    assert len(list((tmp_path / "out" / "pictures").iterdir())) == 1
