"""Compares the formulas of `scaling.py` with step times that others published (`published.yaml`)."""

from __future__ import annotations

import statistics
from functools import cache
from pathlib import Path

import yaml
from pydantic import Field

from rrvf.domains import CHART
from rrvf.plan.latencies import FILE as LATENCIES
from rrvf.plan.latencies import Figure, Latencies
from rrvf.plan.scaling import Engine, Gpu, reckoned
from rrvf.plan.simulation import Step, Workload
from rrvf.profile import Section

FILE = Path(__file__).parent / "published.yaml"
#: Relative error up to which a plan is useful for the choice of a machine.
NEAR = 0.3


class Card(Section):
    """A GPU. flops: dense bf16 FLOP/s. bandwidth: of its memory, in bytes per second."""

    flops: float
    bandwidth: float


class Published(Section):
    """A published GRPO run on text or pictures with one turn per episode. seconds: of one step, as published.

    parameters: of the model. cache_bytes: of keys and values per token. prompt: tokens. cap: most
    tokens of a reply. The head of `published.yaml` explains the other fields.
    """

    name: str = Field(description="with the GPUs")
    address: str
    parameters: float
    cache_bytes: float
    gpu: Card
    gpus: int
    together: int = Field(description="GPUs of an engine")
    engine: Engine
    episodes: int
    prompt: float
    tokens: float
    cap: int
    passes: int
    seconds: float
    taken: str = Field(description="our assumptions where the page gives no value")

    def planned(self) -> float:
        """Seconds of one step by our formulas."""
        raw = yaml.safe_load(LATENCIES.read_text())["gpu"]
        free = Figure(value=0.0, kind="estimate", source="a reward by rule")
        times = Latencies.model_validate(raw).model_copy(
            update=dict.fromkeys(("judge_busy", "compare", "score"), free) | {"render": {CHART.name: free}}
        )
        gpu = Gpu(self.gpu.flops, self.gpu.bandwidth, 0, self.address)
        written = self.tokens - self.prompt
        half = self.prompt + written / 2
        times = reckoned(
            times, self.parameters, self.cache_bytes, gpu, self.engine, self.together, half, self.prompt
        )  # fmt: skip
        work = Workload(
            domain=CHART.name, episodes=self.episodes, processes=self.gpus // self.together, max_turns=1,
            max_turn_tokens=self.cap, turns=1.0, turn_tokens=written, answered=1.0, prompt_tokens=self.prompt,
            feedback_tokens=0.0, render_workers=8, judge_in_flight=64, judge_gpus=1, passes=self.passes,
        )  # fmt: skip
        return statistics.mean(Step(work, times, seed).run().seconds for seed in range(3))


@cache
def checked() -> list[tuple[Published, float]]:
    """Every published run with its planned seconds."""
    runs = [Published.model_validate(run) for run in yaml.safe_load(FILE.read_text())]
    return [(run, run.planned()) for run in runs]


def lines() -> list[str]:
    """The comparison as lines of text, printed with a plan."""
    found = checked()
    times = sorted(run.seconds / planned for run, planned in found)
    near = sum(abs(planned / run.seconds - 1) <= NEAR for run, planned in found)
    told = [
        f"checked     published steps took {times[0]:.1f} to {times[-1]:.1f} times the seconds planned for them, "
        f"{near} of {len(found)} are met within {NEAR:.0%}:"
    ]
    return told + [
        f"{'':12}{run.name}: planned {planned:.0f} s, published {run.seconds:.0f} s "
        f"({planned / run.seconds - 1:+.0%}) {run.address}"
        for run, planned in found
    ]
