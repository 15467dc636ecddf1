"""`python -m reproduce.seeds --profile nano`: train and evaluate with further seeds, so that tables say how far a seed goes.

Each seed is a study of its own under `runs/<profile>/seeds/N`, on the profile's pictures, in stages like any other: a killed
run goes on where it was. What it came to is put into `results/<profile>/seed-N`. `make reproduce` is the first seed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from reproduce.publish import publish_results, show_tables
from rrvf.errors import UserError
from rrvf.outputs import trouble
from rrvf.profile import Profile, drawn_policies, load_profile, trained_policies
from rrvf.study import REPOSITORY, Study


def main(arguments: list[str] | None = None) -> int:
    """The command; gives its exit code, as `python -m reproduce`."""
    parser = argparse.ArgumentParser(prog="python -m reproduce.seeds", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="nano", help="nano, gpu, paper, or a YAML file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="besides the profile's own [default: 1 2]")
    options = parser.parse_args(arguments)
    try:
        repeat(load_profile(options.profile), options.seeds)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if (line := trouble(error)) is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: run the same command again to continue", file=sys.stderr)
        return 130
    return 0


def repeat(profile: Profile, seeds: Sequence[int]) -> None:
    """Every seed to its published results, then the tables with all of them."""
    if profile.seed in seeds:
        raise UserError(f"seed {profile.seed} is the profile's own, which `make reproduce` runs: name others")
    for seed in seeds:
        study = seed_study(profile, seed)
        study.prepare_data()
        for name, policy in seeded(profile):
            study.evaluate(name, policy)
        out = REPOSITORY / "results" / profile.name / f"seed-{seed}"
        print(f"seed {seed}: {publish_results(study.results, out)} files in {out.relative_to(REPOSITORY)}", flush=True)
    if (runs := REPOSITORY / "runs" / profile.name / "eval").is_dir():
        show_tables(profile, runs.parent)


def seed_study(profile: Profile, seed: int) -> Study:
    """The profile with another seed, on the same pictures."""
    results = REPOSITORY / "runs" / profile.name / "seeds" / str(seed)
    return Study(profile.model_copy(update={"seed": seed}), results)


def seeded(profile: Profile) -> list[tuple[str, str]]:
    """Each set with each policy on it that another seed changes: what is trained, and what is drawn."""
    return [
        (name, policy)
        for name, config in profile.evaluations.items()
        for policy in (*trained_policies(profile, config.domain), *drawn_policies(profile, config.domain))
    ]


if __name__ == "__main__":
    sys.exit(main())
