"""Score published answers of other models and compare with the scores that were published with them.

    python -m reproduce.answers --model gpt-4o

A fork of ChartMimic holds six models' answers to the benchmark's older pictures, with the official evaluator's scores.
The true scripts are in ChartMimic's own history. Both are fetched at pinned commits into `data/public` and are not part
of this project. This needs no model and no key, so it tests the harness on real answers without cost. Exit codes as in
`python -m reproduce`.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile, rmtree

from tqdm import tqdm

from rrvf.benchmarks.results import read_results
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.outputs import exit_code, out_folder, say
from rrvf.profile import load_profile
from rrvf.records import json_lines
from rrvf.render import Limits
from rrvf.render.files import render_folder
from rrvf.study import Study

PROFILE = Path(__file__).with_suffix(".yaml")
SET = "ori_500"


@dataclass(frozen=True)
class Source:
    """One folder of a public repository at a commit."""

    repository: str
    commit: str
    folder: str

    def fetch(self, place: Path, host: str) -> Path:
        """Fetch the folder to `place` unless it exists, and return its path. Raises UserError if that fails."""
        if not place.is_dir():
            part = place.with_name(f"{place.name}.part")  # renamed last, so that `place` is never incomplete
            rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            _git(part, "init", "--quiet")
            _git(part, "config", "remote.origin.url", f"{host}/{self.repository}")
            _git(part, "fetch", "--quiet", "--depth", "1", "--filter", "blob:none", "origin", self.commit)
            _git(part, "checkout", "--quiet", "FETCH_HEAD", "--", self.folder)  # downloads only this folder's files
            part.rename(place)
        return place / self.folder


TRUTH = Source("ChartMimic/ChartMimic", "7ee16fbac40e70e2f3d5a79bbc47ca1e867c5575", "dataset/ori_500")
ANSWERS = Source("JackLingjie/ChartMimic", "f0ba1b64d97e2b1dce9d30cf90d503f90025d883", "results/direct")
#: The name of each score in the published lines, in our order.
PUBLISHED = {"text": "text_metrics", "layout": "layout_metrics", "type": "chart_type_metrics", "color": "color_metrics"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m reproduce.answers", description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="gpt-4o", help="model of the answers: gpt-4o, gpt-4o-mini, MiniCPM-V-2_6, …")
    parser.add_argument("--limit", type=int, help="only the first N pictures")
    parser.add_argument("--host", default="https://github.com", help="host of the two repositories")
    options = parser.parse_args(arguments)
    work = lambda: print(compare(options.model, options.limit, options.host))  # noqa: E731
    return exit_code(work, say)


def compare(model: str, limit: int | None, host: str, place: Path = Path("data/public")) -> str:
    """Fetch answers and scripts, draw the scripts, score the answers. Returns a table of ours and published scores."""
    truth = TRUTH.fetch(place / "truth", host)
    published = ANSWERS.fetch(place / "answers", host)
    stem = f"chart2code_{model}_DirectAgent_results"
    if not (published / f"{stem}.json").is_file():
        files = (path.name for path in published.glob("*_DirectAgent_results.json"))
        known = sorted(name.removeprefix("chart2code_").partition("_DirectAgent")[0] for name in files)
        raise UserError(f"there are no answers of {model}: name one of {', '.join(known)}")
    names = pictures(truth, place / SET)
    replies = place / f"{model}.jsonl"
    said = answers(published / f"{stem}.json")
    replies.write_text("".join(json.dumps({"id": name, "reply": said.get(Path(name).stem)}) + "\n" for name in names))
    study = Study(load_profile(str(PROFILE)))
    out = out_folder(study.results / model)
    print(f"rrvf score --replies {replies} --benchmark {SET} --profile {PROFILE} --out {out}", file=sys.stderr)
    study.score_replies(SET, model, replies, out, limit)
    return beside(model, out, scores(published / f"{stem}_code4evaluation.json"))


def pictures(truth: Path, folder: Path) -> list[str]:
    """Draw the true scripts and copy them with their pictures to `folder`. Returns the pictures' names."""
    scripts = sorted(truth.glob("*.py"))
    if any(not (folder / script.name).is_file() for script in scripts):
        drawn = render_folder(CHART.name, truth, folder, 2, Limits(wall_s=120.0, cpu_s=60.0))
        for name, _ in tqdm(drawn, total=len(scripts), desc="draw the true scripts", unit="script"):
            copyfile(truth / f"{name}.py", folder / f"{name}.py")
    return sorted(path.name for path in folder.glob("*.png"))


def answers(path: Path) -> dict[str, str]:
    """A model's answers, by the picture's name. A line holds the text, or the endpoint's whole completion as JSON."""
    found = {}
    for line in json_lines(path):
        text = line["response"]
        with suppress(ValueError, TypeError, KeyError):  # not a completion, but the text itself
            text = json.loads(text)["choices"][0]["message"]["content"]
        found[Path(line["file"]).stem] = text
    return found


def scores(path: Path) -> dict[str, dict[str, float]]:
    """The published F1 of each answer, by the picture's name."""
    return {
        Path(line["orginial"]).stem: {metric: line[name]["f1"] for metric, name in PUBLISHED.items()}
        for line in json_lines(path)
    }


def beside(model: str, out: Path, theirs: dict[str, dict[str, float]]) -> str:
    """A table of mean scores in percent, over the answers that ran here and have a published score.

    The last column counts the answers whose two scores differ by at most 0.001.
    """
    records = read_results(out).values()
    ours = {Path(r.sample_id).stem: r.metrics for r in records if r.outcome == "scored"}
    both = [(ours[name], theirs[name]) for name in ours if name in theirs]
    if not both:
        raise UserError(f"no answer of {model} ran: see {out / 'summary.json'}")
    lines = [
        f"{model}: {len(both)} of {len(records)} answers ran and have a published score",
        "| score | here | published | equal |",
        "|---|---:|---:|---:|",
    ]
    for metric in PUBLISHED:
        pairs = [(a[metric] or 0.0, b[metric]) for a, b in both]
        means = [100 * math.fsum(side) / len(pairs) for side in zip(*pairs, strict=True)]
        equal = sum(math.isclose(a, b, abs_tol=1e-3) for a, b in pairs)
        lines.append(f"| {metric} | {means[0]:.2f} | {means[1]:.2f} | {equal} of {len(pairs)} |")
    return "\n".join(lines)


def _git(place: Path, *words: str) -> None:
    try:
        subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise UserError("git is missing and needed to fetch the public answers: install it") from None
    except subprocess.CalledProcessError as error:
        why = (error.stderr.strip() or "git failed").splitlines()[-1][:200]
        raise UserError(f"cannot fetch the public answers ({why}): check the network, then run it again") from None


if __name__ == "__main__":
    sys.exit(main())
