"""Several domains in one run."""

from __future__ import annotations

from rrvf.domains import PAPER
from rrvf.errors import UserError
from rrvf.profile import GRPOConfigSection


def mixed(sections: list[GRPOConfigSection]) -> GRPOConfigSection:
    """Join sections into one: the pictures and steps of all, every other setting from the first.

    A single section is returned unchanged. UserError if two share a train set: its pictures would count twice.
    """
    sets = [name for section in sections for name in section.train_sets]
    if len(set(sets)) < len(sets):
        raise UserError(f"train sets given twice among {', '.join(sets)}: name each section once")
    if len(sections) == 1:
        return sections[0]
    domains = tuple(dict.fromkeys(name for section in sections for name in section.domains))
    update = {
        "domain": "both" if set(domains) == set(PAPER) else domains if len(domains) > 1 else domains[0],
        "train_set": tuple(sets),
        "steps": sum(section.steps for section in sections),
    }
    return sections[0].model_copy(update=update)
