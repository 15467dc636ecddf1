"""The record that defines a domain, and the canvas of its pictures."""

from __future__ import annotations

from dataclasses import dataclass

from rrvf.errors import UserError


@dataclass(frozen=True)
class Canvas:
    """The picture's size in pixels, set by the harness and not by the policy's code.

    For charts it also sets the resolution and the base font size; for pages it is the viewport. `full_page` makes
    `height` a minimum. A chart rendered without a canvas keeps the size that its script sets, within the limits.
    """

    width: int
    height: int
    dpi: int = 100
    font_size: float = 10.0
    full_page: bool = False


@dataclass(frozen=True)
class Domain:
    """Everything that differs between domains.

    Prompts are files named after the domain (`rrvf.protocol.prompts`, `rrvf.judge.prompts`).

    Fields that end in `_at` name objects of upper layers as `module:object`. They are resolved where they are used
    (`pkgutil.resolve_name`), so a domain imports none of those layers.
    """

    name: str
    #: The tool of Fig. 2b and its one argument, the language tag of a fence, and the suffix of code files.
    tool_name: str
    tool_argument: str
    fence: str
    suffix: str
    #: Code that draws an empty canvas, and code that draws something.
    blank: str
    sample: str

    #: Regular expressions that find the code in an answer: the language tags of a fence; the start of code that needs
    #: no fence; text inside code in which a fence closes nothing.
    languages: str
    begins: str
    quoted: str

    #: The renderer class, `(workers, limits)`, and the function that reads a code file, `(path) -> str`.
    renderer_at: str
    reader_at: str
    #: How the embedded judge reads and compares pictures: a `Reading`.
    reading_at: str
    #: Inputs for the calibration of judges: controlled degradations by name, and a picture with text that addresses the
    #: judge.
    damage_at: str
    saying_at: str

    #: Where an unfenced document begins and ends; text around it is not code.
    document: tuple[str, str] | None = None
    #: Whether code may be indented as a whole, as in a list or a quotation.
    dedented: bool = False
    #: What a render may extract besides its picture.
    traces: tuple[str, ...] = ()
    #: The picture types that a program draws, for the filter of the sample browser: `(code) -> tuple[str, ...]`.
    types_at: str = ""
    #: Modules of `rrvf.data.generated` that the shipped policy was pre-trained on, a common and a rare one, and its
    #: thought about a picture: `(spec, positions) -> str`.
    generators: tuple[str, ...] = ()
    thought_at: str = ""
    #: Whether the code sets the size of its picture; else the canvas does.
    own_size: bool = True
    #: The benchmarks of this domain.
    benchmarks: tuple[str, ...] = ()
    #: Whether this is a domain of the paper: `both` in a profile names these, and every profile's hash covers their
    #: canvas.
    of_paper: bool = False

    def __str__(self) -> str:
        return self.name


#: Every domain by name.
DOMAINS: dict[str, Domain] = {}


def register(domain: Domain) -> Domain:
    """Add `domain` to `DOMAINS` under its name; returns it."""
    DOMAINS[domain.name] = domain
    return domain


def domain(name: str) -> Domain:
    """The domain called `name`. Raises UserError for an unknown name."""
    if name not in DOMAINS:
        raise UserError(f"no domain called {name!r}: choose one of {', '.join(DOMAINS)}")
    return DOMAINS[name]
