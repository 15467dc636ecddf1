"""Generated splits share no program, and finished splits are not built again."""

from __future__ import annotations

import pytest
from data_stub import StubRenderer, png, render_many, table

from rrvf.data import DataConfig, load_split, near_duplicates, overlaps, prepare, seeded, split_digest, verify
from rrvf.data.generated import charts
from rrvf.errors import UserError
from rrvf.profile import load_profile
from rrvf.records import Render

SMALL = {
    "charts_train": {"kind": "generated_charts", "count": 40, "seed": 1_000_000, "pretraining": 100},
    "charts_test": {"kind": "generated_charts", "count": 20, "seed": 2_000_000, "pretraining": 100},
    "pages_test": {"kind": "generated_pages", "count": 8, "seed": 2_000_000, "pretraining": 100},
}


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    monkeypatch.setattr("rrvf.data.build.Renderer", StubRenderer)
    monkeypatch.setattr(StubRenderer, "rendered", [])


def test_sizes_and_seeds_are_the_profile_s(tmp_path):
    assert prepare(SMALL, tmp_path, progress=False) == {"charts_train": 40, "charts_test": 20, "pages_test": 8}
    assert load_split("charts_test", tmp_path)[0].id == "chart-2000000"


def test_no_program_stands_in_two_splits_though_the_seeds_overlap():
    overlapping = SMALL | {"charts_test": SMALL["charts_test"] | {"seed": 1_000_030}}
    chosen = seeded.programs(DataConfig.read(overlapping))
    train, test = ({code for _, code in chosen[name]} for name in ("charts_train", "charts_test"))
    assert len(train) == 40 and len(test) == 20 and not train & test


def test_no_program_stands_in_two_splits_of_the_shipped_profile():
    recipes = {n: r for n, r in load_profile("nano").data.items() if r["kind"].startswith("generated")}
    chosen = seeded.programs(DataConfig.read({n: r | {"pretraining": 1} for n, r in recipes.items()}))
    programs = [code for split in chosen.values() for _, code in split]
    assert len(chosen) == 6 and len(set(programs)) == len(programs) == 1680


def test_no_program_of_the_pretraining_is_chosen(monkeypatch):
    monkeypatch.setattr(charts, "generate", lambda seed: str(seed % 190))
    chosen = seeded.programs(DataConfig.read({"t": SMALL["charts_train"]}))["t"]
    assert {int(code) for _, code in chosen} == set(range(100, 140))


def test_a_second_prepare_renders_nothing(tmp_path):
    prepare(SMALL, tmp_path, progress=False)
    digest, StubRenderer.rendered[:] = split_digest("charts_train", tmp_path), []
    prepare(SMALL, tmp_path, progress=False)
    assert StubRenderer.rendered == [] and split_digest("charts_train", tmp_path) == digest


def test_a_killed_prepare_keeps_finished_splits_and_goes_on(tmp_path, monkeypatch):
    def dies(self, codes):
        if codes[0].startswith("<"):
            raise KeyboardInterrupt
        return render_many(codes)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(StubRenderer, "render_many", dies)
        prepare(SMALL, tmp_path, progress=False)
    with pytest.raises(UserError, match="no split pages_test"):
        verify(SMALL, tmp_path)
    prepare(SMALL, tmp_path, progress=False)
    assert len(StubRenderer.rendered) == 8


def test_other_settings_build_a_split_anew(tmp_path):
    prepare(SMALL, tmp_path, progress=False)
    larger = SMALL | {"charts_test": SMALL["charts_test"] | {"count": 21}}
    with pytest.raises(UserError, match="another recipe"):
        verify(larger, tmp_path)
    assert prepare(larger, tmp_path, progress=False)["charts_test"] == 21


def test_a_generated_program_that_does_not_render_stops_the_build():
    failed = Render(status="render_error", reason="timeout")
    with pytest.raises(UserError, match="chart 7 did not render"):
        list(seeded.items(DataConfig.read({"t": SMALL["charts_train"]}).root["t"], [(7, "x")], lambda codes: [failed]))


def test_near_duplicates_finds_the_same_code_and_the_same_picture(tmp_path):
    prepare(SMALL, tmp_path, progress=False)
    train, test = load_split("charts_train", tmp_path), load_split("charts_test", tmp_path)
    assert not [d for d in near_duplicates(train, test, 0, tmp_path) if d.same_code]
    found = near_duplicates(train, [test[0], train[3]], 0, tmp_path)
    assert (train[3].id, train[3].id, 0, True) in found
    same_code = train[5].model_copy(update={"id": "copy", "phash": f"{int(train[5].phash, 16) ^ (2**64 - 1):016x}"})
    assert [tuple(d) for d in near_duplicates([train[5]], [same_code], 0, tmp_path)] == [
        (train[5].id, "copy", 64, True)
    ]


def test_overlaps_are_looked_for_between_splits_of_one_domain(tmp_path):
    prepare(SMALL, tmp_path, progress=False)
    found = overlaps(DataConfig.read(SMALL), tmp_path)
    assert found.keys() == {("charts_train", "charts_test")}
    shared = tmp_path / "charts_test" / load_split("charts_test", tmp_path)[0].code
    shared.write_text((tmp_path / "charts_train" / load_split("charts_train", tmp_path)[7].code).read_text())
    (both,) = overlaps(DataConfig.read(SMALL), tmp_path)["charts_train", "charts_test"]
    assert (both.first, both.second, both.same_code) == ("chart-1000007", "chart-2000000", True)


def test_fewer_than_asked_for_or_than_the_paper_has_stop_the_build(tmp_path):
    rows = [{"image": {"bytes": png("p"), "path": "p.png"}, "url": "matplotlib", "code": "c", "instruction": ""}]
    source = str(table(tmp_path / "test.parquet", rows))
    for more, wanted in (({}, 132), ({"figures": "all"}, 368), ({"count": 2}, 2)):
        with pytest.raises(UserError, match=f"1 found where there should be {wanted}"):
            prepare({"t": {"kind": "plot2code", "source": source} | more}, tmp_path, progress=False)
    assert prepare({"t": {"kind": "plot2code", "source": source, "count": 1}}, tmp_path, progress=False) == {"t": 1}


def test_near_duplicates_counts_differing_bits(tmp_path):
    prepare({"t": SMALL["pages_test"]}, tmp_path, progress=False)
    sample = load_split("t", tmp_path)[0]
    moved = sample.model_copy(update={"phash": f"{int(sample.phash, 16) ^ 0b10110:016x}"})
    assert near_duplicates([sample], [moved], 2) == []
    assert near_duplicates([sample], [moved], 3)[0].distance == 3


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"t": {"kind": "generatd"}}, "data.t"),
        ({"t": {"kind": "gallery", "cout": 3}}, "data.t.gallery.cout"),
        ({"t": SMALL["charts_test"] | {"seed": 5}}, "data.t.generated_charts.seed"),
        ({"t": {"kind": "websight", "part": "test", "count": 600, "pool": 1000}}, "more than half of the pool"),
        (
            {
                "a": {"kind": "websight", "part": "test", "count": 5},
                "b": {"kind": "websight", "part": "train", "count": 5, "seed": 1},
            },
            "may overlap",
        ),
    ],
)
def test_a_wrong_setting_is_named(section, words):
    with pytest.raises(UserError, match=words) as error:
        DataConfig.read(section)
    assert "\n" not in str(error.value)
