"""SVG: what is drawn and at which size. A document can reach nothing outside itself."""

from __future__ import annotations

import contextlib
import io
import socket
import time
from collections.abc import Iterator

import pytest
from PIL import Image

from rrvf.domains import NANO_CANVAS
from rrvf.render import Limits, Renderer
from rrvf.render.limits import Failure
from rrvf.render.svg import SvgRenderer, fitted, parsed

BOX = '<rect width="20" height="20" fill="teal"/>'
#: A raster picture, to embed in every way that SVG allows.
DATA = "data:image/gif;base64,R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs="


def svg(inside: str, attributes: str = 'width="60" height="40"', before: str = "") -> str:
    return f'{before}<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{inside}</svg>'


@pytest.fixture(scope="module")
def renderer() -> Iterator[SvgRenderer]:
    with SvgRenderer(1, Limits(wall_s=120)) as renderer:
        yield renderer


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="60" height="40"', (60, 40)),
        ('width="60.4px" height="39.6px" viewBox="0 0 60 40"', (60, 40)),
        ('viewBox="-5,-5 64 32"', (64, 32)),
        ('width="100%" height="10mm" viewBox="0 0 64 32"', (64, 32)),
        ("", (300, 150)),
        ('viewBox="none"', (300, 150)),
        ('width="210mm" height="5cm"', (794, 189)),
        ('width=" 6e1 " height="30pt"', (60, 40)),
        ('width="80" viewBox="0 0 24 12"', (80, 40)),
        ('height="80" viewBox="0 0 24 12"', (160, 80)),
        ('width="80"', (80, 150)),
    ],
)
def test_without_a_canvas_a_drawing_has_its_own_size(renderer, attributes, size):
    render = renderer.render(svg(BOX, attributes))
    assert render.ok and (render.width, render.height) == size


def test_on_a_canvas_a_drawing_is_fitted_as_it_asks_to():
    with Renderer("svg", 1, Limits(canvas=NANO_CANVAS, wall_s=120)) as renderer:
        shapes = ('width="20" height="20"', 'viewBox="0 0 20 20"', 'viewBox="0 0 20 20" preserveAspectRatio="none"')
        pictures = [
            Image.open(io.BytesIO(renderer.render(svg(BOX + "<path d='M1 1h9' stroke='red'/>", s)).png)) for s in shapes
        ]
    teal, white = (0, 128, 128), (255, 255, 255)
    assert {p.size for p in pictures} == {(280, 224)}
    assert [p.convert("RGB").getpixel((5, 200)) for p in pictures] == [white, white, teal]
    assert [p.convert("RGB").getpixel((140, 200)) for p in pictures] == [teal] * 3


@pytest.mark.parametrize(
    "before",
    [
        '<?xml version="1.0" encoding="UTF-16" standalone="no"?>\n<!-- drawn by hand -->\n',
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">',
        '<?xml-stylesheet href="http://127.0.0.1/a.css"?>',
    ],
    ids=["declaration", "doctype", "instruction"],
)
def test_what_stands_before_the_drawing_changes_nothing(renderer, before):
    assert renderer.render(svg(BOX, before=before)).png == renderer.render(svg(BOX)).png is not None


@pytest.mark.parametrize(
    "more",
    [
        "<script>document.documentElement.innerHTML = ''</script>",
        "<set attributeName='viewBox' to='0 0 1 1' begin='1s'/>",
        "<style>@keyframes k { to { opacity: 0 } } rect { animation: k 1ms infinite }</style>",
        "<a><text y='-9'>data: url and more</text></a><title>@import url(x)</title>",
        "<foreignObject><iframe xmlns='http://www.w3.org/1999/xhtml' src='http://127.0.0.1/'/></foreignObject>",
        "<!-- <!DOCTYPE --><metadata><a:b xmlns:a='urn:a' c='url(#d)'/></metadata>",
    ],
    ids=["script", "set", "animation", "words", "frame", "metadata"],
)
def test_what_does_not_show_is_not_seen(renderer, more):
    assert renderer.render(svg(BOX + more)).png == renderer.render(svg(BOX)).png is not None


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1/a.png", "//host/a", "a.png", "file:///etc/passwd", DATA, "jAvascript:0"]
)
@pytest.mark.parametrize(
    "form",
    [
        "<image href='{}' width='9' height='9'/>",
        "<image xmlns:x='http://www.w3.org/1999/xlink' x:href=' {}' width='9' height='9'/>",
        "<use href='{}#a'/>",
        "<filter id='f'><feImage href='{}'/></filter>",
        "<rect style='fill:url({})' width='9' height='9'/>",
        "<rect fill='url( \"{}\" )' width='9' height='9'/>",
        "<style>rect {{ mask: u\\72l('{}') }}</style>",
        "<style><![CDATA[@font-face {{ font-family: a; src: url({}) }}]]></style>",
        "<style>rect {{ mask: image-set('{}' 1x) }}</style>",
        "<style>@import '{}';</style>",
        "<style>@\\69mport '{}';</style>",
        "<style>rect {{ mask: <g>x</g>url({}) }}</style>",
        "<style>@imp<title/>ort '{}';</style>",
    ],
)  # fmt: skip
def test_nothing_outside_the_document_is_asked_for(form, target):
    with pytest.raises(Failure, match="use shapes and text") as caught:
        parsed(svg(form.format(target)))
    assert caught.value.reason == "forbidden"


@pytest.mark.parametrize(
    "words",
    ["<rect aria-label='Data: sales' width='9' height='9'/>", "<g id='a,data:b' data-of='data:c'/>",
     "<a href='https://a.invalid/'><text y='9'>more</text></a>"],
)  # fmt: skip
def test_words_and_links_ask_for_nothing(words):
    assert parsed(svg(words)) is not None


