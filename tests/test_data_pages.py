"""Real pages become one file with the same look, and frameworks are reduced to the rules that a page uses."""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup
from data_stub import png, render_many

from rrvf.data import npm_pages
from rrvf.data.stylesheet import Page, used_rules
from rrvf.domains import Canvas
from rrvf.errors import UserError
from rrvf.render import Limits, render

PAGE = Page.of(BeautifulSoup("<html><body><ul id='menu' class='nav wide'><li>x</li></ul></body></html>", "html.parser"))
WORDS = " ".join(f"word{i}" for i in range(40))


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".nav{color:red}", ".nav{color:red}"),
        (".gone{color:red}", ""),
        ("ul.nav > li::before{color:red}", "ul.nav > li::before{color:red}"),
        (".nav .gone{color:red}", ""),
        (".gone,.wide{color:red}", ".wide{color:red}"),
        ("#menu{color:red}#gone{color:red}", "#menu{color:red}"),
        (":root{--c:red}*{margin:0}", ":root{--c:red}\n*{margin:0}"),
        (".nav:not(.gone){color:red}", ".nav:not(.gone){color:red}"),
        (".nav:hover{color:red}", ""),
        ("table{color:red}", ""),
        ("@media (min-width:9px){.nav{color:red}.gone{color:red}}", "@media (min-width:9px){\n.nav{color:red}\n}"),
        ("@media print{.nav{color:red}}", ""),
        ("@media (min-width:9px){.gone{color:red}}", ""),
        ("@font-face{font-family:x}@import 'y.css';@keyframes z{to{top:0}}", ""),
        (".nav::before{content:'\\f0e0'}", ""),
        ('.nav::before{content:"new"}', '.nav::before{content:"new"}'),
    ],
)
def test_a_rule_stays_when_its_names_stand_on_the_page(css, kept):
    assert used_rules(css, PAGE) == kept


@pytest.fixture
def package(tmp_path):
    root = tmp_path / "npm" / "site-1.0.0" / "package"
    (root / "pages").mkdir(parents=True)
    (root / "css").mkdir()
    (root / "package.json").write_text(json.dumps({"name": "site", "version": "1.0.0", "license": "MIT"}))
    (root / "css" / "site.css").write_text("body > p {color: rgb(200, 0, 0)} .unused {color: blue}")
    (root / "photo.png").write_bytes(png("photo"))
    return root


def page(package, name: str, body: str, head: str = '<link rel="stylesheet" href="../css/site.css?v=2">') -> str | None:
    path = package / "pages" / f"{name}.html"
    path.write_text(f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>")
    return npm_pages.one_file(path, package)


def test_a_local_stylesheet_is_put_in_unescaped_and_cut(package):
    code = page(package, "a", f"<p>{WORDS}</p>")
    assert "<style>body > p{color: rgb(200, 0, 0)}</style>" in code and "<link" not in code


def test_an_address_from_the_root_is_found_above_the_page(package):
    assert "rgb(200" in page(package, "a", f"<p>{WORDS}</p>", '<link rel="stylesheet" href="/css/site.css">')


def test_a_stylesheet_outside_the_package_is_not_read(package):
    (package.parent / "secret.css").write_text("p {color: green}")
    assert page(package, "a", f"<p>{WORDS}</p>", '<link rel="stylesheet" href="../../secret.css">') is None


def test_scripts_fonts_and_comments_are_dropped(package):
    head = (
        '<link rel="stylesheet" href="../css/site.css"><link href="https://fonts.test/css" rel="stylesheet">'
        "<script>alert(1)</script>"
    )
    code = page(package, "a", f"<!-- note --><p>{WORDS}</p><noscript>none</noscript>", head)
    assert not any(word in code for word in ("script", "fonts.test", "note"))


def test_a_picture_becomes_a_placeholder_of_its_size(package):
    code = page(package, "a", f'<p>{WORDS}</p><img src="../photo.png" srcset="x 2x"><img src="https://a.test/b.jpg">')
    assert 'src="placeholder/64x64/photo"' in code and 'src="placeholder/300x200/b"' in code and "srcset" not in code


@pytest.mark.parametrize(("body", "head"), [("<p>few words</p>", None), (f"<p>{WORDS}</p>", "<style>p{}</style>")])
def test_a_page_without_words_or_stylesheet_is_none(package, body, head):
    assert (page(package, "a", body) if head is None else page(package, "a", body, head)) is None


def test_items_say_package_version_file_and_licence(package, tmp_path):
    code = page(package, "a", f"<p>{WORDS}</p>")
    page(package, "same", f"<p>{WORDS}</p>")
    page(package, "short", "<p>few</p>")
    (item,) = npm_pages.items(None, 0, render_many, tmp_path)
    assert item.id in ("site-1.0.0/pages/a", "site-1.0.0/pages/same") and item.code == code
    assert item.licence == "MIT" and item.source.startswith("npm site@1.0.0, pages/")


def test_packages_take_turns(tmp_path):
    by_package = {tmp_path / "a": [tmp_path / "a" / str(i) for i in range(3)], tmp_path / "b": [tmp_path / "b" / "0"]}
    assert [package.name for package, _ in npm_pages.in_turn(by_package, 0)] == ["a", "b", "a", "a"]


def test_packages_that_were_not_downloaded_are_said(tmp_path):
    with pytest.raises(UserError, match="make assets"):
        npm_pages.pages(tmp_path)


def test_cutting_the_stylesheet_leaves_the_picture_alone(package):
    framework = """
    @media (max-width: 100px) { .card { display: none } }
    .card > .title, .gone { background: rgb(10, 90, 200); color: white; padding: 8px }
    .card:not(.gone) { border: 4px solid rgb(200, 40, 0) } .row .gone { display: none } #top { height: 30px }
    """
    (package / "css" / "site.css").write_text(framework)
    body = f"<div id='top'></div><div class='card'><div class='title'>{WORDS}</div></div>"
    whole = f"<!DOCTYPE html><html><head><style>{framework}</style></head><body>{body}</body></html>"
    limits = Limits(canvas=Canvas(width=320, height=240), wall_s=60)
    cut = page(package, "a", body)
    assert "gone {" not in cut.replace(":not(.gone)", "")
    assert render("web", cut, limits).png == render("web", whole, limits).png is not None
