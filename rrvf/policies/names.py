"""Checks the address of a policy before torch is loaded."""

from __future__ import annotations

from pathlib import Path

from rrvf.errors import UserError


def checked(model: str) -> str:
    """The address itself. Raises UserError, before torch is loaded, if it is a path without a model.

    A hub id has at most one slash. An id that the hub does not have is found out when it is loaded.
    """
    path = Path(model).expanduser()
    is_path = path.exists() or model.startswith((".", "~", "/")) or model.count("/") > 1
    if model != "nano" and not is_url(model) and is_path and not (path / "config.json").is_file():
        raise UserError(f"no model at {model}: name a folder with config.json and weights, a hub id, or a URL")
    return model


def is_url(model: str) -> bool:
    """Whether the address is that of an endpoint."""
    return model.startswith(("http://", "https://"))
