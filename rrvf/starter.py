"""A profile to start from: every setting of a known one, each with a comment that says what it does (`rrvf init`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rrvf.data import DataConfig
from rrvf.errors import UserError
from rrvf.profile import SUFFIXES, Profile, checked


def write_starter(profile: Profile, path: Path) -> Path:
    """Write `profile` with comments to `path`, under that file's name.

    UserError where there is one, or for a name that a profile cannot have.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: call it NAME.yaml")
    if path.exists():
        raise UserError(f"{path} is there already: choose another name, or remove it")
    checked(profile.model_dump() | {"name": path.stem}, str(path))
    # Not what was checked: a dump leaves out settings that have no effect on a result.
    named = {"name": path.stem, "latencies": profile.latencies or profile.name}
    text = starter(profile.model_copy(update=named))
    path.write_text(f"# A copy of the profile `{profile.name}`, to be changed.\n{text}", encoding="utf-8")
    return path


def starter(profile: Profile) -> str:
    """`profile` as YAML, a comment behind each key: the words of the settings classes."""
    typed = profile.model_copy(update={"data": DataConfig.read(profile.data).root})
    return "".join(f"{line}\n" for line in _lines(typed))


def _lines(section: BaseModel, indent: str = "") -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        yield from _entry(name, getattr(section, name), comment(field), indent)


def _entry(name: str, value: Any, told: str, indent: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield f"{indent}{name}:  # {told or _first_line(value)}"
        yield from _lines(value, indent + "  ")
    elif isinstance(value, dict) and value:
        inside = next(iter(value.values()))
        yield f"{indent}{name}:  # {told or _first_line(inside)}"
        for key, inner in value.items():
            yield from _entry(key, inner, "", indent + "  ")
    else:
        yield f"{indent}{name}: {plain(value)}  # {told}"


def comment(field: FieldInfo) -> str:
    """What a setting says of itself, in YAML's words."""
    return re.sub(r"\bNone\b", "null", " ".join((field.description or "").split()))


def _first_line(section: BaseModel) -> str:
    return (type(section).__doc__ or "").strip().splitlines()[0]


def plain(value: Any) -> str:
    """A value in YAML's one-line form."""
    if is_dataclass(value):
        value = asdict(value)
    if isinstance(value, tuple):
        value = list(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
