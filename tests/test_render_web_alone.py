"""A page's picture depends only on its code, not on earlier pages or on the moment of the picture."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from hostile_suite import attacks
from page_marks import MARKS, WITNESSES
from PIL import Image
from playwright.async_api import Page

from rrvf.data.generated.pages import generate
from rrvf.domains import Canvas
from rrvf.render import Limits, web
from rrvf.render import browser as browser_module
from rrvf.render.browser import Blank, Chromium
from rrvf.render.limits import Failure
from rrvf.render.web import WebRenderer
from rrvf.render.web_still import still

LIMITS = Limits(canvas=Canvas(280, 224, full_page=True), wall_s=60)
SMALL = Limits(canvas=Canvas(96, 64, full_page=True), wall_s=60)


def moving(kind: str) -> str:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=40, loop=0)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


SMIL = "<rect width='40' height='90' fill='red'><animate attributeName='x' to='200' dur='1s' repeatCount='indefinite'/></rect>"
SPIN = "<style>@keyframes a{to{transform:translate(200px)}}rect{animation:a 1s infinite}</style><rect width='40' height='90'/>"
TURN = "<style>@keyframes a{to{margin-left:200px}}p{animation:a 1s linear infinite}</style><p>text"


def svg(inside: str) -> str:
    return f"<svg xmlns='http://www.w3.org/2000/svg' width='250' height='90'>{inside}</svg>"


KINDS = {
    "smil": svg(SMIL),
    "smil picture": f'<img src="data:image/svg+xml,{quote(svg(SMIL))}">',
    "css picture": f'<img src="data:image/svg+xml,{quote(svg(SPIN))}">',
    "css picture in base64": f"<img src=data:image/svg+xml;base64,{base64.b64encode(svg(SPIN).encode()).decode()}>",
    "css background": f'<p style="height:90px;background:url(data:image/svg+xml;utf8,{quote(svg(SPIN))})">text',
    "frame": f'<iframe srcdoc="{svg(SMIL)}<progress></progress><marquee>text</marquee>"></iframe>',
    "gif": f"<img src={moving('GIF')}>",
    "apng": f"<img src={moving('PNG')}>",
    "webp background": f"<p style='height:90px;background:url({moving('WEBP')})'>text",
    "css endless": TURN,
    "css once": TURN.replace("infinite", "forwards"),
    "css closed": f"<div><template shadowrootmode=closed>{TURN}</p><progress></progress></template></div>",
    "transition": "<style>p{transition:margin 1s;margin-left:99px}@starting-style{p{margin-left:0}}</style><p>text",
    "marquee": "<marquee scrollamount=20>text that runs</marquee>",
    "marquee up": "<marquee direction=up height=90>text that runs</marquee>",
    "progress": "<progress></progress>",
    "meter": "<meter value=.4></meter><progress value=.4></progress>",
    "video": "<video controls autoplay src='a.mp4'></video>",
    "sound": "<audio controls autoplay style='width:200px' src='data:audio/wav;base64,UklGRiQAAABXQVZFZm10'></audio>",
    "unseen": "<style>div{content-visibility:auto;contain-intrinsic-size:90px}</style>" + "<div>a<br>b</div>" * 30,
    "lazy": "<p style='height:2000px'>text</p><img loading=lazy src='a/90x90.png'>",
    "font": "<style>@font-face{font-family:f;src:url(f.woff2)}p{font:40px f,serif}</style><p>text",
    "caret": "<input autofocus value=text><textarea>text</textarea>",
    "smooth": "<style>html{scroll-behavior:smooth}</style><div style='height:3000px'>x</div><input autofocus>",
    "refresh": "<iframe srcdoc='<meta http-equiv=refresh content=0>text'></iframe>",
    "refresh elsewhere": "<iframe src='data:text/html,<meta http-equiv=refresh content=0>text'></iframe>",
}


@pytest.fixture(scope="module")
def renderer() -> Iterator[WebRenderer]:
    with WebRenderer(1, LIMITS) as renderer:
        yield renderer


def outcome(renderer: WebRenderer, code: str) -> bytes | str:
    render = renderer.render(code)
    assert render.status != "harness_error", render.message
    return render.png or render.reason


def hundred_pages() -> list[str]:
    hostile = [a.code for a in attacks("web") if not a.scripts and not a.may_time_out and len(a.code) < 2_000]
    pages = [*MARKS, *WITNESSES, *hostile]
    return [*pages, *(generate(n) for n in range(100 - len(pages)))]


def test_a_page_leaves_nothing_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """In any order a hundred pages are drawn as in contexts that saw no other, and the witnesses as in a fresh browser.

    One fresh browser serves for all witnesses: it never saw a mark, and gives each witness a context of its own.
    """
    pages, rng = hundred_pages(), random.Random(0)
    with WebRenderer(1, SMALL) as renderer:
        first, second = ({code: outcome(renderer, code) for code in rng.sample(pages, len(pages))} for _ in range(2))
        done = Chromium.done
        monkeypatch.setattr(Chromium, "done", lambda self, blank, reuse: done(self, blank, reuse=False))
        renderer.render("<p>x")
        alone = {code: outcome(renderer, code) for code in pages}
    with WebRenderer(1, SMALL) as fresh:
        alone |= {code: outcome(fresh, code) for code in WITNESSES}
    assert [code for code in pages if not first[code] == second[code] == alone[code]] == []


WAITS_S = [0, 0.03, 0.11, 0.25]


@pytest.mark.parametrize("kind", KINDS)
def test_the_moment_of_the_picture_does_not_show(
    renderer: WebRenderer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, waits = WebRenderer._screenshot, iter(WAITS_S)

    async def late(self: WebRenderer, blank: Blank) -> bytes:
        await asyncio.sleep(next(waits))
        return await take(self, blank)

    monkeypatch.setattr(WebRenderer, "_screenshot", late)
    renders = [renderer.render("<!doctype html>" + KINDS[kind]) for _ in WAITS_S]
    assert all(render.ok for render in renders)
    assert len({render.png for render in renders}) == 1


CLOCKS = {
    "interval": "<p>x<script>setInterval(() => document.body.append('x'), 100)</script>",
    "hands": "<p><script>setInterval(() => { document.querySelector('p').textContent = Date.now() }, 1)</script>",
    "frames": "<p>x<script>(function again() { requestAnimationFrame(again); document.body.append('x') })()</script>",
    "date": "<p><script>document.querySelector('p').textContent = new Date().toISOString()</script>",
    "age": "<p><script>onload = () => document.querySelector('p').append(performance.now())</script>",
}


@pytest.fixture(scope="module")
def scripts() -> Iterator[WebRenderer]:
    with WebRenderer(1, replace(LIMITS, javascript=True)) as renderer:
        yield renderer


@pytest.mark.parametrize("kind", CLOCKS)
def test_with_scripts_the_speed_of_the_machine_does_not_show(
    scripts: WebRenderer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_scripts = scripts.render("<p>x")
    load, take, waits = web._load, WebRenderer._screenshot, iter([0, 0.15, 0, 0.25])

    async def late_load(page: Page, code: str) -> None:
        await load(page, code)
        await asyncio.sleep(next(waits))

    async def late(self: WebRenderer, blank: Blank) -> bytes:
        await asyncio.sleep(next(waits))
        return await take(self, blank)

    monkeypatch.setattr(web, "_load", late_load)
    monkeypatch.setattr(WebRenderer, "_screenshot", late)
    first, second = (scripts.render(CLOCKS[kind]) for _ in range(2))
    assert first.ok
    assert first.png == second.png != without_scripts.png


def test_a_marquee_shows_its_text_and_a_moving_page_its_end(renderer: WebRenderer) -> None:
    still_text = renderer.render("<div>text</div>")
    assert renderer.render("<marquee>text</marquee>").png == still_text.png is not None
    end = TURN.replace("infinite", "forwards")
    assert renderer.render(end).png == renderer.render("<p style='margin-left:200px'>text").png is not None


@pytest.mark.parametrize("code", ["<p>data:image/svg+xml", f'<img src="data:image/svg+xml,{quote(svg(SMIL))}">', TURN])
def test_a_page_without_moving_svg_pictures_is_left_as_it_is(code: str) -> None:
    assert still(code) == code


def test_a_browser_that_draws_nothing_is_not_the_pages_fault(
    renderer: WebRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object) -> None:
        raise Failure("crash", "the browser is gone")

    with monkeypatch.context() as patched:
        patched.setattr(WebRenderer, "_watched", failing)
        record = renderer.render("<p>x")
    assert record.status == "harness_error" and "draws no page" in record.message
    assert renderer.render("<p>x").ok


def test_a_machine_that_gives_nothing_out_is_not_the_pages_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(self: Chromium) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Chromium, "_start", failing)
    with WebRenderer(1, LIMITS) as renderer:
        record = renderer.render("<p>x")
    assert record.status == "harness_error" and "Too many open files" in record.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's browser is another user")
def test_a_temporary_folder_of_roots_alone_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with WebRenderer(1, LIMITS) as renderer:
        assert renderer.render("<p>x").ok


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's browser is another user")
def test_a_chromium_in_a_folder_of_roots_alone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chromium").write_text("#!/bin/sh\n")
    (tmp_path / "chromium").chmod(0o755)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(browser_module, "find_chromium", lambda: str(tmp_path / "chromium"))
    with WebRenderer(1, LIMITS) as renderer:
        record = renderer.render("<p>x")
    assert record.status == "harness_error" and "cannot enter" in record.message
