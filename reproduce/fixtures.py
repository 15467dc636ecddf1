"""The paper's data sets in miniature: the hub's own layout and columns, our own pictures.

For rehearsals and loaders' tests.

    python -m reproduce.fixtures DIR

    DIR/chartmimic.tar.gz      ChartMimic's archive: direct_1800/ and direct_600/ with PREFIX_NUMBER.py, .png, .pdf
    DIR/plot2code/             one parquet, split `test`: image, url, code, instruction; one row in four: no matplotlib
    DIR/websight/v0.2/         one parquet, split `train`: image (twice the page's size), text, llm_generated_idea

ChartMimic's figures and WebSight's pages come from our generators, Plot2Code's from matplotlib's gallery, as its own
do.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from rrvf.data import gallery
from rrvf.data.generated import charts, pages
from rrvf.domains import CHART, WEB
from rrvf.errors import UserError
from rrvf.folders import make
from rrvf.outputs import exit_code
from rrvf.render import Limits, Renderer
from rrvf.render.browser import VIEWPORT

#: How many of each: enough that no batch of a rehearsal sees one picture only.
TRAIN, TEST, FIGURES, PAGES = 8, 4, 4, 24
#: Inches. ChartMimic's scripts choose their own, and an archive of one size would hide what sizes do.
SIZES = ((6.4, 4.8), (10, 6), (5, 8), (12, 4), (7, 7), (8, 6))
TAILWIND = "https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css"
#: Seeds from here on are the generators' pictures for tests.
SEED = 2_500_000


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, or 2 for bad input, in one line."""
    parser = argparse.ArgumentParser(prog="python -m reproduce.fixtures", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    return exit_code(lambda: write_fixtures(folder))


def write_fixtures(folder: Path) -> None:
    """Write all three sets into `folder`, beside it first, so that a folder that exists is whole.

    UserError where `folder` exists, or where a picture of ours does not render.
    """
    if folder.exists():
        raise UserError(f"{folder} exists: name a folder that does not")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make(partial)
    with Renderer(CHART.name, 2, gallery.LIMITS) as renderer:
        _chartmimic(partial / "chartmimic.tar.gz", renderer)
        figures = list(gallery.items(FIGURES - 1, 0, renderer.render_many))
    _plot2code(partial / "plot2code" / "test-00000-of-00001.parquet", figures)
    # As evaluations draw them, so that true code can reach every score; the set's pictures are twice that size.
    with Renderer(WEB.name, 2, Limits(wall_s=gallery.LIMITS.wall_s, canvas=VIEWPORT)) as renderer:
        _websight(partial / "websight" / "v0.2" / "train-00000-of-00001.parquet", renderer)
    partial.rename(folder)


def _chartmimic(path: Path, renderer: Renderer) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for task, start, count in (("direct_1800", SEED, TRAIN), ("direct_600", SEED + TRAIN, TEST)):
            codes = [_script(seed) for seed in range(start, start + count)]
            for number, (code, png) in enumerate(zip(codes, _pictures(codes, renderer), strict=True)):
                name = f"{charts.spec(start + number).kind}_{number}"
                saved = f'{code}\nplt.savefig("{name}.pdf", bbox_inches="tight")\n'
                for suffix, data in (("py", saved.encode()), ("png", png), ("pdf", _as(png, "PDF"))):
                    member = tarfile.TarInfo(f"{task}/{name}.{suffix}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))


def _script(seed: int) -> str:
    """A generated chart that asks for a size of its own."""
    head, rest = charts.generate(seed).split("\n", 1)
    return f"{head}\nplt.rcParams['figure.figsize'] = {SIZES[seed % len(SIZES)]}\n{rest}"


def _plot2code(path: Path, figures: list) -> None:
    rows = [
        {"image": item.png, "url": f"https://matplotlib.org/3.8.4/gallery/{item.id}", "code": item.code}
        for item in figures
    ]
    rows.insert(1, rows[0] | {"url": "https://plotly.com/python/bar-charts/"})
    _table(path, [row | {"instruction": "Draw this figure."} for row in rows])


def _websight(path: Path, renderer: Renderer) -> None:
    head = f'<html>\n<link href="{TAILWIND}" rel="stylesheet">\n'
    codes = [pages.generate(seed).replace("<!DOCTYPE html>\n", head) for seed in range(SEED, SEED + PAGES)]
    rows = [
        {"image": _as(png, "PNG", times=2), "text": code}
        for code, png in zip(codes, _pictures(codes, renderer), strict=True)
    ]
    _table(path, [row | {"llm_generated_idea": "A page."} for row in rows])


def _pictures(codes: list[str], renderer: Renderer) -> Iterator[bytes]:
    for code, render in zip(codes, renderer.render_many(codes), strict=True):
        if not render.ok:
            raise UserError(f"a fixture did not render: {render.reason} ({render.message}): run `rrvf doctor`\n{code}")
        yield render.png


def _as(png: bytes, kind: str, times: int = 1) -> bytes:
    """A picture in another format, its sides `times` as long."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    out = io.BytesIO()
    (picture if times == 1 else picture.resize((times * picture.width, times * picture.height))).save(out, kind)
    return out.getvalue()


def _table(path: Path, rows: list[dict]) -> None:
    """One parquet with the pictures encoded, as the hub stores them."""
    import datasets

    make(path.parent)
    rows = [row | {"image": {"bytes": row["image"], "path": f"{i}.png"}} for i, row in enumerate(rows)]
    datasets.Dataset.from_list(rows).cast_column("image", datasets.Image()).to_parquet(path)


if __name__ == "__main__":
    sys.exit(main())
