"""What must hold of a profile's sets before hours are spent on them."""

from __future__ import annotations

from collections.abc import Callable

from rrvf.data import DataConfig
from rrvf.errors import UserError
from rrvf.profile import EvalSet, Profile
from rrvf.records import Sample


def check_apart(profile: Profile) -> None:
    """UserError if a set that the profile evaluates on may hold pictures that it trains on."""
    data = DataConfig.read(profile.data).root
    trained = {name for section in profile.grpo.values() for name in section.train_sets}
    trained |= {section.train_set for section in (*profile.sft.values(), *profile.rft.values())}
    for tested in sorted({config.dataset for config in profile.evaluations.values()} & data.keys()):
        for name in sorted(trained & data.keys()):
            if tested == name or data[tested].overlaps(data[name]) or data[name].overlaps(data[tested]):
                raise UserError(
                    f"{tested}, a set of an evaluation, may hold pictures of {name}, which is trained on: give both a "
                    "`part` (train, test) of one folder, or name other pictures"
                )


def check_pairs(profile: Profile, split: Callable[[str], list[Sample]]) -> None:
    """UserError for an sft section on pictures without code, before RRVF is trained for hours."""
    for name, section in profile.sft.items():
        bare = [] if section.transcripts else [s.id for s in split(section.train_set) if s.code is None]
        if bare:
            raise UserError(
                f"sft {name}: {len(bare)} pictures of {section.train_set} have no code (first: {bare[0]}), which "
                "SFT needs: take the section out of the profile; RRVF needs no code"
            )


def check_labels(config: EvalSet, samples: list[Sample]) -> None:
    """UserError if a benchmark that compares with true code is given samples without code."""
    bare = [s.id for s in samples if s.code is None]
    if bare and config.benchmark not in ("plot2code", "pictures"):
        raise UserError(
            f"{len(bare)} of {len(samples)} samples of {config.dataset} have no code (first: {bare[0]}), and "
            f"{config.benchmark} compares with the true code: name another dataset, or the benchmark pictures, which "
            "needs no code"
        )
