"""The model rows of the paper's tables: how each is measured (`reproduce/models.yaml`).

find_row("gpt-4o").model        # gpt-4o-2024-11-20
"""

from __future__ import annotations

import datetime
from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from rrvf.errors import UserError
from rrvf.places import SHIPPED
from rrvf.profile import Section
from rrvf.wrong_keys import explained

MODELS = SHIPPED / "models.yaml"


class Decoding(Section):
    """A row's decoding, if not its set's. `temperature` None is not sent; `max_tokens` None is the set's."""

    temperature: float | None = 0.0
    max_tokens: int | None = Field(default=None, ge=1)


class Row(Section):
    """One row; the fields are described at the head of `reproduce/models.yaml`."""

    name: str = ""
    tables: tuple[Literal[1, 2, 3], ...]
    route: Literal["openai", "vllm", "trained", "reported"]
    model: str | None = None
    revision: str | None = None
    url: str | None = None
    key: str | None = None
    decoding: Decoding = Decoding()
    prompt: Literal["set", "own"] = "set"
    gpus: int = Field(default=1, ge=1, description="GPUs that share one copy of the weights")
    until: datetime.date | None = None
    beside: str | None = Field(default=None, alias="as")
    access: str = ""
    reason: str = ""
    hardware: str = "none"
    hours: float = 0.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            "openai": ("model", "url", "key"),
            "vllm": ("model",),
            "reported": ("reason",),
        }
        for name in needed.get(self.route, ()):
            if not getattr(self, name):
                raise ValueError(f"a row by the route {self.route} needs `{name}`")
        return self

    @property
    def paper_key(self) -> str:
        """The paper's row that it stands beside."""
        return self.beside or self.name

    def why_reported(self, today: datetime.date | None = None) -> str | None:
        """Why the row is printed as the paper has it and not measured; None where it can be."""
        if self.route == "reported":
            return self.reason
        if self.until and (today or _today()) >= self.until:
            return f"{self.model} was shut down by its maker on {self.until}"
        return None


def _today() -> datetime.date:
    return datetime.date.today()


@cache
def load_rows(path: Path = MODELS) -> dict[str, Row]:
    """All rows by key. UserError names the file with the row and the key that is wrong."""
    rows = {}
    for key, raw in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        try:
            rows[key] = Row.model_validate({**raw, "name": key})
        except ValidationError as error:
            raise UserError(f"{path}: {explained(error, Row, key)}") from None
    return rows


def find_row(key: str) -> Row:
    """A row that can be measured.

    UserError for an unknown one, with the keys that exist, or one that is reported only.
    """
    rows = load_rows()
    if key not in rows:
        raise UserError(f"{MODELS.name} has no row {key!r}: it has {', '.join(rows)}")
    if why := rows[key].why_reported():
        raise UserError(f"{key} is reported only: {why}; the tables print the paper's row")
    return rows[key]


def paper_key(policy: str) -> str:
    """The paper's row beside which a policy stands: its own name, if no row says otherwise."""
    rows = load_rows()
    return rows[policy].paper_key if policy in rows else policy
