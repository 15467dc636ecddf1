"""Finds a profile's YAML file by name or path, reads it and checks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rrvf.errors import UserError, first_line
from rrvf.places import SHIPPED
from rrvf.profile.settings import Profile
from rrvf.wrong_keys import explained

PROFILES = (SHIPPED / "profiles").resolve()
SUFFIXES = (".yaml", ".yml")


def shipped_profiles() -> dict[str, Path]:
    """The YAML files of the shipped profiles by name."""
    return {path.stem: path for path in sorted(PROFILES.glob("*.yaml"))}


def profile_file(name_or_path: str) -> Path:
    """The YAML file of a profile by name (`nano`, `gpu`, `paper`) or by path. UserError if there is none."""
    known = shipped_profiles()
    path = known.get(name_or_path, Path(name_or_path))
    if not path.is_file():
        names = ", ".join(known)
        near = [found for found in map(path.with_suffix, SUFFIXES) if found.is_file()] if path.name else []
        meant = f"do you mean {near[0]}?" if near else f"name one of {names}, or a YAML file"
        raise UserError(f"no profile at {name_or_path}: {meant}")
    return path


class _Loader(yaml.SafeLoader):
    """Refuses a key that a section has twice. Plain YAML would silently take the last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value} appears twice", problem_mark=key.start_mark
                )
            seen |= {key.value} if isinstance(key, yaml.ScalarNode) else set()
        mapping: dict = super().construct_mapping(node, deep)
        return mapping


def load_profile(name_or_path: str) -> Profile:
    """A profile by name or path. UserError names the file, and the line or the keys that are wrong."""
    path = profile_file(name_or_path)
    try:
        return checked(yaml.load(path.read_text(encoding="utf-8-sig"), _Loader), str(path))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: the file is not UTF-8: save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}, line {mark.line + 1}" if mark else f"{path}"
        raise UserError(f"{place}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {first_line(error)}") from None


def checked(settings: object, source: str) -> Profile:
    """`settings` as a profile. UserError names `source`, where they come from, and the keys that are wrong."""
    if not isinstance(settings, dict):
        raise UserError(f"{source} holds no settings: begin with a copy of {PROFILES / 'nano.yaml'}")
    try:
        return Profile.model_validate(settings)
    except ValidationError as error:
        raise UserError(f"{source}: {explained(error, Profile)}") from None


def laid_over(settings: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`settings` with the values of `change`, section by section."""
    merged = dict(settings)
    for key, value in change.items():
        merged[key] = laid_over(settings.get(key) or {}, value) if isinstance(value, dict) else value
    return merged
