"""Builds the plotting runtime of an installed package: `rrvf setup`; a checkout has `make setup`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rrvf import places
from rrvf.chromium import find_chromium
from rrvf.errors import UserError
from rrvf.folders import owned

#: Matplotlib lists the machine's fonts at its first import; the sandbox cannot.
FIRST_IMPORT = "import matplotlib.pyplot"


def pins() -> dict[str, str]:
    """The version of each package that the plotting runtime is asked to hold."""
    return dict(re.findall(r"^([\w-]+)==([\w.]+)", places.PLOT_PINS.read_text(), re.MULTILINE))


def build(lock: Path = places.PLOT_LOCK, runtime: Path = places.PLOT, first: str = FIRST_IMPORT) -> Path:
    """Build a virtual environment at `runtime` from the hashes in `lock`, and return its path.

    A finished one is kept; one without an interpreter is replaced. It is built in a partial folder and then renamed, so
    that a kill leaves no half environment. UserError if a step fails.
    """
    partial = runtime.with_name(f".{runtime.name}.partial")
    with owned(runtime.parent, wait=True, lock=runtime.with_name(f".{runtime.name}.lock")):
        if (runtime / "bin" / "python").exists():
            return runtime
        shutil.rmtree(partial, ignore_errors=True)
        python = partial / "bin" / "python"
        _run("cannot make a virtual environment", sys.executable, "-m", "venv", partial)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        _run("cannot install the plotting libraries", *pip, "install", "--require-hashes", "--no-deps", "-r", lock)
        _run("cannot remove pip", *pip, "uninstall", "--yes", "pip", "setuptools")
        fonts = {"MPLCONFIGDIR": str(partial / ".mplconfig")}
        _run("the plotting libraries do not start", python, "-c", first, **fonts)
        _readable(partial)
        shutil.rmtree(runtime, ignore_errors=True)
        partial.rename(runtime)
    return runtime


def others(runtime: Path = places.PLOT) -> list[Path]:
    """Runtimes of other versions of the package, beside this one."""
    return sorted(p for p in runtime.parent.glob("plot*") if p.is_dir() and p != runtime)


def browser() -> str:
    """The path of a Chromium, downloaded by Playwright where the machine has none. UserError where that fails."""
    try:
        return find_chromium()
    except UserError:
        _run("cannot download a Chromium", sys.executable, "-m", "playwright", "install", "chromium-headless-shell")
        return find_chromium()


def _readable(folder: Path) -> None:
    """Make what is built here readable for all users: under root, unprivileged users draw the charts."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def _run(trouble: str, *command, **environment: str) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise UserError(f"{trouble}: {told[-1]}")
