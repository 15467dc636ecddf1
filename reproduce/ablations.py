"""Train and evaluate the variants of `ablations.yaml`: `python -m reproduce.ablations`.

The study of `ablations.yaml`, trained, evaluated and written to `results/ablations`.

Each variant and seed is a study of its own under `runs/<profile>/ablations`, in stages like any other: a killed run
goes on where it was, a finished one is skipped. Hours on two cores; `--jobs 2` trains two at a time on one core each.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from rrvf.errors import UserError
from rrvf.outputs import exit_code
from rrvf.profile import Profile, checked, load_profile, training_folder
from rrvf.report.ablations import BASE, AblationRun, differences, evaluated, forest_figure, write_ablations
from rrvf.report.runs import Summary
from rrvf.study import REPOSITORY, Study
from rrvf.training.logs import read_log

PLAN = Path(__file__).with_name("ablations.yaml")


@dataclass(frozen=True)
class Job:
    """One variant with one seed; `variant` BASE is the policy before any training."""

    variant: str
    profile: Profile
    section: str
    evaluation: str

    @property
    def study(self) -> Study:
        """Its own folder under `runs/PROFILE/ablations`, by variant and seed."""
        folder = re.sub(r"\W+", "_", self.variant).strip("_")
        return Study(
            self.profile, REPOSITORY / "runs" / self.profile.name / "ablations" / folder / str(self.profile.seed)
        )

    def run(self, threads: int) -> AblationRun:
        """Train and evaluate; what is finished is only read."""
        import torch

        torch.set_num_threads(threads)
        study = self.study
        policy = "base" if self.variant == BASE else "rrvf"
        summary = study.evaluate(self.evaluation, policy)
        log = study.results / training_folder("grpo", self.section) / "log.jsonl"
        metrics = Summary.model_validate(summary).metrics
        return AblationRun(self.variant, self.profile.seed, metrics, read_log(log) if log.is_file() else [])


def jobs(profile: Profile, plan: dict[str, Any]) -> Iterator[Job]:
    """The policy before training, then every variant with every seed, seed by seed."""
    shared = changed(profile.model_dump(), plan["shared"])
    yield Job(BASE, checked(shared, PLAN.name), plan["section"], plan["evaluation"])
    for seed in plan["seeds"]:
        for variant, change in plan["variants"].items():
            settings = changed(shared, change) | {"seed": seed}
            yield Job(variant, checked(settings, f"{PLAN.name}: {variant}"), plan["section"], plan["evaluation"])


def changed(settings: dict, change: dict) -> dict:
    """`settings` with `change` laid over it, section by section. UserError where a key of a section is unknown."""
    merged = dict(settings)
    for key, value in change.items():
        if key not in settings:
            raise UserError(f"{PLAN.name}: the profile has no {key!r}: it has {', '.join(settings)}")
        merged[key] = changed(settings[key], value) if isinstance(value, dict) else value
    return merged


def main() -> int:
    """The exit code: 0, or 2 for bad input, in one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="nano")
    parser.add_argument("--jobs", type=int, default=1, help="trained at the same time")
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error("--jobs: one at least")
    return exit_code(
        lambda: run(list(jobs(load_profile(options.profile), yaml.safe_load(PLAN.read_text()))), options.jobs)
    )


def run(todo: list[Job], at_once: int) -> None:
    """All of `todo`; the results so far are written after each."""
    todo[0].study.prepare_data()
    threads, done, out = max(1, (os.cpu_count() or 1) // at_once), {}, REPOSITORY / "results" / "ablations"
    with ProcessPoolExecutor(at_once, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        working = {pool.submit(job.run, threads): place for place, job in enumerate(todo)}
        for finished in tqdm(as_completed(working), total=len(working), desc="ablations"):
            done[working[finished]] = finished.result()
            write_ablations(runs := [done[place] for place in sorted(done)], out)
    default = runs[1].variant
    forest_figure(differences(evaluated(runs), default), default).savefig(out / "differences.png", bbox_inches="tight")


if __name__ == "__main__":
    sys.exit(main())
