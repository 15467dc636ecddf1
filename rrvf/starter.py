"""Writes a profile to start from: every setting of a known profile, with a comment that explains it (`rrvf init`)."""

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
    """Write `profile` with comments to `path`, named after that file; returns `path`.

    UserError if the file exists, or if its name cannot be a profile's name.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: call it NAME.yaml")
    if path.exists():
        raise UserError(f"{path} exists already: choose another name, or remove it")
    checked(profile.model_dump() | {"name": path.stem}, str(path))
    # Write a copy of `profile`, not the checked dump: a dump leaves out settings that change no result.
    named = {"name": path.stem, "latencies": profile.latencies or profile.name}
    text = starter(profile.model_copy(update=named))
    path.write_text(f"# A copy of the profile `{profile.name}`, to be changed.\n{text}", encoding="utf-8")
    return path


def starter(profile: Profile) -> str:
    """`profile` as YAML, with the description of each setting as a comment behind its key."""
    typed = profile.model_copy(update={"data": DataConfig.read(profile.data).root})
    return "".join(f"{line}\n" for line in _lines(typed))


def _lines(section: BaseModel, indent: str = "") -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        yield from _entry(name, getattr(section, name), comment(field), indent)


def _entry(name: str, value: Any, meaning: str, indent: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield f"{indent}{name}:  # {meaning or _first_line(value)}"
        yield from _lines(value, indent + "  ")
    elif isinstance(value, dict) and value:
        inside = next(iter(value.values()))
        yield f"{indent}{name}:  # {meaning or _first_line(inside)}"
        for key, inner in value.items():
            yield from _entry(key, inner, "", indent + "  ")
    else:
        yield f"{indent}{name}: {plain(value)}  # {meaning}"


def comment(field: FieldInfo) -> str:
    """The description of a setting, in one line and in YAML's terms (`null` for None)."""
    return re.sub(r"\bNone\b", "null", " ".join((field.description or "").split()))


def _first_line(section: BaseModel) -> str:
    return (type(section).__doc__ or "").strip().splitlines()[0]


def plain(value: Any) -> str:
    """A value as YAML in one line."""
    if is_dataclass(value):
        value = asdict(value)
    if isinstance(value, tuple):
        value = list(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
