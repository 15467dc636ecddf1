"""Real charts and pages that nobody here made, as unseen test sets: matplotlib's gallery and pages of MIT packages.

Both lie in `.cache/assets/` (`make assets`). They are rendered by this project's own renderers, so that a perfect copy of
the code gives the picture itself. Never for training: Plot2Code's charts come from this very gallery.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bs4 import BeautifulSoup

from rrvf.data.manifest import Item
from rrvf.domains import Canvas
from rrvf.errors import UserError
from rrvf.records import Render
from rrvf.render import Limits

ASSETS = Path(__file__).parents[2] / ".cache" / "assets"
GALLERY = ASSETS / "matplotlib-3.8.4" / "galleries" / "examples"
#: Charts at their scripts' own size, pages in one screen.
LIMITS = {"chart": Limits(), "web": Limits(canvas=Canvas(1280, 960), code_bytes=2_000_000, literal_bytes=2_000_000)}
#: Scripts that move, wait for a person, need a window, or show a file that the sandbox does not hold.
_UNUSABLE = re.compile(r"animation|widgets|ginput|waitforbuttonpress|mpl_connect|backend_|plt\.pause|get_sample_data|cbook")
_BLOCK = 24


def gallery(seed: int, render_many: Callable[[list[str]], list[Render]]) -> Iterator[Item]:
    """Gallery scripts in an order drawn by `seed`: one figure, no animation or interaction, the same picture twice."""
    paths = sorted(_present(GALLERY, "the matplotlib gallery").rglob("*.py"))
    usable = [p for p in paths if not _UNUSABLE.search(code := p.read_text()) and one_figure(code)]
    random.Random(seed).shuffle(usable)
    for start in range(0, len(usable), _BLOCK):
        block = usable[start : start + _BLOCK]
        codes = [p.read_text() for p in block]
        for path, code, one, two in zip(block, codes, render_many(codes), render_many(codes), strict=True):
            if one.ok and two.ok and one.png == two.png:
                name = str(path.relative_to(GALLERY).with_suffix(""))
                yield Item(name, one.png, code, "matplotlib 3.8.4, galleries/examples", "matplotlib licence")


def one_figure(code: str) -> bool:
    """Whether a script plainly makes one figure: one call that makes one, or one `show`."""
    return len(re.findall(r"plt\.(?:figure|subplots|subplot_mosaic)\(", code)) <= 1 and code.count("plt.show()") <= 1


def npm_pages(seed: int, render_many: Callable[[list[str]], list[Render]]) -> Iterator[Item]:
    """Pages of the packages in an order drawn by `seed`, each made whole: stylesheets inlined, scripts dropped."""
    packages = _present(ASSETS / "npm", "the web packages")
    paths = [p for p in sorted(packages.glob("*/package/**/*.html")) if p.stat().st_size > 2_000]
    random.Random(seed).shuffle(paths)
    for start in range(0, len(paths), _BLOCK):
        block = paths[start : start + _BLOCK]
        codes = [inlined(p) for p in block]
        for path, code, one, two in zip(block, codes, render_many(codes), render_many(codes), strict=True):
            package = path.relative_to(packages).parts[0]
            if one.ok and two.ok and one.png == two.png:
                yield Item(f"{package}/{path.stem}", one.png, code, f"npm {package}", "MIT")


def inlined(path: Path) -> str:
    """The page at `path` as one file: local stylesheets put in, scripts and unreachable stylesheets taken out."""
    soup = BeautifulSoup(path.read_text(errors="replace"), "html.parser")
    for script in soup(["script", "noscript", "iframe"]):
        script.decompose()
    for link in soup("link"):
        href = (link.get("href") or "").split("?")[0]
        sheet = (path.parent / href).resolve()
        if "stylesheet" in (link.get("rel") or []) and href and "://" not in href and sheet.is_file():
            style = soup.new_tag("style")
            style.string = sheet.read_text(errors="replace")
            link.replace_with(style)
        else:
            link.decompose()
    return str(soup)


def _present(folder: Path, what: str) -> Path:
    if not folder.is_dir():
        raise UserError(f"{what} is not here: run `make assets`")
    return folder
