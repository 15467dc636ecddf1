"""Where things lie: beside the code in a checkout, in the user's own folders where the package is installed.

An installed package is never written to. What it ships besides its code lies in `shipped`: in a checkout these are
links to where `make` has them, and a wheel holds the files.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

PACKAGE = Path(__file__).parent
#: The checkout that the code is run from; None for an installed package.
CHECKOUT = PACKAGE.parent if (PACKAGE.parent / "reproduce" / "profiles").is_dir() else None


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "rrvf"


#: Profiles, the files of judges, claims, locks.
SHIPPED = PACKAGE / "shipped"
PLOT_PINS, PLOT_LOCK = SHIPPED / "requirements-plot.in", SHIPPED / "requirements-plot.lock"
#: What can be made or fetched again.
CACHE = CHECKOUT / ".cache" if CHECKOUT else _user_cache()
DATA = CHECKOUT / "data" if CHECKOUT else CACHE / "data"
RUNS = CHECKOUT / "runs" if CHECKOUT else Path("runs")


def plot_runtime(lock: Path = PLOT_LOCK) -> Path:
    """The place of the plotting runtime of a lock: versions of the package that pin otherwise do not share one."""
    return CACHE / f"plot-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


#: The plotting runtime that the sandbox runs, and the command that builds it.
PLOT = CHECKOUT / ".venv-plot" if CHECKOUT else plot_runtime()
SETUP = "make setup" if CHECKOUT else "rrvf setup"
