"""The base class of a profile's sections, and the rule for their names."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _folder_name(name: str) -> str:
    """Check that a name is safe as a folder's name: runs, splits and results use it as one."""
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ValueError(
            f"{name!r} cannot name a folder: take letters, digits, '-', '_' and '.', a letter or digit first"
        )
    return name


#: The name of a profile, a section or a split.
Name = Annotated[str, AfterValidator(_folder_name)]


class Section(BaseModel):
    """Base of all sections: frozen, and refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def unset(value: object) -> bool:
    """Whether a setting has the value of older profiles, None or `own`: it is then not dumped and changes no hash."""
    return value in (None, "own")
