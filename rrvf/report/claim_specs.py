"""The paper's claims from `reproduce/claims.yaml`: inequalities between table cells, and sentences without a cell.

load_claims()[0].pairs()        # [("exec_rate", "rrvf", "base")]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from rrvf.errors import UserError, first_line
from rrvf.places import SHIPPED

CLAIMS = SHIPPED / "claims.yaml"
T = TypeVar("T", bound=BaseModel)


class CellSpec(BaseModel):
    """Cells of one table: one or several rows, one or several columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Literal[1, 2, 3]
    row: tuple[str, ...]
    column: tuple[str, ...]

    @field_validator("row", "column", mode="before")
    @classmethod
    def _listed(cls, value):
        return (value,) if isinstance(value, str) else value


class ClaimSpec(BaseModel):
    """One claim of `claims.yaml`: left - right `relation` margin, for every pair of its cells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    statement: str
    where: str
    left: CellSpec
    right: CellSpec
    relation: Literal[">", "<"] = ">"
    margin: float = 0.0
    stand_in: str | None = None

    def pairs(self) -> list[tuple[str, str, str]]:
        """(column, left row, right row) of every inequality in the claim."""
        columns = self.left.column
        return [(c, left, right) for c in columns for left in self.left.row for right in self.right.row]

    def named(self, column: str, right_row: str) -> str:
        """The words that distinguish one of the claim's inequalities from the others; empty if there is only one."""
        several = ((right_row, self.right.row), (column, self.left.column))
        return ", ".join(name for name, names in several if len(names) > 1)

    def needed(self) -> list[str]:
        """The rows that must be measured to test the claim, without duplicates."""
        return list(dict.fromkeys((*self.left.row, *self.right.row)))

    def holds(self, value: float) -> bool:
        """Whether a difference, in the metric's unit, lies on the claimed side of the margin."""
        return value > self.margin if self.relation == ">" else value < self.margin


class Untested(BaseModel):
    """A sentence that asserts a result without a table cell for it. instead: what gives evidence for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    statement: str
    where: str
    instead: str


def load_claims(path: Path = CLAIMS) -> list[ClaimSpec]:
    """The claims of a YAML file. The UserError names the claim and the wrong key."""
    return _loaded(path, "claims", ClaimSpec)


def load_untested(path: Path = CLAIMS) -> list[Untested]:
    """The sentences of the same file that have no table cell."""
    return _loaded(path, "untested", Untested)


def _loaded(path: Path, part: str, kind: type[T]) -> list[T]:
    try:
        return [_entry(path, raw, kind) for raw in yaml.safe_load(path.read_text(encoding="utf-8"))[part]]
    except (OSError, TypeError, KeyError, yaml.YAMLError) as error:
        raise UserError(f"{path} holds no list of claims: {first_line(error)}") from None


def _entry(path: Path, raw: Any, kind: type[T]) -> T:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        named = raw.get("id", raw.get("statement", "an entry")) if isinstance(raw, dict) else "an entry"
        first = error.errors()[0]
        raise UserError(f"{path}: {named}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
