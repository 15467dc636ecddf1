"""Latencies of the parts of a training step on one kind of machine, each with its source."""

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
    """One figure, in seconds if it is a latency. kind: `measured` (here or elsewhere), or `estimate` (calculated)."""

    value: float = Field(ge=0)
    kind: Literal["measured", "estimate"]
    source: str


class Gpus(Section):
    """The GPUs that a profile was written for. judge 0: the judge shares the policy's GPU, or is the embedded one."""

    policy: int
    judge: int


class Latencies(Section):
    """The latencies of a profile's machine, in seconds.

    - decode: one token of the whole batch, plus `decode_each` for each episode in the batch. `decode_each` was measured
      at a cache of `decode_width` tokens on average and grows with the cache; with `decode_width` 0 it is constant.
    - prefill: one turn of an episode before its first token, plus `reread` for each token of its earlier turns.
    - train: forward, backward and the optimiser's share, per token on one process.
    - render: one render, by domain.
    - judge_busy: one question's part of the judge's throughput on `judge_reference_gpus`: 1 / (questions per second).
    - compare, score: the additional time until the answer; many questions can wait at once.
    - step: everything else in a step.
    - gpus: the default number of GPUs of a plan.
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
        description="true: finished episodes leave the batch, as in vLLM and here; false: all are padded to the longest"
    )
    gpu_hour: Figure = Field(description="price, in dollars")
    turns: Figure = Field(description="turns per episode, unless a run's log has them")
    turn_tokens: Figure = Field(description="tokens that the policy writes per turn, unless a run's log has them")
    prompt_tokens: Figure = Field(description="picture and prompt")
    feedback_tokens: Figure

    def render_s(self, domain: str) -> float:
        """Seconds of one render. A domain without a figure gets that of the slowest domain."""
        return (self.render.get(domain) or max(self.render.values(), key=lambda figure: figure.value)).value

    def figures(self) -> dict[str, Figure]:
        """All figures by name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        found |= {f"render {name}": figure for name, figure in self.render.items()}
        return {name.replace("_", " "): figure for name, figure in found.items() if isinstance(figure, Figure)}

    def estimates(self) -> list[str]:
        """The names of the figures that are estimates."""
        return [name for name, figure in self.figures().items() if figure.kind == "estimate"]


def load_latencies(profile: Profile) -> Latencies:
    """The latencies that a profile names in `latencies`; by default those with the profile's own name.

    Raises UserError if there are none.
    """
    known, name = yaml.safe_load(FILE.read_text()), profile.latencies or profile.name
    if name not in known:
        raise UserError(
            f"no latencies called {name!r}: set `latencies` in profile {profile.name} to one of {', '.join(known)}, "
            f"or add {name} to rrvf/plan/latencies.yaml"
        )
    return Latencies.model_validate(known[name])
