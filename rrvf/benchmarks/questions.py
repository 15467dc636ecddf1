"""The question that a policy is asked about a picture in an evaluation: this project's prompt or the benchmark's.

A benchmark's own text is downloaded (`rrvf.data.prompts`). Where it is missing, our wording of it is asked instead,
under a different id.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rrvf.data import prompts
from rrvf.domains import domain
from rrvf.profile import EvalSet
from rrvf.protocol import load_prompt

_OURS = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Question:
    """The text of a question. ChartMimic's has placeholders for the true figure's {width} and {height} in inches.

    id: its name in the tables.
    """

    id: str
    template: str

    @property
    def sha256(self) -> str:
        """The template's hash in hex digits, as recorded in the provenance."""
        return hashlib.sha256(self.template.encode()).hexdigest()

    @property
    def tells_size(self) -> bool:
        """Whether the policy is told the size of the true figure."""
        return "{width}" in self.template

    def text(self, size: tuple[float, float] | None = None) -> str:
        """The text for one picture. size: of the true figure, in inches; needed where `tells_size`."""
        if not self.tells_size:
            return self.template
        width, height = map(float, size)
        return self.template.replace("{width}", f"{width}").replace("{height}", f"{height}")


def question(config: EvalSet, style: str, folder: Path) -> Question:
    """The question of an evaluation set.

    style: which of this project's prompts. folder: of the benchmarks' downloaded texts.
    """
    if config.prompt == "own":
        return Question(f"{style}-direct", load_prompt(domain(config.domain), "direct", style).text)
    name = f"{config.benchmark}-direct"
    if text := prompts.text(name, folder):
        return Question(f"{name}-official", text)
    return Question(name, (_OURS / f"{config.benchmark}_direct.txt").read_text(encoding="utf-8").strip())
