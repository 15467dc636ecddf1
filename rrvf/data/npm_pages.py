"""Real web pages as an unseen test set: pages from MIT-licensed packages of the npm registry, each made one file.

    python -m rrvf.data.npm_pages FOLDER     (writes every usable page and its picture there, prints the counts)

The one file is the sample's true code and its render is the sample's picture, so a perfect copy scores perfectly. A
page is changed as follows:
- local stylesheets are inlined, with only the rules that can match the page; others, fonts and scripts are dropped
- a picture becomes a placeholder address that states its size, which the renderer answers with a flat colour
- icon font symbols, which cannot be loaded, are dropped with their rules

A page is usable if it has a local stylesheet and 30 words, stays within the default limits but for time, gives the
same PNG twice, and no usable page before it gave the same PNG.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from bs4 import BeautifulSoup, Comment
from PIL import Image, UnidentifiedImageError

from rrvf.data.gallery import ASSETS, LIMITS
from rrvf.data.manifest import Item
from rrvf.data.seeded import RenderMany
from rrvf.data.stylesheet import Page, used_rules
from rrvf.errors import UserError

_WORDS = 30
_BLOCK = 8
_DROPPED = ("script", "noscript", "iframe", "template", "base", "object", "embed", "video", "audio")
_ICON_FONTS = re.compile(r"^(material-icons|material-symbols)")


def items(count: int | None, seed: int, render_many: RenderMany, assets: Path = ASSETS) -> Iterator[Item]:
    """The first `count` usable pages: the packages take turns, each with its pages in an order drawn by `seed`."""
    surveyed = survey(in_turn(pages(assets), seed), render_many)
    return islice((item for *_, item in surveyed if item), count)


def pages(assets: Path = ASSETS) -> dict[Path, list[Path]]:
    """Every HTML file by package, in name order. Raises UserError if the packages were not downloaded."""
    packages = sorted(p for p in (assets / "npm").glob("*/package") if any(p.rglob("*.html")))
    if not packages:
        raise UserError(f"no web packages in {assets}: run `make assets`")
    return {package: sorted(package.rglob("*.html")) for package in packages}


def in_turn(by_package: dict[Path, list[Path]], seed: int) -> list[tuple[Path, Path]]:
    """(package, page) pairs: the first page of each package, then the second of each, and so on."""
    rng = random.Random(seed)
    queues = [[(package, page) for page in rng.sample(paths, len(paths))] for package, paths in by_package.items()]
    return [queue[i] for i in range(max(map(len, queues))) for queue in queues if i < len(queue)]


def survey(paths: list[tuple[Path, Path]], render_many: RenderMany) -> Iterator[tuple[Path, str | None, Item | None]]:
    """Each page with the reason that refuses it, or with None and its item. Renders a block of pages at a time."""
    seen: set[bytes] = set()
    for start in range(0, len(paths), _BLOCK):
        block = [(*pair, one_file(pair[1], pair[0])) for pair in paths[start : start + _BLOCK]]
        codes = [code for *_, code in block if code]
        first, second = render_many(codes), render_many(codes)
        renders = dict(zip(codes, zip(first, second, strict=True), strict=True))
        for package, path, code in block:
            refusal, png = _judged(*renders[code], seen) if code else ("no stylesheet here or few words", None)
            yield path, refusal, None if refusal else _item(package, path, code, png)


def _judged(first, second, seen: set[bytes]) -> tuple[str | None, bytes | None]:
    if not first.ok:
        return f"does not render: {first.reason}", None
    if first.png != second.png:
        return "another picture each time", None
    if first.png in seen:
        return "the picture of another page", None
    seen.add(first.png)
    return None, first.png


def _item(package: Path, path: Path, code: str, png: bytes) -> Item:
    about = json.loads((package / "package.json").read_text())
    name = f"{package.parent.name}/{path.relative_to(package).with_suffix('')}"
    source = f"npm {about['name']}@{about['version']}, {path.relative_to(package)}, made one file"
    return Item(name, png, code, source, about["license"])


def one_file(path: Path, package: Path) -> str | None:
    """The page as one file. None if it has no local stylesheet or too few words."""
    soup = BeautifulSoup(path.read_text(encoding="utf-8", errors="replace"), "html.parser")
    for element in [*soup(_DROPPED), *soup.find_all(string=lambda text: isinstance(text, Comment))]:
        element.extract()
    for icon in soup.find_all(class_=_ICON_FONTS):
        icon.clear()
    sheets = _style(soup, path, package)
    words = soup.body.get_text(" ").split() if soup.body else []
    if not sheets or len(words) < _WORDS:
        return None
    _replace_pictures(soup, path, package)
    return re.sub(r"\n\s*\n+", "\n", str(soup)).strip() + "\n"


def _style(soup: BeautifulSoup, path: Path, package: Path) -> int:
    """Inline the stylesheets, with the rules that can match. Returns how many came from files."""
    page = Page.of(soup)
    count = 0
    for element in soup(["link", "style"]):
        sheet = (
            _local(element.get("href"), path, package) if "stylesheet" in element.get_attribute_list("rel") else None
        )
        if sheet is None and element.name == "link":
            element.extract()
            continue
        css = sheet.read_text(encoding="utf-8", errors="replace") if sheet else element.get_text()
        count += sheet is not None
        style = soup.new_tag("style")
        style.string = used_rules(css, page)
        element.replace_with(style)
    return count


def _replace_pictures(soup: BeautifulSoup, path: Path, package: Path) -> None:
    for image in soup("img"):
        file = _local(image.get("src"), path, package)
        size = _size(file) if file else "300x200"
        image["src"] = f"placeholder/{size}/{Path(image.get('src') or 'picture').stem[:40]}"
        del image["srcset"]
    for icon in soup("source"):
        icon.extract()


def _size(file: Path) -> str:
    try:
        with Image.open(file) as picture:
            return "{}x{}".format(*picture.size)
    except UnidentifiedImageError:  # for example SVG
        return "300x200"


def _local(address: str | None, page: Path, package: Path) -> Path | None:
    """The package file that an address refers to. A root address is tried from each folder up to the package."""
    address = (address or "").split("?")[0].split("#")[0]
    if not address or "//" in address or address.startswith("data:"):
        return None
    above = [page.parent, *page.parent.parents]
    roots = above[: above.index(package) + 1] if address.startswith("/") else above[:1]
    for root in roots:
        file = (root / address.lstrip("/")).resolve()
        if file.is_file() and file.is_relative_to(package.resolve()):
            return file
    return None


def main() -> None:
    """Write every usable page and its picture to the given folder, and print the counts."""
    from rrvf.data.config import NpmPages
    from rrvf.render import Renderer

    folder = Path(sys.argv[1])
    counts: Counter[str] = Counter()
    with Renderer(NpmPages.domain, 2, replace(LIMITS, canvas=NpmPages(kind="npm_pages").canvas)) as renderer:
        for _, refusal, item in survey(in_turn(pages(), 0), renderer.render_many):
            counts[refusal or "usable"] += 1
            if item:
                file = folder / item.id
                file.parent.mkdir(parents=True, exist_ok=True)
                file.with_suffix(".html").write_text(item.code)
                file.with_suffix(".png").write_bytes(item.png)
    for verdict, n in counts.most_common():
        print(f"{n:4} {verdict}")


if __name__ == "__main__":
    main()
