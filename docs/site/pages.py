"""What the site shows besides the files in docs/: pages that stand elsewhere in the repository, and the reference.

A hook of mkdocs (mkdocs.yml). Texts stay where GitHub shows them, with links that work there; here those links are
turned to the page of the site, or to a copy of the file that they name. A link to nothing is a warning, and so fails
the build.
"""

from __future__ import annotations

import json
import posixpath
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority, get_plugin_logger
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

from docs.site.api import undocumented
from docs.site.reference import PAGES, REPOSITORY

log = get_plugin_logger("rrvf")

#: Pages that stand at the root of the repository.
ROOT_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)(#[^)\s]*)?(?=\))")
_CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.DOTALL | re.MULTILINE)


@event_priority(100)  # before the plugins that read notebooks and docstrings
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/, and what pages link to."""
    for source, uri in ROOT_PAGES.items():
        files.append(File.generated(config, uri, content=(REPOSITORY / source).read_text(encoding="utf-8")))
    for uri, make in PAGES.items():
        files.append(File.generated(config, uri, content=make()))
    for notebook in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        _add(files, f"notebooks/{notebook.name}", config)
    waiting = [file for file in files if file.src_uri.endswith(".md")]
    while waiting:  # what is linked to may link to more
        file = waiting.pop()
        linked = (_linked(path, files, config) for path in _links(file.content_string, _source(file.src_uri)))
        waiting.extend(new for new in linked if new and new.src_uri.endswith(".md"))
    return files


def _linked(path: str, files: Files, config: MkDocsConfig) -> File | None:
    """The file of the site for a path of the repository, where it was not there."""
    uri = _uri(path)
    if files.get_file_from_path(uri) or not (REPOSITORY / path).exists():
        return None
    if (REPOSITORY / path).is_dir():
        file = File.generated(config, uri, content=_listing(path), inclusion=InclusionLevel.NOT_IN_NAV)
        files.append(file)
        return file
    return _add(files, path, config)


def _add(files: Files, path: str, config: MkDocsConfig) -> File:
    file = File(path, str(REPOSITORY), config.site_dir, config.use_directory_urls, inclusion=InclusionLevel.NOT_IN_NAV)
    files.append(file)
    return file


def _listing(folder: str) -> str:
    """A page that names the files of a folder."""
    tracked = subprocess.run(["git", "ls-files", folder], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    names = [name for name in tracked.stdout.split() if not (folder == "notebooks" and name.endswith(".py"))]
    rows = (f"- [{_title(name)}]({posixpath.relpath(name, folder)})" for name in names)
    return f"# {folder}\n\n" + "\n".join(rows) + "\n"


def _title(name: str) -> str:
    """What a list calls a file: a notebook's heading, else its name."""
    if name.endswith(".ipynb"):
        first = "".join(json.loads((REPOSITORY / name).read_text(encoding="utf-8"))["cells"][0]["source"])
        return first.splitlines()[0].removeprefix("# ")
    return posixpath.basename(name)


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn links into the repository to the pages and files of the site; mkdocs says which lead nowhere."""
    here, folder = _source(page.file.src_uri), posixpath.dirname(page.file.src_uri) or "."

    def turned(link: re.Match) -> str:
        return posixpath.relpath(_uri(_path(link[1], here)), folder) + (link[2] or "")

    parts = _CODE.split(markdown)
    return "".join(part if i % 2 else _LINK.sub(turned, part) for i, part in enumerate(parts))


def _links(text: str, here: str) -> Iterator[str]:
    for part in _CODE.split(text)[::2]:
        yield from (_path(link[1], here) for link in _LINK.finditer(part))


def _path(target: str, here: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(here), target))


def _source(uri: str) -> str:
    """The path in the repository of a page of the site; of a generated one, where its links are written for."""
    for source, page in ROOT_PAGES.items():
        if uri == page:
            return source
    return uri if (REPOSITORY / uri).exists() or uri.endswith("/index.md") else f"docs/{uri}"


def _uri(path: str) -> str:
    """The page or file of the site for a path of the repository."""
    if path in ROOT_PAGES:
        return ROOT_PAGES[path]
    if (REPOSITORY / path).is_dir():
        return f"{path}/index.md"
    return path.removeprefix("docs/")


def on_pre_build(config: MkDocsConfig) -> None:
    """Warn of every public name without a docstring."""
    for name in undocumented(Path(config.docs_dir, "api")):
        log.warning(f"{name} is public and has no docstring")
