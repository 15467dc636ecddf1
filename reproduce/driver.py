"""Runs the notebooks in order and remembers which are finished.

A notebook's key is the hash of its text, of the package, of the profile file and of the notebooks before it. One whose
key is on disk is skipped; any other is run from its first cell, and the stages inside it (rrvf.study) skip or continue
themselves. So a run may be killed at any point. What is imported here stays light: a run that skips all starts no
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
    """A cell raised, or a kernel died; the message is one line with the notebook, the cell and the error."""


def run_notebooks(profile: str, results: Path, progress: Progress, folder: Path = NOTEBOOKS) -> None:
    """Run what is not finished of `folder/*.py` into `results/notebooks`.

    `profile` is a name or a path, as the notebooks' parameter. UserError from a cell is raised as it is, NotebookFailed
    for any other failure.
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


def _finished(source: Path, key: str, results: Path) -> bool:
    stamp, executed = (results / "notebooks" / f"{source.stem}.{kind}" for kind in ("key", "ipynb"))
    return stamp.is_file() and stamp.read_text() == key and executed.is_file()


def notebook_keys(profile: str, folder: Path = NOTEBOOKS) -> dict[Path, str]:
    """Each notebook's text file with its key, in order."""
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
    """Run one notebook text file into `out`, which grows cell by cell."""
    import papermill  # slow to import, and a run that skips all needs none of it
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            read_notebook(source), out, parameters, kernel_name="python3", language="python", cwd=REPOSITORY,
            progress_bar=False, stdout_file=progress.stages, stderr_file=progress.bars,
            start_timeout=600,  # seconds; a busy machine is no failure
            extra_arguments=["--log-level=ERROR"],  # else each kernel warns that it listens on a socket
        )  # fmt: skip
    except PapermillExecutionError as error:
        message = (error.evalue.splitlines() or [""])[0]
        if error.ename == UserError.__name__:
            raise UserError(message) from None
        raise NotebookFailed(f"{source.stem}, cell {error.exec_count}: {error.ename}: {message}") from None
    except DeadKernelError:
        raise NotebookFailed(f"{source.stem}: its kernel died (out of memory?): see {out}") from None


def read_notebook(source: Path):
    """The notebook of a `py:percent` text, with cell ids that do not change from one reading to the next."""
    import jupytext

    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
    return notebook
