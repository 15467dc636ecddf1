"""Resolves the options of `rrvf eval`: policy, profile, part of a set, and output folder."""

from __future__ import annotations

import re
from pathlib import Path

from rrvf.errors import UserError
from rrvf.policies.names import checked
from rrvf.profile import trained_policies, training_folder
from rrvf.rows import Row, load_rows
from rrvf.study import Study


def default_profile(policy: str) -> str:
    """The profile of an evaluation without --profile: `paper` for a row of the paper's tables, else `nano`."""
    return "paper" if _is_row(policy) else "nano"


def model_of(study: Study, policy: str, domain: str) -> str | Row | None:
    """The model behind a policy's name: None for a calibration row, a row of the paper's tables, or an address.

    A row that the profile trains becomes the folder of its trained policy. Raises UserError if it is not trained yet,
    so that an evaluation does not begin days of training.
    """
    if policy in ("reference", "blank"):
        return None
    if not _is_row(policy):
        return checked(policy)
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
    return policy in load_rows()  # write ./NAME for a folder with the name of a row


def part_of(shard: str | None, turns: int | None = None) -> tuple[int, int] | None:
    """The numbers (i, n) of `i/n`; None stays None.

    Raises UserError if the text is not i/n with 1 <= i <= n, and if `turns` is given: no command joins such parts.
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
    """The default output folder: with the profile's own evaluations, or in `partial/` with limit, part or turns."""
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
