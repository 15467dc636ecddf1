"""`rrvf data`: build and check the data sets of a profile."""

from __future__ import annotations

import typer

from rrvf.cli.options import ProfileOption
from rrvf.cli.studies import study_of

app = typer.Typer(no_args_is_help=True, help="Build and check the data sets of a profile.")


@app.command("prepare")
def data_prepare(profile: ProfileOption = "nano") -> None:
    """Build the missing splits of a profile.

    Example: rrvf data prepare --profile nano
    """
    study_of(profile).prepare_data()


@app.command("prompts")
def data_prompts(profile: ProfileOption = "paper") -> None:
    """Download the benchmarks' own prompts at pinned commits and check them. Official judge scores need them.

    Example: rrvf data prompts
    """
    from rrvf.data.prompts import download

    for path in download(study_of(profile).prompts):
        print(path)


@app.command("verify")
def data_verify(profile: ProfileOption = "nano") -> None:
    """Check every picture of a profile's splits against its manifest, and count near-duplicates across splits.

    Example: rrvf data verify
    """
    from rrvf.data import DataConfig, overlaps, split_digest, verify

    study = study_of(profile)
    config = DataConfig.read(study.profile.data)
    for name, count in verify(config, study.data).items():
        print(f"{name}: {count} pictures, digest {split_digest(name, study.data)}")
    for (one, two), found in overlaps(config, study.data).items():
        same = sum(bool(d.same_code) for d in found)
        print(f"{one} and {two}: {same} of the same code, {len(found)} near-duplicates")
