"""What the words of `rrvf eval` name: a policy, a profile, a part of a set, the folder of an evaluation."""

from __future__ import annotations

import re
from pathlib import Path

from rrvf.errors import UserError
from rrvf.profile import trained_policies, training_folder
from rrvf.rows import Row, load_rows
from rrvf.study import Study


def default_profile(policy: str) -> str:
    """The profile of an evaluation that names none: a row of the paper's tables belongs to the paper's."""
    return "paper" if _is_row(policy) else "nano"


def model_of(study: Study, policy: str, domain: str) -> str | Row | None:
    """What a policy's name stands for: nothing for a calibration row, a row of the paper's tables, else an address.

    UserError for a row that this profile trains and has not trained yet: an evaluation does not begin days of training.
    """
    if policy in ("reference", "blank"):
        return None
    if not _is_row(policy):
        return policy
    if policy in (trained := trained_policies(study.profile, domain)):
        kind, name = trained[policy]
        final = study.results / training_folder(kind, name) / "final"
        if not final.is_dir():
            raise UserError(
                f"{policy} is not trained yet ({final}): `make reproduce PROFILE={study.profile.name}` trains it"
            )
        return str(final)
    return study.model_of(policy, domain)


def _is_row(policy: str) -> bool:
    return policy in load_rows()  # a folder of the same name is ./NAME


def part_of(shard: str | None, turns: int | None = None) -> tuple[int, int] | None:
    """`i/n` as numbers.

    UserError for what is none, names no part, or stands beside turns, whose parts nothing joins.
    """
    if shard is None:
        return None
    if turns:
        raise UserError("an evaluation over turns is not run in parts: leave --shard or --turns out")
    found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", shard)
    number, of = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= of:
        raise UserError(f"--shard {shard}: write i/n, as 1/3, with i from 1 to n")
    return number, of


def place(
    study: Study, benchmark: str, policy: str, limit: int | None, part: tuple[int, int] | None, turns: int | None
) -> Path:
    """Where an evaluation goes that names no place: beside the profile's own, what is not whole apart from them."""
    name = re.sub(r"[^\w.-]+", "_", policy).strip("._") or "policy"
    if not (limit or part or turns):
        return study.results / "eval" / benchmark / name
    kinds = [
        f"first{limit}" if limit else "",
        f"part{part[0]}of{part[1]}" if part else "",
        f"turns{turns}" if turns else "",
    ]
    kind = "-".join(filter(None, kinds))
    return study.results / "partial" / benchmark / f"{name}-{kind}"
