"""What every section of a profile is, and what one may be called."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _folder_name(name: str) -> str:
    """A name that is safe as a folder's: runs, splits and results are kept under it."""
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ValueError(
            f"{name!r} cannot name a folder: take letters, digits, '-', '_' and '.', a letter or digit first"
        )
    return name


#: What a profile or a part of it is called.
Name = Annotated[str, AfterValidator(_folder_name)]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def unset(value: object) -> bool:
    """Left out of a profile's hash: what is not set changes nothing, so older results stay the profile's own."""
    return value in (None, "own")
