"""Locations of files: next to the code in a checkout, in the user's own folders for an installed package.

An installed package is never written to. What ships besides code lies in `shipped`: in a checkout this folder holds
links to the places that `make` uses; a wheel holds the files.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

PACKAGE = Path(__file__).parent
#: The checkout that the code runs from; None for an installed package.
CHECKOUT = PACKAGE.parent if (PACKAGE.parent / "reproduce" / "profiles").is_dir() else None


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "rrvf"


#: Profiles, judge files, claims and locks.
SHIPPED = PACKAGE / "shipped"
PLOT_PINS, PLOT_LOCK = SHIPPED / "requirements-plot.in", SHIPPED / "requirements-plot.lock"
#: Files that can be built or downloaded again.
CACHE = CHECKOUT / ".cache" if CHECKOUT else _user_cache()
DATA = CHECKOUT / "data" if CHECKOUT else CACHE / "data"
RUNS = CHECKOUT / "runs" if CHECKOUT else Path("runs")


def plot_runtime(lock: Path = PLOT_LOCK) -> Path:
    """The folder of the plotting runtime of a lock. Package versions with different pins use different folders."""
    return CACHE / f"plot-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


#: The plotting runtime that the sandbox runs, and the command that builds it.
PLOT = CHECKOUT / ".venv-plot" if CHECKOUT else plot_runtime()
SETUP = "make setup" if CHECKOUT else "rrvf setup"