@pytest.mark.parametrize("value", [DATA, f"#a;{DATA}", "da&#9;ta:image/gif,", "&#100;ata:,"])
def test_an_animation_brings_no_picture_in(value):
    with pytest.raises(Failure, match="embedded data"):
        parsed(svg(f"<image><animate attributeName='href' values='{value}' dur='1s'/></image>"))


@pytest.mark.parametrize(
    "table",
    ["<!ENTITY a 'b'>", "<!ENTITY a SYSTEM 'file:///etc/passwd'>", "<!ENTITY % a SYSTEM 'http://127.0.0.1/'> %a;",
     "<!ENTITY a 'aaaaaaaaaa'>" + "".join(f"<!ENTITY a{i} '&a{i - 1};&a{i - 1};&a{i - 1};'>" for i in range(1, 99))],
    ids=["plain", "file", "parameter", "bomb"],
)  # fmt: skip
def test_entities_are_refused(table):
    with pytest.raises(Failure, match="entities"):
        parsed(svg("<text>&a;</text>", before=f"<!DOCTYPE svg [{table}]>"))


@pytest.mark.parametrize(
    "code",
    ["I am sorry.", "", "\ud800", "<svg><rect/></svg>", "<html xmlns='http://www.w3.org/1999/xhtml'/>", svg("<text>a&nbsp;b</text>"), svg("<rect>"),
     svg("<text>&nbsp;</text>", before="<!DOCTYPE svg SYSTEM 'x.dtd'>"), svg("<g>" * 5000 + "</g>" * 5000)],
    ids=["prose", "empty", "half a pair", "no namespace", "other root", "unknown entity", "open", "unread table", "deep"],
)  # fmt: skip
def test_what_is_no_drawing_is_a_syntax_error(code):
    with pytest.raises(Failure) as caught:
        parsed(code)
    assert caught.value.reason == "syntax_error"


@pytest.mark.parametrize("piece", [" ", "url(", "url( ", ";", "; data", "\\", "'", "\\64 ", "#"])
def test_a_long_value_is_read_in_linear_time(piece):
    def seconds(count: int) -> float:
        started = time.process_time()
        for code in (svg(f"<style>{piece * count}</style>"), svg("", f'viewBox="{piece * count}"')):
            with contextlib.suppress(Failure):
                fitted(parsed(code), None)
        return time.process_time() - started

    assert seconds(32_000) < 200 * max(seconds(1_000), 0.002)  # quadratic would be 1,024 times


@pytest.mark.parametrize("size", ["1e9", "999999", "0", "1", "-5"])
def test_a_size_that_nobody_can_look_at_is_refused_or_not_believed(renderer, size):
    render = renderer.render(svg(BOX, f'width="{size}" height="{size}"'))
    assert render.reason == "limit" or (render.width, render.height) == (300, 150)


@pytest.mark.parametrize(
    "inside",
    [
        f"<path d='M-1e38-1e38L1e38 1e38' stroke-width='1e38' stroke='red'/>{BOX}",
        f"<g transform='scale(1e30) rotate(1e30)'>{BOX}</g>{BOX}",
        "<filter id='f' width='1e9' height='1e9'><feTurbulence numOctaves='1e9'/><feMorphology radius='1e9'/>"
        f"<feGaussianBlur stdDeviation='1e9'/></filter><rect width='9' height='9' filter='url(#f)'/>{BOX}",
        f"<pattern id='p' width='1e-9' height='1e-9'>{BOX}</pattern><rect width='9' height='9' fill='url(#p)'/>{BOX}",
        f"<g id='a'><use href='#a'/>{BOX}</g>",
        f"<path d='M0 0H60' stroke='red' stroke-dasharray='1e-30'/>{BOX}",
    ],
    ids=["coordinates", "transform", "filter", "pattern", "itself", "dashes"],
)
def test_drawings_that_are_too_much_end_in_time_and_harm_no_other(renderer, inside):
    render = renderer.render(svg(inside))
    assert render.status != "harness_error" and render.seconds < 60  # the slowest takes 3
    assert renderer.render(svg(BOX)).ok


def test_a_drawing_that_multiplies_is_ended_by_the_limits():
    uses = [f"<use href='#a{i}'/>" * 10 for i in range(11)]
    copies = "".join(f"<g id='a{i}'>{use}</g>" for i, use in enumerate(uses, 1))
    with SvgRenderer(1, Limits(wall_s=10, memory_mb=300)) as renderer:
        assert renderer.render(svg(f"<g id='a0'>{BOX}</g>{copies}")).reason in ("memory", "timeout")
        assert renderer.render(svg(BOX)).ok


def test_no_drawing_reaches_the_machine(renderer, monkeypatch):
    """Even without all our checks, Chromium's own rule for pictures loads nothing."""
    monkeypatch.setattr("rrvf.render.svg._OUTSIDE", "(?!)")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/a.png"
        style = (
            f"<style>@import '{address}'; rect {{ mask: url({address}) }} circle {{ fill: url({address}#a) }}</style>"
        )
        renderer.render(svg(f"{style}{BOX}<circle r='5'/>"))
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_shapes_are_no_pasted_data_and_tiles_are(renderer):
    path = "".join(f"L{i * 7919 % 97} {i * 104729 % 89}" for i in range(400))
    assert renderer.render(svg(f"<path d='M0 0{path}'/>")).pasted_share == 0
    tiles = "".join(f"<rect x='{i % 60}' y='{i // 60}' width='1' height='1' fill='#{i * 7919**3 % 0xFFFFFF:06x}'/>\n" for i in range(1200))  # fmt: skip
    assert renderer.render(svg(tiles)).pasted_share > 0.25
