"""Checks the address of a policy, and finds how it was trained, before torch is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rrvf.errors import UserError
from rrvf.folders import how_trained

#: `organisation/model`, and perhaps the commit of its weights.
HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+(@\w+)?")


def hub_parts(model: str) -> tuple[str, str | None]:
    """Hub id and commit of `ID@COMMIT`. Any other address, such as a folder, is returned whole, with None."""
    found = HUB_ID.fullmatch(model)
    if not found or not found[1] or Path(model).exists():
        return model, None
    hub_id, _, commit = model.partition("@")
    return hub_id, commit


def checked(model: str) -> str:
    """The address itself. Raises UserError if it is neither `nano`, a URL, a folder with a model, nor a hub id.

    Whether the hub has the model is found out when it is loaded.
    """
    folder = Path(model)
    hub_id = HUB_ID.fullmatch(model) and not folder.exists()
    if not (model == "nano" or is_url(model) or hub_id or (folder / "config.json").is_file()):
        raise UserError(
            f"no model at {model!r}: name a folder with config.json and weights, a hub id like "
            "Qwen/Qwen2.5-VL-7B-Instruct, or a URL like http://localhost:8000/v1"
        )
    return model


@dataclass(frozen=True)
class Feedback:
    """The form of the feedback in an episode: the similarity without words, and the hint before the last turn."""

    bare_score: bool = False
    hint: bool = True


def feedback_of(model: str) -> Feedback:
    """The feedback that a policy was trained with; the default for a policy that was not trained here.

    UserError for one that was trained with its drafts' pictures, which only training shows.
    """
    config = how_trained(model).get("config", {})
    if config.get("attach_render"):
        raise UserError(f"{model} was trained with attach_render, and only training shows drafts: ask it for one turn")
    return Feedback(config.get("feedback") == "score", config.get("last_turn_hint", True))


def is_url(model: str) -> bool:
    """Whether the address is that of an endpoint."""
    return model.startswith(("http://", "https://"))
