"""The seeded generators of charts and pages."""

import ast
import hashlib
import html.parser

import pytest

from rrvf.data.generated import charts, long_pages, pages, wide_charts
from rrvf.data.seeded import PRETRAINED
from rrvf.nano.evaluate import kind_of, text_of, values_of

#: sha256 over the first 200 programs. A new digest means a new corpus, which needs a new VERSION.
DIGESTS = {
    charts: (3, "c032ce0da0ef68a1"),
    wide_charts: (1, "660271fd99f2bf92"),
    pages: (1, "11adc594df7331de"),
    long_pages: (1, "d0c850980871f71b"),
}


@pytest.mark.parametrize("generator", DIGESTS, ids=("charts", "wide", "pages", "long"))
def test_a_version_names_one_corpus(generator):
    text = "\0".join(generator.generate(seed) for seed in range(200))
    assert (generator.VERSION, hashlib.sha256(text.encode()).hexdigest()[:16]) == DIGESTS[generator]


def test_every_kind_of_chart_comes_up_about_as_often():
    kinds = [charts.spec(seed).kind for seed in range(1600)]
    assert all(60 <= kinds.count(kind) <= 140 for kind in charts.KINDS)


def test_wide_charts_have_more_categories_than_any_common_chart():
    wide = [wide_charts.spec(seed) for seed in range(300)]
    most = max(len(charts.spec(seed).categories) for seed in range(300))
    assert most < min(len(s.categories) for s in wide)
    assert all(len(s.values) == len(s.categories) * (s.rows if s.kind == "heatmap" else 1) for s in wide)


def test_long_pages_have_more_cells_than_a_common_page_with_such_a_body():
    for seed in range(300):
        spec = long_pages.spec(seed)
        assert len(spec.cells) > pages.CELLS[spec.body]
        assert all(pages.code(spec).count(f">{cell}<") or f"'{cell}'" in pages.code(spec) for cell in spec.cells)


@pytest.mark.parametrize("mixture", PRETRAINED.values(), ids=PRETRAINED)
def test_one_in_ten_pictures_of_the_pretraining_is_a_rare_one(mixture):
    seeds = range(2000)
    rare = [mixture.spec(s) == mixture.rare.spec(s) for s in seeds]
    assert all(r or mixture.spec(s) == mixture.common.spec(s) for s, r in zip(seeds, rare, strict=True))
    assert 0.07 < sum(rare) / len(rare) < 0.13


def test_chart_programs_are_python_and_say_what_their_spec_says():
    for seed in range(300):
        spec, code = charts.spec(seed), charts.generate(seed)
        ast.parse(code)
        assert kind_of(code) == spec.kind
        assert text_of(code, "title") == spec.title
        if spec.kind == "bar":
            assert values_of(code) == list(spec.values)


def test_pages_need_no_escape_in_json():
    assert not any('"' in pages.generate(seed) or "\\" in pages.generate(seed) for seed in range(300))


def test_pages_close_what_they_open():
    class Balance(html.parser.HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag not in ("body", "br", "input"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    for seed in range(200):
        balance = Balance()
        balance.feed(pages.generate(seed))
        assert not balance.open


def test_neighbouring_seeds_give_different_programs():
    for generator in DIGESTS:
        assert len({generator.generate(seed) for seed in range(500)}) == 500
