"""The policies of a profile: what tables call them, and where the trained ones lie."""

from __future__ import annotations

from rrvf.profile.settings import Profile
from rrvf.profile.training import RFTConfigSection

#: Rows of every table that say what its numbers can be: the true code, and nothing drawn.
CALIBRATION = ("reference", "blank")


def trained_policies(profile: Profile, domain: str) -> dict[str, tuple[str, str]]:
    """The policies that a profile trains for a domain: what tables call them, and their kind and section.

    They are `sft`, `rft` and `rrvf`; of several sections the one called as the domain is, else the first, has the plain
    name and the others have their own behind it: `rrvf_NAME`.
    """
    found = {}
    for title, kind, sections in (
        ("sft", "sft", profile.sft),
        ("rft", "rft", profile.rft),
        ("rrvf", "grpo", profile.grpo),
    ):
        names = [n for n, section in sections.items() if domain in getattr(section, "domains", (section.domain,))]
        for name in sorted(names, key=lambda name: name != domain):
            found[title if title not in found else f"{title}_{name}"] = (kind, name)
    return found


def drawn_policies(profile: Profile, domain: str) -> dict[str, RFTConfigSection]:
    """`bestN` where the domain has an rft section: the base, of whose N answers, drawn so, the judge picks one."""
    return {f"best{section.samples}": section for section in profile.rft.values() if section.domain == domain}


def table_policies(profile: Profile, domain: str) -> list[str]:
    """The policies of a table's block in order: two calibration rows, the base without training, then the trained."""
    return [*CALIBRATION, "base", *drawn_policies(profile, domain), *trained_policies(profile, domain)]


def baselines(profile: Profile, domain: str) -> list[str]:
    """Those of `table_policies` that an rft section adds, and `make seeds` runs: what picking gives without a loop."""
    trained = trained_policies(profile, domain)
    return [*drawn_policies(profile, domain), *(title for title, (kind, _) in trained.items() if kind == "rft")]


def training_folder(kind: str, section: str) -> str:
    """Where a training lies in a study's results. kind: grpo, sft or rft."""
    return f"train/{'rrvf' if kind == 'grpo' else kind}_{section}"
