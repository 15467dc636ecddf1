"""What outlives a run: tables on the terminal, `results/<profile>`, on request the notebooks with their outputs."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

from rrvf.errors import UserError
from rrvf.folders import moved_aside
from rrvf.profile import Profile
from rrvf.records import json_lines

#: Under the runs folder: the tables and texts, what each number comes from, the learning curves.
KEPT = (
    "report/*.md", "report/*.csv", "report/*.tex", "report/*.png",
    "eval/*/*/summary.json", "eval/*/*/records.jsonl", "train/*/log.jsonl",
)  # fmt: skip
#: What `reproduce.seeds` puts beside them.
SEEDS = "seed-*"
#: Larger records are published without their texts (the true code of real pages); any other larger file is left out.
MAX_BYTES = 2**20
WITHOUT_TEXTS = {"reply": "", "code": None}
_STAGE = re.compile(r"^stage .*\n?", re.MULTILINE)


def publish_results(results: Path, out: Path) -> int:
    """Copy the small files of KEPT from `results` to `out`; gives their number.

    They take the place of what was there, but for other seeds.
    """
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    found = [path for pattern in KEPT for path in sorted(results.glob(pattern))]
    files = [p for p in found if _publishable(p) and not moved_aside(p.relative_to(results))]
    for path in files:
        target = partial / path.relative_to(results)
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copyfile if path.stat().st_size <= MAX_BYTES else _copy_without_texts)(path, target)
    for seed in out.glob(SEEDS):
        seed.rename(partial / seed.name)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return len(files)


def _publishable(path: Path) -> bool:
    return path.stat().st_size <= MAX_BYTES or path.name == "records.jsonl"


def _copy_without_texts(records: Path, target: Path) -> None:
    lines = (json.dumps(line | WITHOUT_TEXTS) for line in json_lines(records))
    target.write_text("".join(f"{line}\n" for line in lines))


def show_tables(profile: Profile, results: Path) -> None:
    """Tables 1 to 3 on the terminal."""
    from rrvf.report.runs import find_runs, find_seeds
    from rrvf.report.tables import build_tables
    from rrvf.report.writers import print_tables

    print_tables(build_tables(find_runs(results), profile, seeds=find_seeds(results)))


def publish_notebooks(profile: Profile, executed: Path, folder: Path) -> list[Path]:
    """Copy executed notebooks to `folder`, without what differs from run to run; gives their paths.

    UserError for any profile but the CPU default: its outputs are the ones that everybody can repeat.
    """
    if profile.name != "nano":
        raise UserError(f"the notebooks' outputs are published for the nano profile only, not for {profile.name}")
    return [_publish(path, folder / path.name) for path in sorted(executed.glob("[0-9]*.ipynb"))]


def code_digest(notebook) -> str:
    """A hash of a notebook's code, kept with the outputs: a changed text synced into a notebook leaves old outputs."""
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
    """Outputs without progress bars, warnings and what a stage says of itself: these name paths and times."""
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
