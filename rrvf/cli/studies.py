"""Shared by several commands: find the study of a profile, show a summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rrvf.errors import UserError
from rrvf.outputs import say

if TYPE_CHECKING:
    from rrvf.profile import Profile
    from rrvf.study import Study


def study_of(profile: str, seed: int | None = None, start: str | None = None) -> Study:
    """The study of a profile by name or path. seed, start: replace the profile's seed and policy."""
    from rrvf.profile import load_profile

    settings = load_profile(profile)
    if start is not None:
        from rrvf.own_pictures import prompts_of
        from rrvf.policies.names import checked, is_url

        if is_url(checked(start)):
            raise UserError(f"--start {start}: a served model cannot be trained, name a folder or a hub id")

        if settings.policy.prompts == "nano" != prompts_of(start):
            say(f"{start} gets the nano policy's short prompts: --profile gpu gives a real model the full ones")
        settings = settings.model_copy(update={"policy": settings.policy.model_copy(update={"model": start})})
    return at_work(settings, seed)


def at_work(settings: Profile, seed: int | None = None) -> Study:
    """The study of these settings. seed: replaces theirs."""
    from rrvf.study import Study

    return Study(settings if seed is None else settings.model_copy(update={"seed": seed}))


def on_pictures(study: Study, folder: Path, domain: str) -> tuple[Study, str]:
    """The study with a folder of pictures as its data, and the name of its only section."""
    from rrvf.own_pictures import with_folder

    profile, name = with_folder(study.profile, folder, domain)
    return at_work(profile), name


def show_summary(summary: dict) -> None:
    """Print the counts and metrics of an evaluation's summary."""
    print(json.dumps({key: summary[key] for key in ("n", "outcomes", "metrics")}, indent=1))
