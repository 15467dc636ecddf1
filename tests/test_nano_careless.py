"""The nano policy's careless programs, and the edits that it learns after feedback."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

from rrvf.data.generated import charts, pages
from rrvf.data.seeded import PRETRAINED
from rrvf.domains import CHART, WEB
from rrvf.judge.embedded.feedback import NOTHING
from rrvf.nano import careless, edits
from rrvf.nano.careless import Parts, written

#: What asks for no part of a program.
RAN = "---Comments:\n-**Text**- the y tick text differs."


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
    assert edits.edited(CHART, spec, draft, RAN).code == draft


@pytest.mark.parametrize(
    ("words", "part", "called"),
    [("-**Text**- the title is missing.", "title", "title"), ("-**Text**- the y label differs.", "ylabel", "y label"),
     ("-**Layout**- the legend is missing.", "legend", "legend"),
     ("-**Colour**- marks should be gold.", "colour", "colours"),
     ("-**Layout**- the grid is missing.", "grid", "grid")],
)  # fmt: skip
def test_an_edit_adds_what_is_asked_for_and_nothing_else(words, part, called):
    spec, bare = spec_of("grouped", style="ax"), Parts(*[False] * 10)
    draft = written(CHART, spec, bare)
    wanted = written(CHART, spec, replace(bare, **{part: True}))
    assert edits.edited(CHART, spec, draft, f"---Comments:\n{words}") == edits.Edit(wanted, f"edit; {called}.")


@pytest.mark.parametrize(
    "words", ["---Comments:\n-**Data**- marks are too high at left.", RAN, "---Error: exception: x"]
)
def test_an_edit_keeps_the_draft_s_values(words):
    spec = spec_of("bar", style="plt")
    draft = written(CHART, replace(spec, values=tuple(v + 1 for v in spec.values)), Parts())
    assert edits.edited(CHART, spec, draft, words).code == draft


def test_an_edit_keeps_the_draft_s_names_and_colours():
    spec = spec_of("multiline", style="ax")
    draft = written(CHART, replace(spec, names=("One", "Two"), colour="gold", second_colour="teal"), Parts(title=False))
    edit = edits.edited(CHART, spec, draft, "---Comments:\n-**Text**- the title is missing.")
    assert {"label='One'", "label='Two'", "color='gold'", "color='teal'"} <= set(
        re.findall(r"(?:label|color)='[^']*'", edit.code)
    )


@pytest.mark.parametrize("kind", ["bar", "multiline", "heatmap"])
def test_a_list_of_the_wrong_length_is_read_again(kind):
    spec = spec_of(kind, style="plt")
    draft = re.sub(r", [^,]*\]$", "]", charts.code(spec), count=1, flags=re.MULTILINE)
    assert edits.edited(CHART, spec, draft, "---Error: exception: shape mismatch") == edits.Edit(
        charts.code(spec), None
    )


def test_a_histogram_s_values_cannot_be_counted_and_are_kept():
    spec = spec_of("hist", style="plt")
    draft = written(CHART, replace(spec, values=spec.values[:-2]), Parts())
    assert edits.edited(CHART, spec, draft, RAN).code == draft


def test_a_chart_of_the_wrong_kind_is_begun_anew():
    spec = spec_of("bar", style="plt")
    draft = charts.code(replace(spec, kind="line"))
    assert edits.edited(CHART, spec, draft, RAN) == edits.Edit(charts.code(spec), None)


def test_a_failed_draft_is_repaired_and_otherwise_left_as_it_was():
    spec = spec_of("stem", style="ax")
    short = written(CHART, spec, Parts(title=False))
    failed = short.replace(".stem(", ".stems(")
    assert edits.edited(CHART, spec, failed, "---Error: exception: no attribute 'stems'").code == short


@pytest.mark.parametrize("body", pages.CELLS)
@pytest.mark.parametrize("parts", [Parts(), Parts(header=False), Parts(colour=False), Parts(cells=False, footer=False)])
def test_an_edit_leaves_a_page_alone_that_nobody_complains_of(body, parts):
    spec = next(s for s in map(PRETRAINED["web"].spec, range(100)) if s.footer and s.header and s.body == body)
    draft = written(WEB, spec, parts)
    assert edits.edited(WEB, spec, draft, RAN).code == draft
    assert edits.edited(WEB, spec, draft, NOTHING).code == draft


@pytest.mark.parametrize("body", pages.CELLS)
def test_a_page_s_edit_keeps_the_draft_s_own_texts(body):
    spec, other = (
        [s for s in map(PRETRAINED["web"].spec, range(300)) if s.footer and s.header and s.body == body][i]
        for i in (0, 1)
    )
    draft = written(WEB, replace(other, centred=spec.centred), Parts(title=False))
    edit = edits.edited(WEB, spec, draft, "---Comments:\n-**Text**- text at middle is missing.")
    assert other.brand in edit.code and other.footer in edit.code and f">{spec.title}<" in edit.code


def test_a_page_s_edit_brings_back_what_is_missing():
    spec = next(s for s in map(PRETRAINED["web"].spec, range(100)) if s.footer and s.header)
    draft = written(WEB, spec, Parts(footer=False))
    edit = edits.edited(WEB, spec, draft, "---Comments:\n-**Text**- text at bottom is missing.")
    assert edit == edits.Edit(written(WEB, spec, Parts()), "edit; footer, text.")
