"""`rrvf train`: RRVF from pictures, or the SFT baseline from pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rrvf.cli.options import PictureDomainOption, PicturesOption, ProfileOption
from rrvf.cli.studies import on_pictures, study_of
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.outputs import out_folder

app = typer.Typer(no_args_is_help=True, help="Train a policy: RRVF from pictures, or the SFT baseline from pairs.")

StepsOption = Annotated[int | None, typer.Option(min=1, help="optimiser steps, instead of the profile's")]
SeedOption = Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="seed, instead of the profile's")]
StartOption = Annotated[str | None, typer.Option(help="train from this folder or hub id, not the profile's policy")]


@app.command("grpo")
def train_grpo(
    out: Annotated[Path, typer.Option(help="the run's folder; the policy is DIR/final")],
    profile: ProfileOption = "nano",
    section: Annotated[
        list[str] | None,
        typer.Option(
            help="a grpo section of the profile; with several: all their pictures, the settings of the first "
            "[default: chart]"
        ),
    ] = None,
    pictures: PicturesOption = None,
    domain: PictureDomainOption = CHART.name,
    max_steps: StepsOption = None,
    seed: SeedOption = None,
    start: StartOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="continue the run in DIR")] = False,
) -> None:  # fmt: skip
    """RRVF: GRPO from pictures without code.

    Example: rrvf train grpo --section chart --section web --out runs/mine --max-steps 20

    Your own pictures: rrvf train grpo --pictures my_charts --domain chart --out runs/mine
    """
    from rrvf.training.mix import mixed

    if pictures and section:
        raise UserError("--pictures takes the profile's settings for --domain: leave --section out")
    study = study_of(profile, start=start)
    if pictures:
        study, name = on_pictures(study, pictures, domain)
        section = [name]
    config = _shortened(mixed([study.section("grpo", name) for name in section or [CHART.name]]), max_steps)
    out_folder(out)
    samples = study.pictures(config)

    from rrvf.training.grpo import train_grpo as train  # seconds, after what can be refused at once

    with study.tools_of(config) as tools:
        print(train(study.profile, config, samples, study.data, tools, out, seed, resume))


@app.command("sft")
def train_sft(
    out: Annotated[Path, typer.Option(help="the run's folder; the policy is DIR/final")],
    profile: ProfileOption = "nano",
    section: Annotated[str, typer.Option(help="an sft section of the profile")] = CHART.name,
    transcripts: Annotated[
        Path | None, typer.Option(help="a cold start: train on these episodes, not on pairs")
    ] = None,
    max_steps: StepsOption = None,
    seed: SeedOption = None,
    start: StartOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="continue the run in DIR")] = False,
) -> None:
    """The SFT baseline, from pictures with their true code; or a cold start, from episodes of several turns.

    Example: rrvf train sft --out runs/sft --max-steps 50

    Example: rrvf train sft --transcripts runs/mine/episodes.jsonl --out runs/warm
    """
    study = study_of(profile, start=start)
    config = _shortened(study.section("sft", section), max_steps)
    if transcripts:
        config = config.model_copy(update={"transcripts": str(transcripts)})
    out_folder(out)
    samples = study.split(config.train_set)

    from rrvf.training.sft import train_sft as train  # seconds, after what can be refused at once

    print(train(study.profile, config, samples, study.data / config.train_set, out, seed, resume))


def _shortened(config, max_steps: int | None):
    return config if max_steps is None else config.model_copy(update={"steps": max_steps})
