"""Which Chromium draws the pages.

    python -m rrvf.chromium        prints its path, or says how to get one

`make setup` sees to one: reproduce/setup/chromium.sh.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from rrvf.errors import UserError

#: In order of preference: the shell without a user interface starts in a third of the time.
NAMES = ("chromium-headless-shell", "google-chrome-stable", "google-chrome", "chromium", "chromium-browser")
#: Where Playwright puts its download: by its own setting, in the home folder, or, for root, where `make setup` puts it.
DOWNLOADS = (os.environ.get("PLAYWRIGHT_BROWSERS_PATH", ""), "~/.cache/ms-playwright", "/opt/ms-playwright")
MEND = (
    "run `make setup` (an installed package: `rrvf setup`), or install Debian's chromium-headless-shell, or set "
    "RRVF_CHROMIUM to its path"
)


def find_chromium() -> str:
    """The path of an executable Chromium: RRVF_CHROMIUM, else PATH, else Playwright's own download.

    UserError if none.
    """
    if named := os.environ.get("RRVF_CHROMIUM"):
        if not os.access(named, os.X_OK):
            raise UserError(f"RRVF_CHROMIUM names {named}, which is not an executable file: correct it or unset it")
        return named
    for name in NAMES:
        if (found := shutil.which(name)) and not _is_snap(found):
            return found
    for folder in filter(None, DOWNLOADS):
        if shells := sorted(Path(folder).expanduser().glob("chromium_headless_shell-*/*/*headless*shell")):
            return str(shells[-1])
    raise UserError(f"no Chromium on this machine: {MEND}")


def _is_snap(path: str) -> bool:
    """Ubuntu's `chromium` and `chromium-browser` only start a snap, which cannot run in a namespace of ours."""
    with open(path, "rb") as file:
        return os.path.realpath(path) == "/usr/bin/snap" or b"/snap/bin" in file.read(4096)


if __name__ == "__main__":
    try:
        print(find_chromium())
    except UserError as error:
        sys.exit(f"rrvf: {error}")
