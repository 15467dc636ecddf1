"""Whether each stage of a profile fits this machine, or a described machine that is not rented yet."""

from __future__ import annotations

from pathlib import Path

from rrvf.plan.access import hub_access, judge_access, table_judge_access
from rrvf.plan.machine import read_description, this_machine
from rrvf.plan.stages import stages
from rrvf.profile import Profile, load_profile


def profile_report(name: str, description: Path | None = None) -> tuple[str, bool]:
    """A line per stage of profile `name`, and whether all stages fit.

    description: a YAML file of another machine; None: this machine. For a described machine, judge and hub are not
    asked. Raises UserError for a bad profile or file.
    """
    profile = load_profile(name)
    machine = read_description(description) if description else this_machine()
    asked = []
    if not description:
        asked = [judge_access(profile), table_judge_access(profile), hub_access(profile, _ready(profile))]
    access = [answer for answer in asked if answer]
    answers = any(answer.fits for answer in access if answer.name == "access: judge")
    found = [*stages(profile, machine, answers), *access]
    lines = [f"profile {profile.name}: {machine.described()}"]
    for stage in found:
        lines.append(f"{'fits' if stage.fits else 'NO':8}{stage.name:18}{stage.found}".rstrip())
        lines += [f"{'':26}change: {stage.change}"] if stage.change else []
    if description:
        lines.append(f"not asked: the judge, the hub; run `rrvf doctor --profile {name}` on the machine itself")
    fits = all(stage.fits for stage in found)
    lines.append(f"\nPROFILE={profile.name} {'fits' if fits else 'does not run there until this is changed'}.")
    return "\n".join(lines), fits


def _ready(profile: Profile) -> list[str]:
    """The names of the splits that are already built."""
    # Imported here because it loads judge and renderers, which a described machine does not need.
    from rrvf.data import DataConfig, is_ready
    from rrvf.study import Study

    config, folder = DataConfig.read(profile.data), Study(profile).data
    return [name for name in config.root if is_ready(name, config, folder)]
