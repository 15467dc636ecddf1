"""The reference pages of the site, made from the code whenever the site is built: nothing here is copied by hand."""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rrvf.cli import app
from rrvf.data.config import AnySplit
from rrvf.environment import SETTINGS
from rrvf.profile import Profile
from rrvf.starter import comment, plain

REPOSITORY = Path(__file__).resolve().parents[2]


def commands() -> str:
    """Every command of `rrvf` with its arguments, then the make targets and the modules that have options."""
    told = "".join(_command("rrvf", typer.main.get_command(app)))
    modules = "\n".join(f"| `python -m {name}` | {line} |" for name, line in _modules())
    return (
        f"# Command line\n\n{told}\n## make\n\n| Target | What it does |\n|---|---|\n{_targets()}\n\n"
        f"## Modules with options\n\nEach has `--help`.\n\n| Command | What it does |\n|---|---|\n{modules}\n"
    )


def _command(name: str, command: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=name)
    usage = " ".join(piece.strip("{}") for piece in command.collect_usage_pieces(context))
    yield f"## {name}\n\n```\n{name} {usage}\n```\n\n{_examples(command.help or '')}\n\n"
    records = [param.get_help_record(context) for param in command.params]
    rows = [f"| {_cell(f'`{option}`')} | {_cell(meaning)} |" for option, meaning in filter(None, records)]
    if rows:
        yield "\n".join(["| Argument | Meaning |", "|---|---|", *rows]) + "\n\n"
    for inner, sub in sorted(getattr(command, "commands", {}).items()):
        yield from _command(f"{name} {inner}", sub)


def _examples(text: str) -> str:
    """A help text with its example lines, `Words: rrvf ...`, as code."""
    return re.sub(r"^(\S.*?): (rrvf .*)$", r"\1:\n\n```\n\2\n```", text, flags=re.MULTILINE)


def _targets() -> str:
    found = re.findall(r"^([a-z-]+):.*## (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    return "\n".join(f"| `make {target}` | {_cell(meaning)} |" for target, meaning in found)


def _modules() -> Iterator[tuple[str, str]]:
    """Modules that read options of their own, each with the first line of its docstring."""
    for path in sorted(p for top in ("reproduce", "rrvf") for p in (REPOSITORY / top).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "argparse.ArgumentParser(" in text:
            name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__main__")
            yield name, _cell(" ".join((ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].split())).rstrip(":")


def environment() -> str:
    """The settings that are environment variables."""
    rows = "\n".join(f"| `{name}` | {_cell(meaning)} |" for name, meaning in SETTINGS.items())
    head = "Secrets, and where a machine keeps its parts. All other settings stand in [profiles](profile.md)."
    return f"# Environment variables\n\n{head}\n\n| Variable | Meaning |\n|---|---|\n{rows}\n"


def profile() -> str:
    """Every key of a profile, section by section; then the kinds of data."""
    sections: dict[type[BaseModel], str] = {}
    _collect(Profile, "", sections)
    kinds = get_args(get_args(AnySplit)[0])
    head = (
        "A profile is one YAML file. `rrvf init --profile nano mine.yaml` writes one to start from, with these words "
        "behind each key. Unknown keys are refused.\n"
    )
    told = "\n".join(_section(f"`{where}`" if where else "The file itself", model) for model, where in sections.items())
    data = "\n".join(_section(f"`data.NAME`: {' or '.join(_values(kind))}", kind) for kind in kinds)
    return f"# Profile keys\n\n{head}\n{told}\n{data}"


def _collect(model: type[BaseModel], where: str, found: dict[type[BaseModel], str]) -> None:
    """The sections inside `model`, each at the first place where it stands."""
    if model in found:
        return
    found[model] = where
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            key = f"{name}.NAME" if get_origin(field.annotation) is dict else name
            _collect(inner, f"{where}.{key}".lstrip("."), found)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _values(kind: type[BaseModel]) -> list[str]:
    return [f"`{value}`" for value in get_args(kind.model_fields["kind"].annotation)]


def _section(title: str, model: type[BaseModel]) -> str:
    words = re.sub(r"\bNone\b", "null", (model.__doc__ or "").replace("\n    ", "\n")).strip()
    rows = "\n".join(_row(name, field) for name, field in model.model_fields.items())
    return f"## {title}\n\n{words}\n\n| Key | Meaning | Values | Default |\n|---|---|---|---|\n{rows}\n"


def _row(name: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else _cell(_default(field.get_default(call_default_factory=True)))
    inside = next(_models(field.annotation), None)
    meaning = comment(field) or ((inside.__doc__ or "").splitlines()[0] if inside else "")
    return f"| `{name}` | {_cell(meaning)} | {_cell(_kind(field.annotation))} | {default} |"


def _default(value: Any) -> str:
    return "its section's" if isinstance(value, BaseModel) else f"`{plain(value)}`"


#: How a composed type is written, by its origin.
_COMPOSED: dict[Any, Callable[[list[str]], str]] = {
    Annotated: lambda parts: parts[0],
    Union: " or ".join,
    types.UnionType: " or ".join,
    tuple: lambda parts: "list of " + parts[0],
    dict: lambda parts: "sections by name",
}


def _kind(annotation: Any) -> str:
    """A type in YAML's words."""
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin in _COMPOSED:
        return _COMPOSED[origin]([_kind(part) for part in get_args(annotation) if part is not Ellipsis])
    names = {type(None): "null", str: "text", int: "whole number", float: "number", bool: "true, false", Any: "any"}
    if annotation in names:
        return names[annotation]
    return "section" if isinstance(annotation, type) else str(annotation)


def _cell(text: str) -> str:
    """Text as Markdown for one cell of a table; what stands between backticks is left as it is."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    plain = (p if p.startswith("`") else re.sub(r"([<\[])", r"\\\1", p) for p in parts)
    return "".join(plain).replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {
    "reference/cli.md": commands,
    "reference/profile.md": profile,
    "reference/environment.md": environment,
}
