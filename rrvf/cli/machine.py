"""`rrvf setup`, `rrvf doctor` and `rrvf clean`: prepare a machine, check what it can run, free disk space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rrvf.cli.options import ProfileOption
from rrvf.cli.studies import study_of
from rrvf.errors import UserError

app = typer.Typer()


@app.command()
def setup() -> None:
    """Build the plotting runtime and find a Chromium, for an installed package. In a checkout use `make setup`.

    Example: rrvf setup
    """
    from rrvf import places, runtime

    if places.CHECKOUT:
        raise UserError("this is a checkout: run `make setup`")
    print(f"plotting runtime: {runtime.build()}")
    for other in runtime.others():
        print(f"plotting runtime of another version: {other} (remove it if no installed version uses it)")
    print(f"Chromium: {runtime.browser()}")


@app.command()
def doctor(
    profile: Annotated[
        str | None, typer.Option(help="nano, gpu, paper, or a YAML file: does each of its stages fit?")
    ] = None,
    machine: Annotated[
        Path | None,
        typer.Option(
            help="a YAML file that describes another machine: gpus, gpu_memory_gb, driver, disk_gb, ram_gb, judge_gpus"
        ),
    ] = None,
) -> None:
    """Show what this machine can run, what is missing and how to fix it. With a profile: whether each stage fits.

    Example: rrvf doctor

    Example: rrvf doctor --profile paper --machine rented.yaml
    """
    from rrvf.doctor import report as examine
    from rrvf.plan.fits import profile_report

    told, healthy = [], True
    if machine is None:
        text, healthy = examine()
        told.append(text)
    if profile or machine:
        text, fits = profile_report(profile or "nano", machine)
        told.append(text)
        healthy = healthy and fits
    print("\n\n".join(told))
    raise typer.Exit(0 if healthy else 1)


@app.command("clean")
def clean(
    stale: Annotated[
        bool, typer.Option("--stale", help="remove folders that were moved aside because their inputs changed")
    ],
    profile: ProfileOption = "nano",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """List outdated results in a profile's runs, and remove them after you confirm.

    Example: rrvf clean --stale --profile nano
    """
    if stale:
        _remove_stale(study_of(profile).results, yes)


def _remove_stale(results: Path, yes: bool = False) -> None:
    """Print the folders that `Study.stage` moved aside with their sizes, and remove them after a confirmation."""
    import shutil

    from rrvf.folders import ASIDE, moved_aside, owned

    aside = (path for path in results.glob(f"*/**/*{ASIDE}*") if path.is_dir())
    found = sorted(path for path in aside if not moved_aside(path.parent.relative_to(results)))
    if not found:
        print(f"nothing stale in {results}")
        return
    for path in found:
        print(f"{path}: {sum(f.stat().st_size for f in path.rglob('*') if f.is_file()) / 1e6:.1f} MB")
    if not (yes or typer.confirm(f"remove these {len(found)} folders for good?")):
        print("nothing was removed")
        return
    for path in found:
        with owned(path):  # fails if another process uses it
            shutil.rmtree(path)
    print(f"removed {len(found)} folders")
