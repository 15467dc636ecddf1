"""Run the baselines best of N and RFT, and more seeds, after `make reproduce`: `python -m reproduce.seeds`.

The baselines run with the profile's own seed in `runs/<profile>`. Then each further seed has its own study under
`runs/<profile>/seeds/N`, on the same pictures. A killed run continues where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from reproduce.driver import rerun_notebooks
from reproduce.judge import served_judge
from reproduce.progress import Progress
from reproduce.publish import DONE, show_tables
from rrvf.errors import UserError
from rrvf.folders import make
from rrvf.outputs import end_on_signals, exit_code
from rrvf.profile import Profile, baselines, load_profile, trained_policies
from rrvf.study import REPOSITORY, Study


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code, as in `python -m reproduce`."""
    parser = argparse.ArgumentParser(prog="python -m reproduce.seeds", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="nano", help="nano, gpu, paper, or a YAML file")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1, 2], help="seeds to add to the profile's [default: 1 2]"
    )
    options = parser.parse_args(arguments)
    end_on_signals()
    return exit_code(lambda: repeat(load_profile(options.profile), options.seeds))


def repeat(profile: Profile, seeds: Sequence[int]) -> None:
    """Run the baselines and every seed, and print the tables with all of them."""
    if bad := [seed for seed in seeds if not 0 <= seed < 2**32]:
        raise UserError(f"seed {bad[0]} is not between 0 and {2**32 - 1}: name another")
    if profile.seed in seeds:
        raise UserError(f"seed {profile.seed} is the profile's own, which `make reproduce` runs: name other seeds")
    own = Study(profile, REPOSITORY / "runs" / profile.name)
    own.prepare_data()
    with served_judge(profile, own.results, Progress()):
        _run_all(own, seeds)
    rerun_notebooks(own.results)
    show_tables(profile, own.results)
    print("run `make reproduce` again: it puts them into the report and the notebooks", flush=True)


def _run_all(own: Study, seeds: Sequence[int]) -> None:
    profile = own.profile
    for name, config in profile.evaluations.items():
        for policy in baselines(profile, config.domain):
            own.evaluate(name, policy)
    for seed in seeds:
        study = seed_study(profile, seed)
        (study.results / DONE).unlink(missing_ok=True)
        for name, config in profile.evaluations.items():
            for policy in trained_policies(profile, config.domain):
                study.evaluate(name, policy)
        make(study.results)
        (study.results / DONE).touch()
        print(f"seed {seed}: {study.results.relative_to(REPOSITORY)}", flush=True)


def seed_study(profile: Profile, seed: int) -> Study:
    """The profile with another seed, on the same pictures."""
    results = REPOSITORY / "runs" / profile.name / "seeds" / str(seed)
    return Study(profile.model_copy(update={"seed": seed}), results)


if __name__ == "__main__":
    sys.exit(main())
