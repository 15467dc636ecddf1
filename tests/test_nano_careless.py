"""The nano policy's careless programs, and the edits that it learns after feedback."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from rrvf.data.generated import charts
from rrvf.data.seeded import PRETRAINED
from rrvf.domains import CHART, WEB
from rrvf.nano import careless, edits
from rrvf.nano.careless import Parts, written

RAN = "---Comments:\n-**All**- no difference found."


def spec_of(kind: str, **change) -> charts.Spec:
    seed = next(s for s in range(1000) if charts.spec(s).kind == kind)
    whole = {"title": "Sales", "xlabel": "Year", "ylabel": "Units", "grid": True}
    return replace(charts.spec(seed), **(whole | change))


@pytest.mark.parametrize("kind", charts.KINDS)
def test_every_subset_of_a_chart_s_parts_runs(kind, nano_charts):
    rng = random.Random(kind)
    codes = [written(CHART, spec_of(kind, style=style), Parts.drawn(rng)) for style in ("ax", "set", "plt")]
    assert [r.message for r in nano_charts.render_many(codes) if not r.ok] == []


@pytest.mark.parametrize("kind", careless.MISREMEMBERED)
def test_a_misremembered_call_fails(kind, nano_charts):
    right, wrong = careless.MISREMEMBERED[kind]
    code = written(CHART, spec_of(kind, errors=(1,) * len(spec_of(kind).values)), Parts())
    assert nano_charts.render(code).ok and nano_charts.render(code.replace(right, wrong)).reason == "exception"


@pytest.mark.parametrize("mistake", careless._BREAKS)
def test_a_broken_program_fails(mistake, nano_charts):
    assert not nano_charts.render(mistake(written(CHART, spec_of("bar"), Parts()))).ok


def test_a_long_list_loses_its_last_value_and_a_short_one_does_not(nano_charts, monkeypatch):
    monkeypatch.setattr(careless, "CUT", 1.0)
    monkeypatch.setattr(careless, "BROKEN", 0.0)
    long, short = "x = [1, 2, 3, 4, 5, 6, 7, 8]\ny = [1, 2, 3, 4, 5, 6, 7, 8]", "x = [1, 2]\ny = [3, 4]"
    assert careless._mistaken(long, "bar", random.Random(0)) == long[: -len(", 8]")] + "]"
    assert careless._mistaken(short, "bar", random.Random(0)) == short


@pytest.mark.parametrize(("domain", "seed"), [(CHART, 0), (WEB, 0)])
def test_what_is_careless_depends_on_the_seed_alone(domain, seed):
    spec = PRETRAINED[domain.name].spec(seed)
    one, two = (careless.careless(domain, spec, random.Random(7)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("style", ["ax", "set", "plt"])
@pytest.mark.parametrize("kind", charts.KINDS)
def test_an_edit_leaves_a_draft_alone_that_nobody_complains_of(kind, style):
    spec = spec_of(kind, style=style)
    draft = written(CHART, spec, Parts(xlabel=False, legend=False))
    assert edits.edited(CHART, spec, draft, RAN) == draft


@pytest.mark.parametrize(
    ("words", "part"),
    [("-**Text**- the title is missing.", "title"), ("-**Text**- the y label differs.", "ylabel"),
     ("-**Layout**- the legend is missing.", "legend"), ("-**Colour**- marks should be gold.", "colour"),
     ("-**Layout**- the grid is missing.", "grid")],
)  # fmt: skip
def test_an_edit_adds_what_is_asked_for_and_nothing_else(words, part):
    spec, bare = spec_of("grouped", style="ax"), Parts(*[False] * 10)
    draft = written(CHART, spec, bare)
    assert edits.edited(CHART, spec, draft, f"---Comments:\n{words}") == written(
        CHART, spec, replace(bare, **{part: True})
    )


def test_a_draft_s_own_values_are_kept_until_the_judge_complains():
    spec = spec_of("bar", style="plt")
    draft = written(CHART, replace(spec, values=tuple(v + 1 for v in spec.values)), Parts())
    assert edits.edited(CHART, spec, draft, RAN) == draft
    assert edits.edited(CHART, spec, draft, "---Comments:\n-**Data**- marks are too high at left.") == charts.code(spec)


def test_a_failed_draft_is_repaired_and_otherwise_left_as_it_was():
    spec = spec_of("stem", style="ax")
    short = written(CHART, spec, Parts(title=False))
    failed = short.replace(".stem(", ".stems(")
    assert edits.edited(CHART, spec, failed, "---Error: exception: no attribute 'stems'") == short


def test_a_page_s_edit_brings_back_what_is_missing():
    spec = next(s for s in map(PRETRAINED["web"].spec, range(100)) if s.footer and s.header)
    draft = written(WEB, spec, Parts(footer=False))
    assert edits.edited(WEB, spec, draft, "---Comments:\n-**Text**- text at bottom is missing.") == written(
        WEB, spec, Parts()
    )
