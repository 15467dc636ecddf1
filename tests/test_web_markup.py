"""Checks of pages before the browser: linear time for any repetition, HTML or not, pasted pictures, encodings."""

from __future__ import annotations

import codecs
import contextlib
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from rrvf.benchmarks.blocks import block_scores
from rrvf.render.files import render_file
from rrvf.render.limits import Failure, Limits
from rrvf.render.pasted import page_share
from rrvf.render.tailwind import Tailwind
from rrvf.render.web_checks import check_code, embedded, room_for
from rrvf.render.web_encoding import decode_page
from rrvf.render.web_markup import is_html
from rrvf.render.web_still import still

TOKENS = """<a " | <a | <a  | <a> | <a><div> | <b> | <b><p> | <div> | <p> | <table> | <table><td> | <svg | <svg> | <svg><a> |
<svg><style> | <math> | <template> | <select> | <form> | <frameset> | <button> | <style> | <style>a{ | <script> | <textarea> |
<title> | <noscript> | <![ | <![ endif ] | <![CDATA[ | <!-- | <!--> | --> | <!DOCTYPE | <? | </ | </p> | </br> | <x> | <x></x> |
<think> | </think> | &# | &#x | &amp | &notit; | { | }{ | /* | */ | url( | ( | (( | url(" | :( | : | :; | :; | data: | data:, |
" | ' | "' | \\ | \\41 | \\" | a=" | a=' | = | x | é | \t | \n | <meta | <meta charset= | <p style=" | <p style='a:url(' |
<link rel=stylesheet href=//x/bootstrap@5/css/ | <img src= | <script src=tailwind  | data:image/svg+xml |
"data:image/svg+xml, | data:image/svg+xml,animation/* | data:image/svg+xml,animation/**/ | shadowrootmode=""".split(
    " | "
)
TOKENS = [token.strip("\n") for token in TOKENS if token.strip("\n")] + [
    "\0",
    "\ufeff",
    "\u2028",
    "\U0001f600",
    "\udce9",
    " ",
]
ROOMY = Limits(code_bytes=2**40, packed_bytes=2**40, literal_bytes=2**40, drawing_bytes=2**40)


PICTURE = cv2.imencode(".png", np.zeros((20, 20, 3), np.uint8))[1].tobytes()


def checked(code: str) -> float:
    """Seconds of all work on a page's text outside the browser."""
    started = time.process_time()
    with contextlib.suppress(Failure):
        check_code(code, ROOMY)
    room_for(code, ROOMY)
    decode_page(code.encode("utf-8", "replace"))
    Tailwind(".a{b:c}").used_by(code)
    clean = code.encode(errors="replace").decode()
    still(clean)
    page_share(clean, PICTURE)
    return time.process_time() - started


@pytest.mark.parametrize("before", ["", "<style>", "<svg>"])
@pytest.mark.parametrize("token", TOKENS)
def test_any_repeated_token_is_read_in_linear_time(token: str, before: str) -> None:
    # Seconds of CPU: a busy machine takes 1, a parser that is quadratic in the depth 5 and more.
    assert checked(before + token * (200_000 // len(token))) < 3


def test_long_texts_are_compared_in_bounded_time() -> None:
    long, short = ({"text": text, "box": [0, 0, 1, 1], "color": [0, 0, 0]} for text in ("ab c" * 50_000, "ab c " * 4))
    started = time.process_time()
    block_scores([short | {"box": [0, i, 1, 1]} for i in range(50)], [long])
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    "code",
    [
        "<p>x",
        "<!DOCTYPE html><html><body>words</body></html>",
        "<html>words",
        "<body style='background:navy'>",
        "words <b>bold</b> words",
        "<think>red bars</think><p>x</p>",
        "<my-card>a</my-card><p>b</p>",
        "<!-- a comment -->\n<div>x</div>",
        "<svg width=9 height=9><rect width=9 height=9 /></svg>",
        "<img src=a.png>",
        "<![ endif ]><h1>x</h1>",
        "\ufeff<!doctype html><title>t</title>x",
        f"<!--{'licence ' * 99}--><html><body>{'words ' * 99}",
    ],
)
def test_html_is_a_document_or_a_fragment(code: str) -> None:
    assert is_html(code)


PROGRAM = "import matplotlib.pyplot as plt\n" + "plt.plot([1, 2], [3, 4])\n" * 12


@pytest.mark.parametrize(
    "code",
    [
        "",
        "words",
        "1 < 2 and 3 > 2",
        PROGRAM,
        f"<think>bars</think>\n{PROGRAM}",
        f"<think>a page with <h1> and <div></think>\n{PROGRAM}",
        f"<think>never closed <p>\n{PROGRAM}",
        f"{PROGRAM}plt.title('<b>bold</b>')",
        f"{PROGRAM}page = '<html><body>'",
        '{"html": 1}',
        "<answer>42</answer>",
        "<?xml version='1.0'?><record><row>1</row></record>",
        "<!-- a comment -->",
        "<!DOCTYPE html>",
    ],
)
def test_what_is_no_html_is_the_policys_fault(code: str) -> None:
    assert not is_html(code)
    with pytest.raises(Failure) as failure:
        check_code(code, Limits())
    assert failure.value.reason == "syntax_error"


DATA = "data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    "code",
    [
        "<img src='{}'>",
        "<!--><img src='{}'>",
        "<!-- --!><img src='{}'>",
        "<![CDATA[><img src='{}'>",
        "<noscript><img src='{}'></noscript>",
        "<template><img src='{}'></template>",
        "<svg><textarea><img src='{}'></textarea>",
        "<svg><title><img src={}></title></svg>",
        "<math><style><img src={}></style></math>",
        "<iframe srcdoc='<img src={}>'></iframe>",
        "<style>a{{b:url({})}}</style>",
        "<style>@import '{}'</style>",
    ],
)
def test_pasted_data_is_seen_wherever_browsers_see_it(code: str) -> None:
    assert embedded(code.format(DATA))[0] >= len(DATA)


