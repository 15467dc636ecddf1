"""A profile for a folder of pictures, so that nobody has to write one: `--pictures` of `rrvf train grpo` and `eval`."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from rrvf.data import DataConfig, recipe
from rrvf.data.config import Folder
from rrvf.errors import UserError
from rrvf.folders import HOW_MADE
from rrvf.profile import CanvasConfig, EvalSet, Profile, load_profile


def with_folder(profile: Profile, folder: Path, domain_name: str) -> tuple[Profile, str]:
    """`profile` with the pictures of `folder` as its only data.

    Returns the new profile, and the name that its split, its grpo section and its evaluation share.

    The name holds a hash of the pictures: another content is another set, also in tables. What else the profile says of
    the domain is kept: the optimiser's settings, and the canvas that pictures and answers are drawn on.
    """
    canvas = getattr(profile.canvas, domain_name)
    split = Folder(kind="folder", path=str(folder), domain=domain_name, canvas=canvas)
    name = _name(folder.resolve().name, split)
    evaluation = EvalSet(
        benchmark="pictures",
        dataset=name,
        table=4,
        title=name,
        domain=domain_name,
        max_new_tokens=longest_reply(profile),
    )
    known = sorted(profile.grpo.values(), key=lambda section: domain_name not in section.domains)
    like = known[0] if known else None  # of another domain, where the profile trains none of this one
    sections = {name: like.model_copy(update={"domain": domain_name, "train_set": name})} if like else {}
    data = {name: split.model_dump(mode="json")}
    return profile.model_copy(
        update={"data": data, "grpo": sections, "sft": {}, "rft": {}, "evaluations": {name: evaluation}}
    ), name


def _name(title: str, split: Folder) -> str:
    """`My_charts-1a2b3c4d`: fit for a folder's name."""
    made = recipe("pictures", DataConfig({"pictures": split}))
    words = re.sub(r"[^\w.-]+", "_", title).strip("._-")[:60] or "pictures"
    return f"{words}-{hashlib.sha256(made.encode()).hexdigest()[:8]}"


def longest_reply(profile: Profile) -> int:
    """Tokens that a reply may have, as the profile evaluates."""
    return max((e.max_new_tokens for e in profile.evaluations.values()), default=4_096)


def profile_for(model: str) -> Profile:
    """The settings to ask a policy with: those of the nano profile for the nano policy and what was trained from it.

    Any other is asked in full words and draws at its own size; the judge is the embedded one for all.
    """
    nano = load_profile("nano")
    if prompts_of(model) == "nano":
        return nano
    policy = nano.policy.model_copy(update={"model": model, "prompts": "full", "dtype": "auto", "lora_rank": None})
    return nano.model_copy(update={"name": "any", "policy": policy, "canvas": CanvasConfig(), "evaluations": {}})


def prompts_of(model: str) -> str:
    """`nano` for the shipped policy (`base` too), what was trained from it and the calibration rows; else `full`."""
    if model in ("nano", "base", "reference", "blank"):
        return "nano"
    made = Path(model) / HOW_MADE
    try:
        return json.loads(made.read_text())["policy"]["prompts"] if made.is_file() else "full"
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{made} does not say how the policy was made: give --profile") from None
