"""The paper's data sets, read from tables and archives that the tests make in the hub's format."""

from __future__ import annotations

import hashlib
import io
import tarfile
from types import SimpleNamespace

import datasets
import huggingface_hub
import numpy as np
import pytest
from data_stub import png, table
from PIL import Image
from pydantic import ValidationError

from rrvf.data import chartmimic, cold_start, hub, plot2code, websight
from rrvf.data.config import ChartMimic, ColdStart, Plot2Code, WebSight
from rrvf.errors import UserError


def shipped(text: str, **how) -> dict:
    return {"bytes": png(text, **how), "path": f"{text}.png"}


@pytest.fixture
def figures(tmp_path):
    sites = ["https://matplotlib.org/stable/gallery/x", "https://plotly.com/python/y", "https://matplotlib.org/z"]
    rows = [
        {"image": shipped(f"p{i}"), "url": url, "code": f"code {i}", "instruction": "draw"}
        for i, url in enumerate(sites)
    ]
    return table(tmp_path / "data" / "test-00000-of-00001.parquet", rows).parent


def test_plot2code_keeps_the_matplotlib_rows_and_their_numbers(figures):
    found = list(plot2code.items(Plot2Code(kind="plot2code", source=str(figures))))
    assert [(i.id, i.code) for i in found] == [("row-000", "code 0"), ("row-002", "code 2")]
    assert found[0].png == png("p0")


def test_plot2code_all_gives_the_other_libraries_no_python_code(figures):
    found = list(plot2code.items(Plot2Code(kind="plot2code", source=str(figures), figures="all")))
    assert [i.code for i in found] == ["code 0", None, "code 2"]


@pytest.fixture
def pages(tmp_path):
    rows = [
        {"image": shipped(f"w{i}", kind="JPEG"), "text": f"<p>{i}</p>", "llm_generated_idea": ""} for i in range(60)
    ]
    table(tmp_path / "v0.2" / "train-00000.parquet", rows[:25])
    table(tmp_path / "v0.2" / "train-00001.parquet", rows[25:])
    return tmp_path


def test_websight_parts_never_meet_and_do_not_change(pages):
    parts = {
        part: [
            i.code for i in websight.items(WebSight(kind="websight", part=part, count=n, pool=60, source=str(pages)))
        ]
        for part, n in (("train", 30), ("test", 12))
    }
    assert len(set(parts["train"])) == 30 and len(set(parts["test"])) == 12
    assert not set(parts["train"]) & set(parts["test"])
    rows = websight.row_numbers(WebSight(kind="websight", part="test", count=12, pool=60))
    assert parts["test"] == [f"<p>{i}</p>" for i in rows]


def test_websight_draws_from_the_whole_set_where_asked():
    split = WebSight(kind="websight", part="test", count=500, pool=0)
    assert max(websight.row_numbers(split)) > 1_800_000
    with pytest.raises(ValidationError, match="more than half"):  # else training and test rows would overlap
        WebSight(kind="websight", part="test", count=1_000_000, pool=0)


def test_websight_pictures_become_png(pages):
    split = WebSight(kind="websight", part="test", count=1, pool=60, source=str(pages))
    assert Image.open(io.BytesIO(next(websight.items(split)).png)).format == "PNG"


def test_a_pool_larger_than_the_table_is_said(pages):
    with pytest.raises(UserError, match="fewer than"):
        list(websight.items(WebSight(kind="websight", part="train", count=50, pool=100, source=str(pages))))


