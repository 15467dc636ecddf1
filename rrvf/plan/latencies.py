"""How long the parts of a step take on a kind of machine, each figure with its source."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from rrvf.domains import DomainName
from rrvf.errors import UserError
from rrvf.profile import Profile, Section

FILE = Path(__file__).parent / "latencies.yaml"


class Figure(Section):
    """One latency in seconds. kind: whether somebody measured it, here or elsewhere, or it is reckoned."""

    value: float = Field(ge=0)
    kind: Literal["measured", "estimate"]
    source: str


class Gpus(Section):
    """What a profile was written for. judge 0: none of its own; it shares the policy's, or is the embedded one."""

    policy: int
    judge: int


class Latencies(Section):
    """A profile's machine.

    decode: a token for the whole batch, plus `decode_each` for each episode in it, whose cache was `decode_width`
    tokens wide on average; it grows with the cache, unless that is 0. prefill: an episode's turn before its first
    token, plus `reread` for each token of its earlier turns. train: forward, backward and its share of the optimiser,
    per token on one process. render: by domain. judge_busy: what one question takes from the judge's throughput on
    `judge_reference_gpus`; compare and score: what its answer takes besides, many at once. step: the rest of a step.
    gpus: unless a plan names others.
    """

    decode: Figure
    decode_each: Figure
    decode_width: int
    prefill: Figure
    reread: Figure
    train: Figure
    render: dict[DomainName, Figure]
    judge_busy: Figure
    compare: Figure
    score: Figure
    step: Figure
    judge_reference_gpus: int = Field(description="0: the judge shares the renders' cores")
    gpus: Gpus
    continuous: bool = Field(
        description="finished episodes leave the batch, as in vLLM and here; else all are padded to the longest"
    )
    gpu_hour: Figure = Field(description="price, in dollars")
    turns: Figure = Field(description="turns per episode, unless a run's log tells")
    turn_tokens: Figure = Field(description="tokens that the policy writes per turn, unless a run's log tells")
    prompt_tokens: Figure = Field(description="picture and prompt")
    feedback_tokens: Figure

    def render_s(self, domain: str) -> float:
        """Seconds of a render; of a domain that nobody measured, those of the slowest that somebody did."""
        return (self.render.get(domain) or max(self.render.values(), key=lambda figure: figure.value)).value

    def figures(self) -> dict[str, Figure]:
        """Every figure by its name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        found |= {f"render {name}": figure for name, figure in self.render.items()}
        return {name.replace("_", " "): figure for name, figure in found.items() if isinstance(figure, Figure)}

    def estimates(self) -> list[str]:
        """The names of the figures that nobody measured."""
        return [name for name, figure in self.figures().items() if figure.kind == "estimate"]


def load_latencies(profile: Profile) -> Latencies:
    """The figures of the machine that a profile names in `latencies`, else of the one called as it is.

    UserError for none.
    """
    known, name = yaml.safe_load(FILE.read_text()), profile.latencies or profile.name
    if name not in known:
        raise UserError(
            f"no latencies called {name!r}: set `latencies` in profile {profile.name} to one of {', '.join(known)}, "
            f"or add {name} to rrvf/plan/latencies.yaml"
        )
    return Latencies.model_validate(known[name])
