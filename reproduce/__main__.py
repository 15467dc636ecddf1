"""Reproduce a profile: `python -m reproduce --profile nano`.

It runs the notebooks in `runs/<profile>` and prints Tables 1 to 3.

Exit codes: 0 success; 1 a notebook failed; 2 bad input; 130 interrupted. Each failure is explained in one line. Run the
command again to continue.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from reproduce.driver import REPOSITORY, NotebookFailed, run_notebooks, unfinished
from reproduce.progress import Progress
from reproduce.publish import publish_notebooks, publish_results, show_tables
from rrvf.errors import UserError
from rrvf.folders import owned
from rrvf.outputs import end_on_signals, exit_code
from rrvf.profile import Profile, load_profile
from rrvf.report.runs import find_seeds


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m reproduce", description="Run the notebooks and print Tables 1 to 3."
    )
    parser.add_argument("--profile", default="nano", help="nano, gpu, paper, or a YAML file")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="replace results/PROFILE by these results; of nano also the saved outputs in notebooks/",
    )
    options = parser.parse_args(arguments)
    end_on_signals()
    progress = Progress()
    try:
        return exit_code(partial(reproduce, options.profile, options.publish, progress), progress.fail)
    except NotebookFailed as error:
        progress.fail(str(error))
        return 1


def _judge(name: str, profile: Profile, results: Path, progress: Progress) -> AbstractContextManager[None]:
    """Serves the profile's judge if `judge.serve` is set and a notebook is left to run; else does nothing."""
    if not profile.judge.serve or not unfinished(name, results):
        return nullcontext()
    from reproduce.judge import served_judge

    return served_judge(profile, results, progress)


def check_whole(profile: Profile) -> None:
    """UserError for a profile that the notebooks cannot follow: it must train by RRVF, and evaluate what it trains."""
    first = next(iter(profile.grpo.values()), None)
    if first is None or not any(config.domain in first.domains for config in profile.evaluations.values()):
        raise UserError(
            f"profile {profile.name} needs a first grpo section and an evaluation of its domain: add them, or use "
            "`rrvf train` or `rrvf eval`, which need only one of them"
        )


def reproduce(name: str, publish: bool, progress: Progress) -> None:
    """Run the notebooks of profile `name` and print the tables.

    publish: copy the results to `results/<profile>`. The committed notebooks are those of nano: copy them too if it is
    nano. Without it nothing that is committed changes, so the tests still compare with the published results.
    """
    profile = load_profile(name)
    check_whole(profile)
    results = REPOSITORY / "runs" / profile.name
    progress.say(f"profile {profile.name}, settings {profile.hash}, runs in {results.relative_to(REPOSITORY)}")
    with owned(results):
        with _judge(name, profile, results, progress):
            run_notebooks(name, results, progress)
        if publish:
            kept = publish_results(results, REPOSITORY / "results" / profile.name)
            progress.say(f"published: {kept} files in results/{profile.name}")
        if publish and profile.name == "nano":
            publish_notebooks(results / "notebooks", REPOSITORY / "notebooks")
    show_tables(profile, results)
    progress.say(f"Tables 1 to 3 as Markdown, CSV, LaTeX and pictures: {(results / 'report').relative_to(REPOSITORY)}")
    if not find_seeds(results):
        progress.say(f"one seed ({profile.seed}), without best of n and RFT: `make seeds` runs them too")
    progress.say(f"the sample browser: {(results / 'report' / 'browser' / 'index.html').relative_to(REPOSITORY)}")


if __name__ == "__main__":
    sys.exit(main())