def test_cold_start_takes_its_columns_from_the_profile(tmp_path):
    rows = [{"figure": shipped("c"), "reply": "<answer>x</answer>"}]
    source = str(table(tmp_path / "train.parquet", rows, images=("figure",)))
    named = ColdStart(kind="cold_start", source=source, image_column="figure", code_column="reply")
    assert [i.code for i in cold_start.items(named)] == ["<answer>x</answer>"]
    with pytest.raises(UserError, match=r"no column 'image': it has figure, reply"):
        list(cold_start.items(ColdStart(kind="cold_start", source=source)))
    with pytest.raises(UserError, match=r"no column 'code': it has figure, reply"):
        list(cold_start.items(ColdStart(kind="cold_start", source=source, image_column="figure")))


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "dataset-iclr.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for task in ("direct_600", "direct_1800", "customized_600"):
            for name in ("graph_1", "bar_2"):
                for suffix, data in (
                    ("py", f"# {task} {name}".encode()),
                    ("png", png(f"{task}{name}")),
                    ("pdf", b"%PDF"),
                ):
                    member = tarfile.TarInfo(f"dataset/{task}/{name}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    return path


def test_chartmimic_is_keyed_on_task_and_name(archive):
    split = ChartMimic(kind="chartmimic", task="direct_600", source=str(archive), sha256=None)
    found = list(chartmimic.items(split))
    assert [i.id for i in found] == ["direct_600/bar_2", "direct_600/graph_1"]
    assert found[1].code == "# direct_600 graph_1" and found[1].png == png("direct_600graph_1")


def test_an_unpacked_archive_reads_the_same(archive, tmp_path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "unpacked")
    split = ChartMimic(kind="chartmimic", task="direct_1800", source=str(archive), sha256=None)
    unpacked = split.model_copy(update={"source": str(tmp_path / "unpacked")})
    one, two = ([(i.id, i.png, i.code) for i in chartmimic.items(s)] for s in (split, unpacked))
    assert one == two and len(one) == 2


def test_another_archive_than_the_pinned_one_is_refused(archive):
    split = ChartMimic(kind="chartmimic", task="direct_600", source=str(archive))
    with pytest.raises(UserError, match="not the reported one"):
        list(chartmimic.items(split))
    pinned = split.model_copy(update={"sha256": hashlib.sha256(archive.read_bytes()).hexdigest()})
    assert len(list(chartmimic.items(pinned))) == 2


@pytest.mark.parametrize("kept", [0, 20, 200])
def test_an_archive_that_is_cut_off_is_one_clear_line(archive, kept):
    archive.write_bytes(archive.read_bytes()[:kept])
    split = ChartMimic(kind="chartmimic", task="direct_600", source=str(archive), sha256=None)
    with pytest.raises(UserError, match="no archive that can be read"):
        list(chartmimic.items(split))


def test_a_pdf_is_drawn_by_pdftoppm_at_120_dpi(archive, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "pdftoppm"
    program.parent.mkdir()
    (tmp_path / "page.png").write_bytes(png("page"))
    program.write_text(f'#!/bin/sh\n[ "$1 $2" = "-r 120" ] && cat {tmp_path}/page.png\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    split = ChartMimic(kind="chartmimic", task="direct_600", source=str(archive), sha256=None, picture="pdf")
    assert next(chartmimic.items(split)).png == png("page")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="install poppler-utils"):
        next(chartmimic.items(split))


def test_the_table_s_code_is_taken_as_code_or_as_a_path(tmp_path):
    (tmp_path / "direct_600").mkdir()
    (tmp_path / "direct_600" / "pie_3.py").write_text("import b")
    codes = {"bar_1": "import a\nplt.show()", "pie_3": "direct_600/pie_3.py"}
    rows = [
        {
            "ExampleID": name,
            "Task": "direct",
            "Instruction": "",
            "InputFigure": f"direct_600/{name}.pdf",
            "GroundTruthFigure": f"direct_600/{name}.pdf",
            "GroundTruthFigurePreview": shipped(name),
            "GroundTruthFigureCode": code,
        }
        for name, code in codes.items()
    ]
    rows.append(rows[0] | {"ExampleID": "direct_1800/bar_9"})
    rows.append(rows[0] | {"ExampleID": "bar_10", "Task": "customized"})
    table(tmp_path / "chartmimic" / "test-0.parquet", rows, images=("GroundTruthFigurePreview",))
    split = ChartMimic(kind="chartmimic", task="direct_600", source=str(tmp_path), view="table")
    found = [(i.id, i.code, i.png) for i in chartmimic.items(split)]
    assert found == [
        ("direct_600/bar_1", "import a\nplt.show()", png("bar_1")),
        ("direct_600/pie_3", "import b", png("pie_3")),
    ]


def test_a_set_on_the_hub_is_read_at_one_commit_which_the_manifest_names(figures, monkeypatch):
    (path,) = figures.glob("*.parquet")
    read, asked = datasets.load_dataset, []

    def load(source, config, split, streaming, revision):
        asked.append((source, split, revision))
        return read("parquet", data_files=[str(path)], split="train", streaming=streaming)

    info = lambda self, source, revision, timeout: SimpleNamespace(sha=f"commit-of-{revision}")  # noqa: E731
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    monkeypatch.setattr(datasets, "load_dataset", load)
    found = next(plot2code.items(Plot2Code(kind="plot2code", revision="v1")))
    assert asked == [("TencentARC/Plot2Code", "test", "commit-of-v1")]
    assert found.source.startswith("TencentARC/Plot2Code@commit-of-v1 test, https://matplotlib.org")


def test_a_figure_of_an_archive_names_the_archive_s_sha256(archive):
    split = ChartMimic(kind="chartmimic", task="direct_600", source=str(archive), sha256=None)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert (
        next(chartmimic.items(split)).source
        == f"ChartMimic direct_600/bar_2 of dataset-iclr.tar.gz with sha256 {digest}"
    )


@pytest.mark.parametrize(
    "read",
    [
        lambda: list(plot2code.items(Plot2Code(kind="plot2code"))),
        lambda: list(websight.items(WebSight(kind="websight", part="test", count=5))),
        lambda: list(chartmimic.items(ChartMimic(kind="chartmimic", task="direct_600"))),
        lambda: list(cold_start.items(ColdStart(kind="cold_start"))),
    ],
    ids=["plot2code", "websight", "chartmimic", "cold start"],
)
def test_a_hub_out_of_reach_is_one_line_that_says_what_to_do(read, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"cannot read the data set .* local copy") as error:
        read()
    assert "\n" not in str(error.value)


def test_transparent_and_paletted_pictures_become_rgb_on_white():
    clear = io.BytesIO()
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(clear, "PNG")
    for value in (clear.getvalue(), {"bytes": clear.getvalue(), "path": None}, Image.new("RGBA", (4, 4), (9, 9, 9, 0))):
        picture = Image.open(io.BytesIO(hub.png(value)))
        assert picture.mode == "RGB" and picture.getpixel((0, 0)) == (255, 255, 255)
    assert hub.png(png("a")) == png("a")
    assert Image.open(io.BytesIO(hub.png(png("a", mode="P")))).mode == "RGB"
    with pytest.raises(UserError, match="found a str instead of a picture"):
        hub.png("figure.pdf")


def test_deep_and_turned_pictures_become_as_they_are_seen():
    levels = np.linspace(0, 2**16 - 1, 64, dtype=np.uint16).reshape(8, 8)
    assert len(np.unique(np.asarray(Image.open(io.BytesIO(hub.png(Image.fromarray(levels))))))) == 64
    turned, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(turned, "JPEG", exif=exif)
    assert Image.open(io.BytesIO(hub.png(turned.getvalue()))).size == (4, 8)


def test_a_damaged_exif_block_turns_nothing():
    file = io.BytesIO()
    Image.new("RGB", (8, 4)).save(file, "PNG", exif=b"Exif\0\0no TIFF")
    picture = Image.open(io.BytesIO(hub.png(file.getvalue())))
    assert picture.size == (8, 4) and not picture.getexif()


def a_table(tmp_path, kind: str, **changes) -> list:
    """The items of a table with one row in the hub's format. changes: new values of columns; None removes a column."""
    sources = {
        "plot2code": ({"image": shipped("p"), "url": "matplotlib", "code": "c"}, plot2code, Plot2Code, {}),
        "websight": (
            {"image": shipped("p"), "text": "<p>"},
            websight,
            WebSight,
            {"part": "train", "count": 1, "pool": 2},
        ),
        "cold_start": ({"image": shipped("p"), "code": "c"}, cold_start, ColdStart, {}),
    }
    row, module, config, more = sources[kind]
    row = {name: value for name, value in (row | changes).items() if value is not ...}
    source = table(tmp_path / "t.parquet", [row, row], images=("image",) if "image" in row else ())
    return list(module.items(config(kind=kind, source=str(source), **more)))


CUT = {"bytes": png("p")[:-200], "path": "p.png"}


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("plot2code", {"url": ...}, "no column 'url': it has"),
        ("plot2code", {"code": ...}, "no column 'code'"),
        ("plot2code", {"code": None}, "row 0 .* column 'code' holds nothing"),
        ("plot2code", {"image": ...}, "no column 'image'"),
        ("plot2code", {"image": CUT}, "row 0 .* column 'image': the picture is damaged"),
        ("websight", {"text": ..., "html": "<p>"}, "no column 'text': it has .*html"),
        ("websight", {"text": None}, r"row \d .* column 'text' holds nothing"),
        ("websight", {"image": CUT}, r"row \d .* damaged"),
        ("cold_start", {"code": 3}, "column 'code' holds int, not text"),
    ],
)
def test_a_fork_is_refused_by_its_column_or_row(tmp_path, kind, changes, words):
    with pytest.raises(UserError, match=words) as error:
        a_table(tmp_path, kind, **changes)
    assert "\n" not in str(error.value)


