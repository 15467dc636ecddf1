"""Prints a run's tables. Publishes its results in `results/<profile>`, and its executed notebooks in `notebooks/`."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

from rrvf.errors import UserError
from rrvf.folders import moved_aside
from rrvf.profile import Profile
from rrvf.records import WITHOUT_TEXTS, json_lines

#: Published files of the runs folder: tables and texts, the records behind each number, the learning curves.
KEPT = (
    "report/*.md", "report/*.csv", "report/*.tex", "report/*.png",
    "eval/*/*/summary.json", "eval/*/*/records.jsonl", "train/*/log.jsonl",
)  # fmt: skip
#: In the folder of a seed once all of it was run (`reproduce.seeds`).
DONE = "finished"
#: Records above this size are published without their texts, such as the code of real pages. Other files above it are
#: left out.
MAX_BYTES = 2**20
_STAGE = re.compile(r"^stage .*\n?", re.MULTILINE)


def publish_results(results: Path, out: Path) -> int:
    """Copy the small files of KEPT from `results` to `out`, and of `seeds/N` in it to `seed-N`. Returns their number.

    They replace the content of `out`, except for seeds that were not run here. UserError for one that was run in part,
    since the report counts it.
    """
    for seed in results.glob("seeds/*"):
        if any(seed.glob("eval/*/*/summary.json")) and not (seed / DONE).is_file():
            raise UserError(f"{seed} is not whole: run `make seeds` again, then `make reproduce`, then publish")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    seeds = {f"seed-{done.parent.name}": done.parent for done in sorted(results.glob(f"seeds/*/{DONE}"))}
    copied = sum(_copy(folder, partial / name) for name, folder in {"": results, **seeds}.items())
    for seed in (folder for folder in out.glob("seed-*") if folder.name not in seeds):
        shutil.copytree(seed, partial / seed.name)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return copied


def _copy(results: Path, out: Path) -> int:
    """Copy the small files of KEPT, and return their number."""
    found = [path for pattern in KEPT for path in sorted(results.glob(pattern))]
    kept = (p for p in found if _is_small(p) or p.name == "records.jsonl")
    files = [p for p in kept if not moved_aside(p.relative_to(results))]
    for path in files:
        target = out / path.relative_to(results)
        target.parent.mkdir(parents=True, exist_ok=True)
        if _is_small(path):
            shutil.copyfile(path, target)
        else:
            target.write_text("".join(json.dumps(line | WITHOUT_TEXTS) + "\n" for line in json_lines(path)))
    return len(files)


def _is_small(path: Path) -> bool:
    return path.stat().st_size <= MAX_BYTES


def show_tables(profile: Profile, results: Path) -> None:
    """Print Tables 1 to 3 to the terminal."""
    from rrvf.report.runs import find_runs, find_seeds
    from rrvf.report.tables import build_tables
    from rrvf.report.writers import print_tables

    print_tables(build_tables(find_runs(results), profile, seeds=find_seeds(results)))


def publish_notebooks(executed: Path, folder: Path) -> list[Path]:
    """Copy executed notebooks to `folder`, without the parts that differ from run to run. Returns their paths."""
    return [_publish(path, folder / path.name) for path in sorted(executed.glob("[0-9]*.ipynb"))]


def code_digest(notebook) -> str:
    """A hash of a notebook's code, stored with its outputs.

    It shows outputs that are out of date: a changed text can be synced into a notebook without running it.
    """
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:16]


def _publish(path: Path, target: Path) -> Path:
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    for key in ("papermill", "widgets"):
        notebook.metadata.pop(key, None)
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    for count, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        cell.execution_count, cell.outputs = count, _worth_keeping(cell.outputs)
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
    notebook.metadata["executed"] = code_digest(notebook)
    nbformat.write(notebook, target)
    return target


def _worth_keeping(outputs: list) -> list:
    """Outputs without progress bars, warnings and stage lines, which contain paths and times."""
    kept = []
    for output in outputs:
        if kept and output.get("name") == kept[-1].get("name") == "stdout":
            kept[-1].text += output.text
        elif not _passing(output):
            kept.append(output)
    for output in kept:
        if output.get("name") == "stdout":
            output.text = _STAGE.sub("", output.text)
    return [output for output in kept if output.get("text") != ""]


def _passing(output) -> bool:
    data = output.get("data", {})
    bar = "<progress" in data.get("text/html", "") or "application/vnd.jupyter.widget-view+json" in data
    return bar or output.get("name") == "stderr"
