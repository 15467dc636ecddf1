"""Checks the address of a policy before torch is loaded."""

from __future__ import annotations

import re
from pathlib import Path

from rrvf.errors import UserError

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


def is_url(model: str) -> bool:
    """Whether the address is that of an endpoint."""
    return model.startswith(("http://", "https://"))
