"""The paper's data sets in miniature, for rehearsals and loader tests: the hub's layout and columns, our own pictures.

    python -m reproduce.fixtures DIR

    DIR/chartmimic.tar.gz      ChartMimic's archive: direct_1800/ and direct_600/ with PREFIX_NUMBER.py, .png, .pdf
    DIR/plot2code/             one parquet, split `test`: image, url, code, instruction; one row in four: no matplotlib
    DIR/websight/v0.2/         one parquet, split `train`: image (twice the page's size), text, llm_generated_idea

ChartMimic's figures and WebSight's pages come from our generators. Plot2Code's figures come from matplotlib's gallery,
like those of the real data set.
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

#: Number of pictures of each kind: enough that a batch of a rehearsal has different pictures.
TRAIN, TEST, FIGURES, PAGES = 8, 4, 4, 24
#: Sizes in inches. ChartMimic's scripts choose their own, and an archive with one size would hide bugs with sizes.
SIZES = ((6.4, 4.8), (10, 6), (5, 8), (12, 4), (7, 7), (8, 6))
TAILWIND = "https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css"
#: The first seed. The generators' seeds for tests begin at 2,000,000.
SEED = 2_500_000


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m reproduce.fixtures", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    return exit_code(lambda: write_fixtures(folder))


def write_fixtures(folder: Path) -> None:
    """Write all three sets to `folder`. They are built under a temporary name, so that `folder` is never incomplete.

    Raises UserError if `folder` exists, or if one of our pictures does not render.
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
    # Drawn as in evaluations, so that true code can reach the full score. The set's own pictures are twice that size.
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
    """A generated chart that sets its own figure size."""
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
    for render in renderer.render_many(codes):
        if not render.ok:
            raise UserError(f"a fixture did not render: {render.reason} ({render.message}): run `rrvf doctor`")
        yield render.png


def _as(png: bytes, kind: str, times: int = 1) -> bytes:
    """A picture in another format, scaled by `times`."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    out = io.BytesIO()
    (picture if times == 1 else picture.resize((times * picture.width, times * picture.height))).save(out, kind)
    return out.getvalue()


def _table(path: Path, rows: list[dict]) -> None:
    """Write one parquet file with encoded pictures, as on the hub."""
    import datasets

    make(path.parent)
    rows = [row | {"image": {"bytes": row["image"], "path": f"{i}.png"}} for i, row in enumerate(rows)]
    datasets.Dataset.from_list(rows).cast_column("image", datasets.Image()).to_parquet(path)


if __name__ == "__main__":
    sys.exit(main())
