"""Latencies for another policy, GPU or engine than the profile's, calculated from sizes as in `latencies.yaml`.

    reckoned(times, size.parameters, size.cache_bytes, GPUS["h100"], "verl", together=4)

There are two layouts. trl (`rrvf train`): every GPU holds the whole policy and its own vLLM engine. verl: FSDP shards
weights, gradients and moments over all GPUs; vLLM engines of `together` GPUs each (tensor parallel) share these GPUs
and sleep during training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from rrvf.plan.latencies import Figure, Latencies

Engine = Literal["trl", "verl"]


@dataclass(frozen=True)
class Gpu:
    """A GPU. flops: dense bf16 FLOP/s. bandwidth: of its memory, in bytes per second. gb: of memory, as sold."""

    flops: float
    bandwidth: float
    gb: float
    source: str


#: From NVIDIA's data sheets.
GPUS = {
    "a100": Gpu(312e12, 2.04e12, 80, "https://www.nvidia.com/en-us/data-center/a100/"),
    "h100": Gpu(989e12, 3.35e12, 80, "https://www.nvidia.com/en-us/data-center/h100/"),
    "h200": Gpu(989e12, 4.8e12, 141, "https://www.nvidia.com/en-us/data-center/h200/"),
}
#: Share of a GPU's FLOP/s that training reaches, with its source. trl: as in latencies.yaml. verl: from two public
#: runs, as 8 FLOP per parameter and token over `timing_s/update_actor`.
UTILISATION: dict[Engine, tuple[float, str]] = {
    "trl": (0.4, "an estimate, as for the other figures"),
    "verl": (
        0.2,
        "0.20 in https://github.com/Visual-Agent/DeepEyes/issues/14, were its GPUs A100, and 0.18 in "
        "https://github.com/verl-project/verl/issues/7412",
    ),
}
#: Tokens of a half-written episode, and of the first turn's prompt, as in latencies.yaml.
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
    """`times` with new figures for the policy and a judge on GPUs of this kind.

    parameters, cache_bytes: of the policy; bytes per token. together: GPUs per process. width, prompt: tokens of a
    half-written episode and of its prompt. The judge's latencies are those on an A100, scaled by the GPU's speed.
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
    """GPUs per engine under verl: the smallest power of two whose memory holds the weights and as much cache again.

    gpu_gb: GiB of one GPU. share: the engine's share of it.
    """
    return 2 ** max(0, math.ceil(math.log2(2 * 2 * parameters / (share * gpu_gb * 2**30))))