def test_a_parquet_file_cut_short_is_one_line(tmp_path):
    path = table(tmp_path / "test-0.parquet", [{"image": shipped("p"), "url": "matplotlib", "code": "c"}])
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match="damaged or no data set") as error:
        list(plot2code.items(Plot2Code(kind="plot2code", source=str(path))))
    assert "\n" not in str(error.value)


def figure(tmp_path, script: bytes, picture: bytes = png("p")):
    folder = tmp_path / "direct_600"
    folder.mkdir()
    (folder / "a.py").write_bytes(script)
    (folder / "a.png").write_bytes(picture)
    return next(chartmimic.items(ChartMimic(kind="chartmimic", task="direct_600", source=str(tmp_path), sha256=None)))


@pytest.mark.parametrize(
    "script",
    ["t = 'café'".encode(), b"\xef\xbb\xbft = 'caf\xc3\xa9'", "# coding: latin-1\nt = 'café'".encode("latin-1")],
    ids=["UTF-8", "a byte order mark", "a named encoding"],
)
def test_a_script_is_decoded_as_python_does(tmp_path, script):
    assert figure(tmp_path, script).code.endswith("t = 'café'")


@pytest.mark.parametrize(
    ("script", "picture", "words"),
    [
        (b"x = 1\nt = 'caf\xe9'", png("p"), "a.py, line 2: not utf-8"),
        (b"# coding: klingon\n", png("p"), "a.py: .*klingon"),
        (b"x", png("p")[:-200], "a.png: the picture is damaged"),
        (b"x", b"no picture", "a.png: found a bytes instead of a picture"),
    ],
)
def test_a_damaged_figure_is_named(tmp_path, script, picture, words):
    with pytest.raises(UserError, match=words):
        figure(tmp_path, script, picture)
