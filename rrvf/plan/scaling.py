"""Latencies of another policy, GPU or engine than a profile's own, reckoned from sizes as in `latencies.yaml`.

    reckoned(times, size.parameters, size.cache_bytes, GPUS["h100"], "verl", together=4)

Two layouts are known. trl: every GPU holds the whole policy with its own engine (rrvf train). verl: weights, gradients
and moments are sharded over all GPUs by FSDP; engines of `together` GPUs (tensor parallel) share these GPUs and sleep
while it trains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from rrvf.plan.latencies import Figure, Latencies

Engine = Literal["trl", "verl"]


@dataclass(frozen=True)
class Gpu:
    """flops: dense bf16, a second. bandwidth: of its memory, bytes a second. gb: of memory, as it is sold."""

    flops: float
    bandwidth: float
    gb: float
    source: str


#: By NVIDIA's data sheets.
GPUS = {
    "a100": Gpu(312e12, 2.04e12, 80, "https://www.nvidia.com/en-us/data-center/a100/"),
    "h100": Gpu(989e12, 3.35e12, 80, "https://www.nvidia.com/en-us/data-center/h100/"),
    "h200": Gpu(989e12, 4.8e12, 141, "https://www.nvidia.com/en-us/data-center/h200/"),
}
#: Share of a GPU's FLOP/s that training reaches. trl: as in latencies.yaml. verl: two public runs, 8 FLOP a parameter
#: and token over `timing_s/update_actor`.
UTILISATION: dict[Engine, tuple[float, str]] = {
    "trl": (0.4, "an estimate, as for the other figures"),
    "verl": (
        0.2,
        "0.20 in https://github.com/Visual-Agent/DeepEyes/issues/14, were its GPUs A100, and 0.18 in "
        "https://github.com/verl-project/verl/issues/7412",
    ),
}
#: Tokens of an episode that is half written, and of a first turn's prompt, as in latencies.yaml.
WIDTH, PROMPT = 4_000, 2_000


def reckoned(
    times: Latencies,
    parameters: float,
    cache_bytes: float,
    gpu: Gpu,
    engine: Engine,
    together: int = 1,
    width: float = WIDTH,
    prompt: float = PROMPT,
) -> Latencies:
    """`times` with the policy's figures for a model of `parameters` and `cache_bytes` a token on such GPUs.

    A process of the result is `together` GPUs. The judge is taken to be as much faster than on an A100 as the GPU is.
    width, prompt: tokens of a half-written episode and of its prompt.
    """
    share, why = UTILISATION[engine]
    flops, bandwidth, a100 = gpu.flops * together, gpu.bandwidth * together, GPUS["a100"]
    speed = f"{gpu.flops / 1e12:.0f} TFLOP/s and {gpu.bandwidth / 1e12:.2f} TB/s"
    per = f"{parameters / 1e9:.1f}e9 parameters, {together} x {speed}"

    def figure(value: float, how: str) -> Figure:
        return Figure(value=value, kind="estimate", source=f"{how}; {per}")

    def judged(old: Figure, factor: float) -> Figure:
        return old.model_copy(update={"value": old.value * factor})

    return times.model_copy(
        update={
            "decode": figure(4 * parameters / bandwidth, "the weights read once a token, doubled for the engine"),
            "decode_each": figure(
                cache_bytes * width / bandwidth, f"keys and values of {width:,.0f} tokens read once a token"
            ),
            "prefill": figure(
                2 * parameters * prompt / (0.4 * flops) / 2, f"{prompt:,.0f} tokens at 40 %, half cached"
            ),
            "train": figure(8 * parameters / (share * flops), f"8 FLOP a parameter and token at {share:.0%}: {why}"),
            "step": figure(
                15 + 1.2e-9 * parameters, "15 s and 1.2 s a billion parameters: weights to the engine, optimiser"
            ),
            "judge_busy": judged(times.judge_busy, a100.flops / gpu.flops),
            "compare": judged(times.compare, a100.bandwidth / gpu.bandwidth),
            "score": judged(times.score, a100.bandwidth / gpu.bandwidth),
        }
    )


def engine_gpus(parameters: float, gpu_gb: float, share: float) -> int:
    """GPUs of an engine under verl: the fewest, a power of two, whose `share` holds the weights and as much cache."""
    return 2 ** max(0, math.ceil(math.log2(2 * 2 * parameters / (share * gpu_gb * 2**30))))
