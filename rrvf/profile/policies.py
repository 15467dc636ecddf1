"""The policies of a profile: their names in tables, and the folders of the trained ones."""

from __future__ import annotations

from rrvf.profile.settings import Profile
from rrvf.profile.training import RFTConfigSection

#: Rows of every table that show the range of its numbers: the true code, and a blank picture.
CALIBRATION = ("reference", "blank")


def trained_policies(profile: Profile, domain: str) -> dict[str, tuple[str, str]]:
    """The policies that a profile trains for a domain: name in tables to (kind, section).

    The names are `sft`, `rft` and `rrvf`. If a kind has several sections for the domain, the one with the domain's name
    (else the first) has the plain name, and the others are called like `rrvf_SECTION`.
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
    """`bestN` by name, if the domain has an rft section: the judge picks the best of N answers of the base policy.

    The section gives N and the sampling settings.
    """
    return {f"best{section.samples}": section for section in profile.rft.values() if section.domain == domain}


def table_policies(profile: Profile, domain: str) -> list[str]:
    """The policies of a table's block, in order: calibration rows, the base policy, best of N, the trained policies."""
    return [*CALIBRATION, "base", *drawn_policies(profile, domain), *trained_policies(profile, domain)]


def baselines(profile: Profile, domain: str) -> list[str]:
    """The policies that an rft section adds to `table_policies`; `make seeds` runs them.

    They show what picking among samples gives without RRVF's training loop.
    """
    trained = trained_policies(profile, domain)
    return [*drawn_policies(profile, domain), *(title for title, (kind, _) in trained.items() if kind == "rft")]


def training_folder(kind: str, section: str) -> str:
    """The folder of a training within a study's results. kind: grpo, sft or rft."""
    return f"train/{'rrvf' if kind == 'grpo' else kind}_{section}"
