"""What is wrong with a person's settings, in one line.

Every key that is unknown or missing, and the nearest known one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

#: Faults that one message names. Further ones wait for the next run.
MOST = 4


def explained(error: ValidationError, model: type[BaseModel], where: str = "") -> str:
    """The faults of `error`, which `model` raised, unknown keys first. `where`: the place of the model in its file."""
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    told = [_told(fault, model.model_json_schema(), where) for fault in faults[:MOST]]
    more = [f"and {len(faults) - MOST} more"] if len(faults) > MOST else []
    return "; ".join(told + more)


def _told(fault: Any, schema: dict, where: str) -> str:
    place = ".".join(filter(None, (where, *map(str, fault["loc"])))) or "the top level"
    if fault["type"] == "missing":
        return f"{place} is missing"
    if fault["type"] != "extra_forbidden":
        return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
    known = sorted(_keys(schema, schema, fault["loc"][:-1]))
    near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
    return f"{place} is no setting: {f'perhaps {near[0]} is meant' if near else 'there are ' + ', '.join(known)}"


def _keys(schema: dict, node: dict, place: tuple) -> set[str]:
    """The keys that the settings at `place` may have, by the schema that pydantic makes of a model."""
    forms = list(_forms(schema, node))
    if not place:
        return {key for form in forms for key in form.get("properties", {})}
    inner: set[str] = set()
    for form in forms:
        # A kind of split is part of pydantic's place, but no key of the file.
        kinds = form.get("discriminator", {}).get("mapping", {})
        below = form.get("properties", {}).get(place[0]) or form.get("additionalProperties")
        if place[0] in kinds:
            inner |= _keys(schema, {"$ref": kinds[place[0]]}, place[1:])
        elif isinstance(below, dict):
            inner |= _keys(schema, below, place[1:])
    return inner


def _forms(schema: dict, node: dict) -> Iterator[dict]:
    """`node` with references followed, and each form that it may take."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    yield node
    for form in node.get("anyOf", []):
        yield from _forms(schema, form)
