"""Runs the notebooks in order and remembers which are finished.

A notebook's key is a hash of its text, the package, the profile file and the notebooks before it. A notebook whose key
is on disk is skipped. Any other runs from its first cell, and the stages in it (rrvf.study) skip or continue by
themselves, so a run can be killed at any point. Imports here are light: a run that skips everything does not load
torch.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from reproduce.progress import Progress
from rrvf.errors import UserError
from rrvf.profile import profile_file

REPOSITORY = Path(__file__).parent.parent
NOTEBOOKS = REPOSITORY / "notebooks"


class NotebookFailed(Exception):
    """A cell raised or a kernel died. The message is one line with the notebook, the cell and the error."""


def run_notebooks(profile: str, results: Path, progress: Progress, folder: Path = NOTEBOOKS) -> None:
    """Run the unfinished notebooks of `folder/*.py`, with their outputs in `results/notebooks`.

    profile: a name or a path, the notebooks' parameter. A UserError in a cell is raised unchanged, any other failure as
    NotebookFailed.
    """
    out = results / "notebooks"
    out.mkdir(parents=True, exist_ok=True)
    for source, key in notebook_keys(profile, folder).items():
        if _finished(source, key, results):
            progress.say(f"{source.stem}: finished before")
            continue
        progress.say(f"{source.stem}: running")
        started = time.monotonic()
        execute(source, out / f"{source.stem}.ipynb", {"profile": profile, "results": str(results)}, progress)
        (out / f"{source.stem}.key").write_text(key)
        progress.say(f"{source.stem}: finished after {time.monotonic() - started:.0f} s")


def unfinished(profile: str, results: Path, folder: Path = NOTEBOOKS) -> list[Path]:
    """The notebooks that `run_notebooks` would run."""
    return [source for source, key in notebook_keys(profile, folder).items() if not _finished(source, key, results)]


def rerun_notebooks(results: Path) -> None:
    """Let the next run execute all notebooks again, after something that they show was made elsewhere.

    Their stages stay finished, so this takes minutes.
    """
    for key in (results / "notebooks").glob("*.key"):
        key.unlink()


def _finished(source: Path, key: str, results: Path) -> bool:
    stamp, executed = (results / "notebooks" / f"{source.stem}.{kind}" for kind in ("key", "ipynb"))
    return stamp.is_file() and stamp.read_text() == key and executed.is_file()


def notebook_keys(profile: str, folder: Path = NOTEBOOKS) -> dict[Path, str]:
    """The key of each notebook, by its text file, in order."""
    digest = hashlib.sha256(profile_file(profile).read_bytes())
    for path in sorted((REPOSITORY / "rrvf").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.read_bytes())
    keys = {}
    for source in sorted(folder.glob("[0-9]*.py")):
        digest.update(source.read_bytes())
        keys[source] = digest.hexdigest()[:16]
    return keys


def execute(source: Path, out: Path, parameters: dict[str, str], progress: Progress) -> None:
    """Run one notebook text file and write it to `out` after each cell."""
    import papermill  # slow to import, and not needed if all notebooks are skipped
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            read_notebook(source), out, parameters, kernel_name="python3", language="python", cwd=REPOSITORY,
            progress_bar=False, stdout_file=progress.stages, stderr_file=progress.bars,
            start_timeout=600,  # seconds; a busy machine is not a failure
            extra_arguments=["--log-level=ERROR"],  # hides a warning of each kernel that it listens on a socket
        )  # fmt: skip
    except PapermillExecutionError as error:
        message = (error.evalue.splitlines() or [""])[0]
        if error.ename == UserError.__name__:
            raise UserError(message) from None
        raise NotebookFailed(f"{source.stem}, cell {error.exec_count}: {error.ename}: {message}") from None
    except DeadKernelError:
        raise NotebookFailed(f"{source.stem}: its kernel died (out of memory?): see {out}") from None


def read_notebook(source: Path):
    """The notebook of a `py:percent` text, with cell ids that are the same at every reading."""
    import jupytext

    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
    return notebook
