"""The hostile suite that every renderer must pass: `hostile/charts` and `hostile/pages`, one attack per file.

The first line of each file names its expected outcomes and, for a page whose scripts run, `scripts`. A
program that succeeds in an attack raises an error with LEAK; a page empties itself, which gives a blank picture.
`bench/soak.py` uses the suite too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "hostile"
#: Long texts, by the word that stands for them in the files.
FILLING = {
    "__BLOB__": "QUJD" * 6000,
    "__SPACED__": "QUJD " * 6000,
    "__NOISE__": "".join(f"{(i * 7919**3) % 1_000_003:x}" for i in range(16_000)),
    "__LONG__": "word " * 50_000,
    "__NULL__": "\0",
    "__NUMBERS__": "0.25, " * 6000,
    "__DEEP__": "(" * 5000 + ")" * 5000,
    "__DEEP_SIGNS__": "-" * 100_000,
    "__NESTED__": "<div>" * 20_000,
    "__BLURS__": "<div></div>" * 300,
    "__PICTURES__": "".join(f"<img src='https://pictures.invalid/random/2000x2000/?{i}'>" for i in range(3000)),
    "__RECTANGLES__": "".join(f"<rect x='{i % 99}' y='{i // 99}' width='1' height='1'/>" for i in range(1500)),
    "__SHADOWS__": ",".join(f"{i % 99}px {i // 99}px 0 #{i:06x}" for i in range(3000)),
}


@dataclass(frozen=True)
class Attack:
    """One hostile program. `aimed` replaces `__PORT__` and `__CANARY__` in `code`."""

    name: str
    expected: tuple[str, ...]
    scripts: bool
    code: str

    @property
    def may_time_out(self) -> bool:
        return "timeout" in self.expected

    def aimed(self, port: int, canary: Path) -> str:
        """The program with the port and the canary file that it attacks."""
        return self.code.replace("__PORT__", str(port)).replace("__CANARY__", str(canary))


def attacks(domain: str) -> list[Attack]:
    """All attacks of a domain, in name order."""
    pattern = "charts/*.py" if domain == "chart" else "pages/*.html"
    return [_read(path) for path in sorted(FOLDER.glob(pattern))]


def _read(path: Path) -> Attack:
    source = path.read_text()
    expected, *flags = source.splitlines()[0].strip("<!-#> ").removeprefix("expect: ").split()
    for word, text in FILLING.items():
        source = source.replace(word, text)
    return Attack(path.stem, tuple(expected.split(",")), "scripts" in flags, source)
