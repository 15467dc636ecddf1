"""Which Chromium draws the pages.

    python -m rrvf.chromium        prints its path, or says how to get one
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from rrvf.errors import UserError

#: In order of preference: the shell without a user interface starts in a third of the time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
MEND = "install Debian's chromium-headless-shell, run `.venv/bin/playwright install chromium-headless-shell`, or set RRVF_CHROMIUM"


def find_chromium() -> str:
    """The path of an executable Chromium: RRVF_CHROMIUM, else PATH, else Playwright's own download. UserError if none."""
    if named := os.environ.get("RRVF_CHROMIUM"):
        if not os.access(named, os.X_OK):
            raise UserError(f"RRVF_CHROMIUM names {named}, which is not an executable file: correct it or unset it")
        return named
    for name in NAMES:
        if found := shutil.which(name):
            return found
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache/ms-playwright"))
    shells = sorted(cache.glob("chromium_headless_shell-*/*/*headless*shell"))
    if shells:
        return str(shells[-1])
    raise UserError(f"no Chromium on this machine: {MEND}")


if __name__ == "__main__":
    try:
        print(find_chromium())
    except UserError as error:
        sys.exit(f"rrvf: {error}")
