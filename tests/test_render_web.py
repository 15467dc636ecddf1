"""Pages as pictures: canvas, requests, checks, repeats, recovery, the browser's isolation, blocks of text."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from rrvf.domains import NANO_CANVAS, Canvas
from rrvf.records import Render
from rrvf.render import Limits, Renderer, web_styles
from rrvf.render import tailwind as tailwind_module
from rrvf.render.browser import Chromium
from rrvf.render.limits import Failure
from rrvf.render.tailwind import Tailwind, class_names
from rrvf.render.web import WebRenderer
from rrvf.render.web_checks import check_code, embedded
from rrvf.render.web_requests import placeholder
from rrvf.render.web_styles import is_served

PAGE = "<h1 style='color:navy'>Title</h1><p>text</p>"
SHEET = "*{margin:0}.p-4{padding:1rem}.bg-red{background:#f00}@media (min-width:100px){.md\\:h-1\\/2{height:50px}}"
LINK = "<link rel=stylesheet href='https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css'>"


@pytest.fixture(scope="module")
def renderer() -> Iterator[WebRenderer]:
    with WebRenderer(1, Limits(canvas=NANO_CANVAS, wall_s=60)) as renderer:
        yield renderer


@pytest.fixture(scope="module")
def full() -> Iterator[WebRenderer]:
    with WebRenderer(1, Limits(canvas=Canvas(300, 100, full_page=True), wall_s=60)) as renderer:
        yield renderer


def png(render: Render) -> bytes:
    assert render.ok, render.message
    return render.png


def pixels(render: Render) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png(render), np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def settle(renderer: WebRenderer) -> None:
    """Wait until the next page and its process have been created in advance."""

    async def ready() -> None:
        await asyncio.wait([renderer._all[0]._next])

    renderer._submit(ready()).result()


def test_the_canvas_is_the_pictures_size(renderer: WebRenderer) -> None:
    tall = renderer.render("<div style='height:3000px;width:900px;border:1px solid'>x</div>")
    assert (tall.width, tall.height) == (280, 224) == pixels(tall).shape[1::-1]


def test_a_full_page_is_as_tall_as_its_content(full: WebRenderer) -> None:
    assert full.render("<body style='margin:0'><div style='height:640px'>x</div>").height == 640


def test_without_a_canvas_the_page_is_1280_wide() -> None:
    with WebRenderer(1, Limits(wall_s=60)) as renderer:
        render = renderer.render(PAGE)
    assert (render.width, render.height) == (1280, 720)


def test_a_repeat_gives_the_same_bytes(renderer: WebRenderer) -> None:
    assert png(renderer.render(PAGE)) == png(renderer.render(PAGE))


@pytest.mark.parametrize("frame", ["<iframe src='{}'>", "<object data='{}'>", "<embed src='{}'>"])
def test_a_file_of_the_machine_is_not_shown(full: WebRenderer, frame: str) -> None:
    there, missing = (full.render(PAGE + frame.format(f"file:///etc/{name}")) for name in ("passwd", "passwe"))
    assert png(there) == png(missing)


def test_the_result_does_not_depend_on_the_number_of_workers(renderer: WebRenderer) -> None:
    codes = [f"<h1 style='color:hsl({40 * i} 90% 40%)'>{i}</h1>" for i in range(9)]
    with Renderer("web", 2, Limits(canvas=NANO_CANVAS, wall_s=120)) as two:
        assert [png(r) for r in two.render_many(codes)] == [png(renderer.render(code)) for code in codes]


def test_scripts_do_not_run_by_default(renderer: WebRenderer) -> None:
    plain = renderer.render("<p>text</p>")
    assert png(renderer.render("<p>text</p><script>document.body.append('more')</script>")) == png(plain)


def test_scripts_run_where_the_limits_allow_it_and_timers_are_run_forward() -> None:
    with WebRenderer(1, Limits(canvas=NANO_CANVAS, javascript=True, wall_s=60)) as renderer:
        now = renderer.render("<p>text<script>document.body.append('more')</script>")
        later = renderer.render("<p>text<script>setTimeout(() => document.body.append('more'), 2500)</script>")
        without = renderer.render("<p>text")
    assert png(now) == png(later) != png(without)


def test_it_renders_inside_a_running_event_loop(renderer: WebRenderer) -> None:
    async def inside() -> tuple[Render, Render]:
        return renderer.render(PAGE), await renderer.arender(PAGE)

    blocking, awaited = asyncio.run(inside())
    assert blocking.png == awaited.png is not None


def test_a_cancelled_render_frees_its_worker(renderer: WebRenderer) -> None:
    async def cancelled() -> None:
        task = asyncio.ensure_future(renderer.arender("<p>x" * 1000))
        while not renderer._idle.empty() and not task.done():  # until it holds the browser
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])

    for _ in range(3):
        asyncio.run(cancelled())
        assert renderer.render(PAGE).ok


def test_a_picture_becomes_a_placeholder_of_the_size_in_its_address(full: WebRenderer) -> None:
    page = pixels(full.render("<body style='margin:0'><img src='https://photos.invalid/random/120x60/?cat'>"))
    flat = (page == page[0, 0]).all(axis=-1)
    assert (flat.any(axis=1).sum(), flat.any(axis=0).sum()) == (60, 120)


def test_placeholders_of_two_addresses_differ_in_colour() -> None:
    assert placeholder("https://a.invalid/90x90/?cat") != placeholder("https://a.invalid/90x90/?dog")


@pytest.mark.parametrize(
    ("address", "size"),
    [
        ("https://source.unsplash.com/random/640x480/?food", (640, 480)),
        ("https://placekitten.com/g/200/300", (200, 300)),
        ("https://picsum.photos/id/237/200/300", (200, 300)),
        ("https://picsum.photos/seed/item1/400/300.jpg", (400, 300)),
        ("https://picsum.photos/seed/item1/400", (400, 400)),
        ("https://picsum.photos/seed/42/300", (300, 300)),
        ("https://picsum.photos/id/237/200", (200, 200)),
        ("https://loremflickr.com/320/240/dog", (320, 240)),
        ("https://a.invalid/2024/12.png", (300, 200)),
        ("https://via.placeholder.com/150/0000FF", (150, 150)),
        ("https://placehold.co/400.png", (400, 400)),
        ("https://placehold.co/400/333/fff", (400, 400)),
        ("https://dummyimage.com/600x400/999/fff", (600, 400)),
        ("https://picsum.photos/seed/200x300/640/480", (640, 480)),
        ("https://a.invalid/wp-content/uploads/2023/05/hero.jpg", (300, 200)),
        ("https://a.invalid/thumb/4/47/A.png/280px-A.png", (300, 200)),
        ("https://a.invalid/img/2024/1.png", (300, 200)),
        ("https://a.invalid/0x0.png", (300, 200)),
        ("http://page.invalid/docs/placeholder/9x8/icon-32x32", (9, 8)),
        ("https://a.invalid/5000x9000.png", (2000, 2000)),
    ],
)
def test_a_placeholder_has_the_size_that_its_address_names(address, size):
    assert 'width="{}" height="{}"'.format(*size) in placeholder(address)


def test_tailwind_is_served_from_memory(full: WebRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tailwind, "load", staticmethod(lambda: Tailwind(SHEET)))
    page = pixels(full.render(f"{LINK}<body class='bg-red'><b>x</b>"))
    assert page[-1, -1].tolist() == [255, 0, 0]


def test_each_page_gets_its_own_cut(full: WebRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tailwind, "load", staticmethod(lambda: Tailwind(SHEET)))
    full.render(f"{LINK}<b>x</b>")
    assert pixels(full.render(f"{LINK}<body class='bg-red'><b>x</b>"))[-1, -1].tolist() == [255, 0, 0]


def test_a_missing_tailwind_is_told(full: WebRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tailwind, "load", staticmethod(lambda: None))
    with pytest.warns(UserWarning, match="make assets"):
        full.render(f"{LINK}<b>x</b>")


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.jsdelivr.net/npm/bootstrap@5.3.0/dist/css/bootstrap.min.css",
        "https://cdn.jsdelivr.net/npm/bootstrap/dist/css/bootstrap.css",
        "https://maxcdn.bootstrapcdn.com/bootstrap/3.4.1/css/bootstrap.min.css",
        "//stackpath.bootstrapcdn.com/bootstrap/4.5.2/css/bootstrap.min.css?v=1",
        "https://cdnjs.cloudflare.com/ajax/libs/twitter-bootstrap/4.6.0/css/bootstrap-grid.min.css",
        "https://unpkg.com/bootstrap@4/dist/css/bootstrap.min.css",
        "https://cdn.jsdelivr.net/npm/tailwindcss@2/dist/tailwind.min.css",
    ],
)
def test_the_sheets_that_most_pages_link_to_are_known(url: str) -> None:
    assert is_served(url)


@pytest.mark.parametrize(
    "url", ["https://a.b/bootstrap/2.3.2/css/bootstrap.min.css", "http://page.invalid/css/bootstrap.min.css"]
)
def test_other_sheets_are_not(url: str) -> None:
    assert not is_served(url)


@pytest.mark.parametrize("digest", ["", " integrity='sha384-AAAA' crossorigin=anonymous", ' INTEGRITY = "sha384-AAAA"'])
def test_bootstrap_is_served_from_memory(
    full: WebRenderer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digest: str
) -> None:
    """Also to a page that names the digest of the uncut sheet, or of another version."""
    sheet = tmp_path / "bootstrap-5.3.8/package/dist/css/bootstrap.min.css"
    sheet.parent.mkdir(parents=True)
    sheet.write_text(".bg-danger{background:#f00}")
    monkeypatch.setattr(web_styles, "NPM", tmp_path)
    web_styles._bootstrap.cache_clear()
    sheet_at = "https://cdn.jsdelivr.net/npm/bootstrap@5.3.3/dist/css/bootstrap.min.css"
    link = f"<link rel=stylesheet{digest} href='{sheet_at}'>"
    render = full.render(f"{link}<body class='bg-danger'><b>x</b>")
    web_styles._bootstrap.cache_clear()
    assert pixels(render)[-1, -1].tolist() == [255, 0, 0] and render.message == ""


@pytest.mark.parametrize(
    "style",
    [
        "<script src='https://cdn.tailwindcss.com'></script>",
        "<script src='https://cdn.jsdelivr.net/npm/@tailwindcss/browser@4'></script>",
        "<link rel=stylesheet href='https://fonts.googleapis.com/css?family=X'>",
        "<link rel=stylesheet href='style.css'>",
        "<style>@import 'theme.css';</style>",
    ],
)
def test_a_style_that_was_refused_stands_in_the_record(full: WebRenderer, style: str) -> None:
    render = full.render(f"{style}<p>x")
    assert render.ok and re.search("without styles .*(tailwind|googleapis|style.css|theme.css)", render.message)
    assert full.render(PAGE).message == ""


def test_a_missing_background_is_not_painted_and_a_photo_is(full: WebRenderer) -> None:
    page = "<body style='margin:0'><p>x</p><div style='height:50px;background:{}'>"
    plain, missing, photo = (
        pixels(full.render(page.format(value)))
        for value in ("none", "url(logo.png)", "url(https://photos.invalid/90x90/)")
    )
    assert (plain == missing).all() and (plain != photo).any()


def test_the_stand_in_of_design2code_has_its_size() -> None:
    assert 'width="1920" height="1080"' in placeholder("http://page.invalid/rick.jpg")


def test_tailwind_is_cut_to_what_the_page_names() -> None:
    cut = Tailwind(SHEET).used_by("<p class='p-4 md:h-1/2'>")
    assert cut == "*{margin:0}.p-4{padding:1rem}@media (min-width:100px){.md\\:h-1\\/2{height:50px}}"


@pytest.mark.skipif(not tailwind_module.SHEET.is_file(), reason="needs `make assets`")
def test_the_cut_sheet_gives_the_same_picture(full: WebRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    page = f"""{LINK}<body class="bg-gray-100 md:p-4"><h1 class="text-2xl font-bold w-1/2 space-y-2 -mt-1">Fresh</h1>
    <button class="group rounded-full bg-blue-600 px-2.5 text-white shadow-lg focus:ring">Go</button>"""
    cut = full.render(page)
    monkeypatch.setattr(Tailwind, "used_by", lambda self, _: self.whole)
    assert png(full.render(page)) == png(cut)


def test_class_names_resolve_escapes() -> None:
    assert class_names(r".\32xl\:w-1\/2:hover>.group .p-0\.5") == {"2xl:w-1/2", "group", "p-0.5"}


def test_lone_surrogates_are_no_obstacle(renderer: WebRenderer) -> None:
    assert renderer.render("<p>\ud800 text").ok


@pytest.mark.parametrize(
    "code", ["<a href='data:,x'>", "<p style='background:url(data:,x)'>", "<style>a{b:url(\\64 ata:,x)}</style>"]
)
def test_embedded_data_is_seen_however_it_is_written(code: str) -> None:
    assert embedded(code)[0] == len("data:,x")


def test_words_about_data_are_not_embedded_data() -> None:
    assert embedded("<p>our data: all of it</p>") == (0, 0)


def test_a_small_data_picture_is_allowed(renderer: WebRenderer) -> None:
    svg = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'%3E%3Crect width='99' height='9'/%3E%3C/svg%3E"
    assert renderer.render(f'<img src="{svg}">').ok


def test_code_beyond_its_limit_is_refused() -> None:
    with pytest.raises(Failure) as failure:
        check_code("é" * 60, Limits(code_bytes=100))
    assert failure.value.reason == "limit"


def test_a_browser_that_dies_costs_no_render(renderer: WebRenderer) -> None:
    before = renderer.render(PAGE)
    renderer._all[0].kill()
    assert png(renderer.render(PAGE)) == png(before)


def test_a_browser_that_does_not_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    start, tries = Chromium._start, []

    async def failing_once(self: Chromium) -> None:
        tries.append(self)
        if len(tries) == 1:
            raise TimeoutError
        await start(self)

    monkeypatch.setattr(Chromium, "_start", failing_once)
    with WebRenderer(1, Limits(canvas=NANO_CANVAS, wall_s=60)) as renderer:
        assert renderer.render(PAGE).ok


@pytest.mark.alone
def test_a_page_that_hangs_ends_in_time_and_the_next_is_well() -> None:
    with WebRenderer(1, Limits(canvas=NANO_CANVAS, javascript=True, wall_s=5)) as renderer:
        good = renderer.render(PAGE)
        hung = renderer.render("<script>while (true) {}</script>")
        assert (hung.reason, hung.seconds < 60) == ("timeout", True)
        assert png(renderer.render(PAGE)) == png(good)


def test_the_browser_lives_without_a_network_and_inside_its_own_sandbox(renderer: WebRenderer) -> None:
    renderer.render(PAGE)
    settle(renderer)
    helpers = renderer._all[0]._process.children(recursive=True)
    drawing = next(p for p in helpers if "--type=renderer" in " ".join(p.cmdline()))
    assert os.stat(f"/proc/{drawing.pid}/ns/net").st_ino != os.stat("/proc/self/ns/net").st_ino
    status = Path(f"/proc/{drawing.pid}/status").read_text()
    assert re.search(r"Seccomp:\s+2", status)
    assert re.search(r"Uid:\s+(?!0\b)\d+", status)
    assert not any("--no-sandbox" in p.cmdline() for p in helpers)


def test_nothing_is_left_after_close(renderer: WebRenderer, full: WebRenderer) -> None:
    settle(renderer)
    settle(full)
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    closed = WebRenderer(1, Limits(canvas=NANO_CANVAS, wall_s=60))
    closed.render(PAGE)
    settle(closed)
    folders = list(closed._all[0]._folders)
    closed.close()
    assert {p.pid for p in psutil.Process().children(recursive=True)} <= before
    assert len(folders) == 2
    assert not any(os.path.exists(folder) for folder in folders)


def test_a_renderer_that_is_closed_in_the_midst_of_a_batch_ends_at_once() -> None:
    renderer = Renderer("web", 2, Limits(canvas=NANO_CANVAS, wall_s=60))
    made = renderer.render_each([f"<p>{number}" for number in range(40)])
    assert next(made).ok
    closing = threading.Thread(target=renderer.close, daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()
    assert renderer._engine.render(PAGE).message == "the renderer was closed"


def test_a_machine_without_chromium_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RRVF_CHROMIUM", "/nowhere/chromium")
    with WebRenderer(1) as renderer:
        record = renderer.render(PAGE)
    assert record.status == "harness_error" and "RRVF_CHROMIUM" in record.message


def test_blocks_have_text_place_and_colour(full: WebRenderer) -> None:
    page = """<body style='margin:0'><h1 style='position:absolute;left:150px;top:50px;margin:0;color:rgb(0,128,0);
    font:bold 40px Arial'>One <i>2</i></h1><script>no</script>"""
    (block,) = full.render(page, "blocks").items["blocks"]
    x, y, width, height = block["box"]
    assert block["text"] == "One 2"
    assert (0.5 <= x < 0.55, 0.5 <= y < 0.7, width > 0.3, 0.2 < height < 0.5) == (True,) * 4
    assert np.abs(np.array(block["color"]) - (0, 128, 0)).max() < 25


@pytest.mark.parametrize("style", ["position:absolute;left:-999px", "display:none", "visibility:hidden", "font-size:0"])
def test_text_that_shows_no_pixel_is_no_block(full: WebRenderer, style: str) -> None:
    blocks = full.render(f"<p style='font:bold 30px Arial'>seen</p><p style='{style}'>hidden</p>", "blocks").items[
        "blocks"
    ]
    assert [b["text"] for b in blocks] == ["seen"]


def test_tracing_changes_no_picture(full: WebRenderer) -> None:
    assert png(full.render(PAGE, "blocks")) == png(full.render(PAGE))


def test_a_page_without_text_has_no_blocks(full: WebRenderer) -> None:
    assert full.render("<div style='background:navy;height:50px'></div>", "blocks").items == {"blocks": []}
