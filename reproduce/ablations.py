"""Train and evaluate the variants of `ablations.yaml`, and the controls: `python -m reproduce.ablations`.

The results are written to `results/ablations`, with a copy of the plan. Each variant and seed has its own study in
`runs/<profile>/ablations`, each control in `runs/<profile>/control`: a killed run continues where it stopped, and a
finished one is skipped. It takes hours on two cores; `--jobs 2` trains two at a time on one core each.
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

import pandas as pd
import yaml
from tqdm import tqdm

from rrvf.outputs import exit_code
from rrvf.profile import Profile, checked, laid_over, load_profile, training_folder
from rrvf.report.ablations import BASE, AblationRun, differences, evaluated, forest_figure, write_ablations
from rrvf.report.control import beside_control, control_figure, steps_of, trainings
from rrvf.report.runs import Summary
from rrvf.study import REPOSITORY, Study
from rrvf.training.logs import read_log

PLAN = Path(__file__).with_name("ablations.yaml")


@dataclass(frozen=True)
class Job:
    """One variant with one seed. variant BASE: the policy before training."""

    variant: str
    profile: Profile
    section: str
    evaluation: str

    @property
    def study(self) -> Study:
        """The study of this job, in `runs/PROFILE/ablations/VARIANT/SEED`."""
        folder = re.sub(r"\W+", "_", self.variant).strip("_")
        return Study(
            self.profile, REPOSITORY / "runs" / self.profile.name / "ablations" / folder / str(self.profile.seed)
        )

    def run(self) -> AblationRun:
        """Train and evaluate. Finished stages are only read."""
        study = self.study
        policy = "base" if self.variant == BASE else "rrvf"
        summary = study.evaluate(self.evaluation, policy)
        log = study.results / training_folder("grpo", self.section) / "log.jsonl"
        metrics = Summary.model_validate(summary).metrics
        return AblationRun(self.variant, self.profile.seed, metrics, read_log(log) if log.is_file() else [])


@dataclass(frozen=True)
class Control:
    """A section's whole training with learning rate 0. profile: with that rate, and the seed."""

    profile: Profile
    section: str

    @property
    def study(self) -> Study:
        """The study of this control, in `runs/PROFILE/control/SEED`."""
        return Study(self.profile, REPOSITORY / "runs" / self.profile.name / "control" / str(self.profile.seed))

    def run(self) -> list[dict]:
        """Train and return the step log."""
        return read_log(self.study.train_grpo(self.section).with_name("log.jsonl"))


def controls(profile: Profile, plan: dict[str, Any]) -> Iterator[Control]:
    """The controls of a plan: for each seed every section that it names."""
    for seed in plan["seeds"]:
        for section in plan["control"]:
            rate = {"seed": seed, "grpo": {section: {"learning_rate": 0.0}}}
            yield Control(checked(laid_over(profile.model_dump(), rate), f"{PLAN.name}: control"), section)


def jobs(profile: Profile, plan: dict[str, Any]) -> Iterator[Job]:
    """The jobs: the policy before training, then for each seed every variant."""
    shared = laid_over(profile.model_dump(), plan["shared"])
    yield Job(BASE, checked(shared, PLAN.name), plan["section"], plan["evaluation"])
    for seed in plan["seeds"]:
        for variant, change in plan["variants"].items():
            settings = laid_over(shared, change) | {"seed": seed}
            yield Job(variant, checked(settings, f"{PLAN.name}: {variant}"), plan["section"], plan["evaluation"])


def main() -> int:
    """Run the command and return its exit code: 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="nano")
    parser.add_argument("--jobs", type=int, default=1, help="number of variants to train at the same time")
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    return exit_code(lambda: run(load_profile(options.profile), options.jobs))


def run(profile: Profile, at_once: int) -> None:
    """Run all jobs and controls, `at_once` at a time. After each one the results so far are written."""
    text = PLAN.read_bytes()  # as it is now: somebody may edit it during the hours that follow
    plan, out = yaml.safe_load(text), REPOSITORY / "results" / "ablations"
    todo: list[Job | Control] = [*jobs(profile, plan), *controls(profile, plan)]
    todo[0].study.prepare_data()  # the controls read nothing but the same training pictures
    threads, done = max(1, (os.cpu_count() or 1) // at_once), {}
    with ProcessPoolExecutor(at_once, get_context("spawn"), set_threads, (threads,), max_tasks_per_child=1) as pool:
        working = {pool.submit(job.run): place for place, job in enumerate(todo)}
        for finished in tqdm(as_completed(working), total=len(working), desc="ablations"):
            done[working[finished]] = finished.result()
            runs, control = write([(todo[place], done[place]) for place in sorted(done)], out)
            (out / "plan.yaml").write_bytes(text)
    default = next(iter(plan["variants"]))
    forest_figure(differences(evaluated(runs), default), default).savefig(out / "differences.png", bbox_inches="tight")
    trained = trainings(REPOSITORY / "results" / profile.name, profile.seed, [plan["section"]])
    if len(trained):  # the profile has published trainings
        steps = beside_control(trained, control)
        control_figure(steps, plan["section"]).savefig(out / f"control_{plan['section']}.png", bbox_inches="tight")


def set_threads(threads: int) -> None:
    """Let torch use as many threads in this process."""
    import torch

    torch.set_num_threads(threads)


def write(results: list[tuple[Job | Control, Any]], out: Path) -> tuple[list[AblationRun], pd.DataFrame]:
    """Write the tables of what is done so far; returns its runs, and the steps of its controls."""
    runs = [found for job, found in results if isinstance(job, Job)]
    write_ablations(runs, out)
    logs = {(job.section, job.profile.seed): log for job, log in results if isinstance(job, Control)}
    control = steps_of(logs)
    control.to_csv(out / "control.csv", index=False, float_format="%.6g")
    return runs, control


if __name__ == "__main__":
    sys.exit(main())