@pytest.mark.parametrize("code", [f"<!-- <img src='{DATA}'> -->", "<p>our data: all of it"])
def test_what_browsers_do_not_load_is_not_counted(code: str) -> None:
    assert embedded(code)[0] == 0


CHINESE, JAPANESE, RUSSIAN, LATIN = "你好，世界", "①こんにちは～", "Привет", "Café “naïve” €5"
ENCODED = {
    "gb2312": ("gbk", "<meta charset=gb2312>", CHINESE),
    "gbk": ("gb18030", '<meta charset="GBK">', CHINESE + "€㐀"),
    "shift_jis": ("cp932", "<meta charset='Shift_JIS'>", JAPANESE),
    "euc-kr": ("cp949", "<meta charset=euc-kr>", "똠방"),
    "latin-1": ("cp1252", "<meta charset=iso-8859-1>", LATIN),
    "equiv": ("cp1251", '<META content="text/html; charset=windows-1251" HTTP-EQUIV=content-type>', RUSSIAN),
    "comment": ("cp1251", "<!-- <meta charset=gbk> --><meta charset=windows-1251>", RUSSIAN),
    "script": ("cp1251", "<script>'<meta charset=gbk>'</script><meta charset=windows-1251>", RUSSIAN),
    "unknown": ("cp1251", "<meta charset=klingon><meta charset=windows-1251>", RUSSIAN),
    "far": ("cp1251", f"<style>{'a{b:c}' * 400}</style><meta charset=windows-1251>", RUSSIAN),
    "not really 16": ("utf-8", "<meta charset=utf-16>", CHINESE),
    "nothing said": ("utf-8", "", CHINESE),
    "nothing said, latin": ("cp1252", "", LATIN),
}


@pytest.mark.parametrize("name", ENCODED)
def test_a_page_is_decoded_as_it_says(name: str) -> None:
    encoding, meta, text = ENCODED[name]
    page = f"<!DOCTYPE html><head>{meta}</head><p>{text}"
    assert decode_page(page.encode(encoding)) == page


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_a_byte_order_mark_wins_and_goes(mark: bytes, encoding: str) -> None:
    page = f"<!DOCTYPE html><meta charset=gbk><p>{CHINESE}"
    assert decode_page(mark + page.encode(encoding)) == page


def test_the_mark_and_the_encoding_change_no_picture(tmp_path: Path) -> None:
    page = f"<!DOCTYPE html><meta charset=gbk><p>{CHINESE}"
    files = {"plain": page.encode("gbk"), "marked": codecs.BOM_UTF8 + page.encode(), "wide": page.encode("utf-16")}
    for name, data in files.items():
        (tmp_path / f"{name}.html").write_bytes(data)
        assert render_file("web", tmp_path / f"{name}.html", tmp_path / f"{name}.png").ok
    assert len({(tmp_path / f"{name}.png").read_bytes() for name in files}) == 1
