"""The record of a domain, and the canvas that its pictures are drawn on."""

from __future__ import annotations

from dataclasses import dataclass

from rrvf.errors import UserError


@dataclass(frozen=True)
class Canvas:
    """The picture's size in pixels, owned by the harness and not by the policy's code.

    For charts also the resolution and the base font size; for pages the viewport. `full_page` makes `height` a
    minimum. A chart rendered with no canvas keeps the size that its script asks for, within the limits.
    """

    width: int
    height: int
    dpi: int = 100
    font_size: float = 10.0
    full_page: bool = False


@dataclass(frozen=True)
class Domain:
    """All that differs between domains.

    Prompts are files that its name stands in (`rrvf.protocol.prompts`, `rrvf.judge.prompts`).

    Fields that end in `_at` are the names of objects of upper layers, `module:object`, looked up where they are used
    (`pkgutil.resolve_name`): a domain imports none of those layers.
    """

    name: str
    #: The tool of Fig. 2b and its one argument; the word that opens a fence of the domain's code; the files of that
    #: code.
    tool_name: str
    tool_argument: str
    fence: str
    suffix: str
    #: Code that runs and draws an empty canvas, and code that draws something.
    blank: str
    sample: str

    #: Reading code out of an answer, as regular expressions: the words that open a fence of the language; how code
    #: begins that needs no fence; text inside code, in which a fence closes nothing.
    languages: str
    begins: str
    quoted: str

    #: The class of its renderers, `(workers, limits)`, and what reads a file of its code, `(path) -> str`.
    renderer_at: str
    reader_at: str
    #: How the embedded judge reads and compares its pictures: a `Reading`.
    reading_at: str
    #: What judges are calibrated on: controlled degradations by name, and a picture that may speak to its judge.
    damage_at: str
    saying_at: str

    #: Where a document without a fence begins and where it ends; what stands around it is no code.
    document: tuple[str, str] | None = None
    #: Code may be indented as a whole, as part of a list or of a quotation.
    dedented: bool = False
    #: What a render may extract besides its picture.
    traces: tuple[str, ...] = ()
    #: What kinds of picture a program draws, for the filter of the sample browser: `(code) -> tuple[str, ...]`.
    types_at: str = ""
    #: Modules of `rrvf.data.generated`, a common and a rare one, that the shipped policy was pre-trained on, and what
    #: it learned to think of a picture: `(spec, positions) -> str`.
    generators: tuple[str, ...] = ()
    thought_at: str = ""
    #: Whether the code says how large its picture is; else the canvas does.
    own_size: bool = True
    #: The benchmarks whose rules are for this domain.
    benchmarks: tuple[str, ...] = ()
    #: One of the paper's two: `both` in a profile names them, and every profile's hash covers their canvas.
    of_paper: bool = False

    def __str__(self) -> str:
        return self.name


#: Every domain by name.
DOMAINS: dict[str, Domain] = {}


def register(domain: Domain) -> Domain:
    """Make `domain` known under its name; gives it back."""
    DOMAINS[domain.name] = domain
    return domain


def domain(name: str) -> Domain:
    """The domain called `name`; raises UserError for a word that names none."""
    if name not in DOMAINS:
        raise UserError(f"no domain called {name!r}: choose one of {', '.join(DOMAINS)}")
    return DOMAINS[name]
