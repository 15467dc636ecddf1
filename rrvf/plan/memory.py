"""The memory of a run on each policy GPU, by phase, in GiB, and whether it fits.

A phase is a sum of named parts, each with its formula below. `tests/test_plan_memory.py` has the measurements that the
formulas were compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

from rrvf.benchmarks.run import BLOCK
from rrvf.errors import UserError
from rrvf.plan.judges import ENGINE, GIB, JudgeNeed, judge_need
from rrvf.plan.models import (
    PATCH_VALUES,
    PATCHES_A_TOKEN,
    VISION_HIDDEN,
    VISION_INTERMEDIATE,
    VISION_LAYERS,
    Shape,
    shape,
)
from rrvf.profile import GRPOConfigSection, Profile, SupervisedSection

#: Share of a GPU that a plan leaves free, for fragmentation in torch's allocator, and because an 80 GB card has only
#: 79.1 to 79.6 GiB.
MARGIN = 0.08
#: GiB of a training process before its first tensor: CUDA context, NCCL's buffers, cuBLAS's workspaces. An estimate.
CONTEXT = 1.0
#: DeepSpeed's buckets, in values: reduce_bucket_size is 5e8 and doubled by overlap_comm.
BUCKETS = 2 * 500_000_000
#: Maximum tokens of the code of an SFT pair: as many as an evaluation lets a policy write.
CODE_TOKENS = 4_096


@dataclass(frozen=True)
class Phase:
    """One phase on one GPU. parts: GiB by name."""

    name: str
    parts: dict[str, float]

    @property
    def total(self) -> float:
        """GiB of all parts together."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Memory:
    """The phases of a stage on one policy GPU of `gpu_gb` GB.

    reason: why the stage cannot run even if the sum of its parts fits; else empty.
    """

    gpu_gb: float
    phases: tuple[Phase, ...]
    reason: str = ""

    @property
    def limit(self) -> float:
        """GiB that may be filled; the rest is the margin."""
        return self.gpu_gb * (1 - MARGIN)

    @property
    def peak(self) -> Phase:
        """The phase that needs the most memory."""
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def fits(self) -> bool:
        """Whether the peak is within the limit and there is no other reason against the stage."""
        return not self.reason and self.peak.total <= self.limit

    def refusal(self) -> str:
        """One line that says what does not fit and what to change; empty if all fits."""
        if self.fits:
            return ""
        if self.reason:
            return self.reason
        peak = self.peak
        parts = ", ".join(f"{part} {size:.1f}" for part, size in _largest_first(peak))
        return (
            f"{peak.name} needs {peak.total:.1f} GiB of {self.limit:.1f} that a GPU of {self.gpu_gb:g} GB may fill "
            f"({parts}): {_change(peak)}"
        )


#: What to change to make a part smaller.
_LESS = {
    "engine": "a smaller vllm_memory",
    "judge": "a smaller judge, or one on another GPU (--judge-gpus)",
    "weights": "a smaller policy",
    "reference model": "kl: 0, or LoRA (policy: lora_rank)",
    "gradients": "LoRA (policy: lora_rank), or more GPUs",
    "optimiser": "LoRA (policy: lora_rank), or more GPUs",
    "activations": "a smaller micro_batch (sft: batch), or a smaller max_completion_tokens",
    "writing": "use_vllm, or fewer episodes a step",
    "block": "a smaller max_new_tokens (evaluations)",
    "pictures": "fewer episodes a step, or a smaller max_prompt_tokens",
    "copies of weights": "a smaller policy",
    "shards": "more GPUs",
}


def _largest_first(phase: Phase) -> list[tuple[str, float]]:
    return sorted(phase.parts.items(), key=lambda item: -item[1])


def _change(phase: Phase) -> str:
    ways = dict.fromkeys(_LESS[part] for part, _ in _largest_first(phase)[:3] if part in _LESS)
    return f"choose {', '.join(ways)}, or GPUs with more memory"


def grpo_memory(profile: Profile, config: GRPOConfigSection, gpus: int, gpu_gb: float, judge_here: bool) -> Memory:
    """The memory of a GRPO section on `gpus` GPUs. judge_here: the judge shares the policy's GPU."""
    size, judge = shape(profile.policy.model), judge_need(profile) if judge_here else None
    always = _kept(profile, size, gpus) | _judge_part(judge, gpu_gb) | _pictures(config, gpus)
    width = config.max_prompt_tokens + config.max_completion_tokens
    reason, rollout = _judge_reason(judge, gpu_gb), {}
    if config.use_vllm:
        always["engine"] = config.vllm_memory * gpu_gb
        reason = reason or _engine_reason(size, config, gpu_gb)
        if profile.policy.lora_rank:
            # Adapters are merged and sent to the engine one layer at a time, weight and sum in float32 (rrvf.training).
            rollout = {"copies of weights": 8 * size.largest / GIB}
    else:
        episodes = config.prompts_per_step * config.group_size // gpus
        rollout = writing_by_transformers(size, profile.policy.lora_rank, episodes, config.max_prompt_tokens, width)
    if config.kl and not profile.policy.lora_rank:  # with adapters, the reference is the model without them
        always["reference model"] = trained_bytes(profile, gpus) * size.parameters / GIB
    rows = config.micro_batch
    drafts = (config.max_turns - 1) * config.max_prompt_tokens if config.attach_render else 0
    pictures = rows * (config.max_prompt_tokens + min(drafts, config.max_completion_tokens))
    phases = [
        Phase("rollout", always | rollout),
        Phase("reference pass", always | {"activations": one_layer(size, rows * width) / GIB}),
        *_training(profile, size, gpus, always, rows * width, pictures),
        Phase("checkpoint", always),  # tensors are copied to main memory, so it takes no more on the GPU
    ]
    return Memory(gpu_gb, tuple(phases), reason)


def _pictures(config: GRPOConfigSection, gpus: int) -> dict[str, float]:
    """The pixel values of a step's episodes, which TRL keeps on the GPU: float32, under DeepSpeed bfloat16."""
    episodes = config.prompts_per_step * config.group_size // gpus
    values = episodes * config.max_prompt_tokens * PATCHES_A_TOKEN * PATCH_VALUES
    return {"pictures": (4 if gpus == 1 else 2) * values / GIB}


def sft_memory(profile: Profile, config: SupervisedSection, gpus: int, gpu_gb: float, judge_here: bool) -> Memory:
    """The memory of an SFT section on `gpus` GPUs, for pairs with the longest prompt and code."""
    size, judge = shape(profile.policy.model), judge_need(profile) if judge_here else None
    always = _kept(profile, size, gpus) | _judge_part(judge, gpu_gb)
    prompt = GRPOConfigSection.model_fields["max_prompt_tokens"].default
    pairs = config.together(gpus)
    tokens, pictures = pairs * (prompt + CODE_TOKENS), pairs * prompt
    phases = [*_training(profile, size, gpus, always, tokens, pictures), Phase("checkpoint", always)]
    return Memory(gpu_gb, tuple(phases), _judge_reason(judge, gpu_gb))


def evaluation_memory(profile: Profile, gpu_gb: float, judge_here: bool) -> Memory:
    """The memory of an evaluation by transformers on one GPU, for its longest batch. judge_here: see `grpo_memory`."""
    size, judge = shape(profile.policy.model), judge_need(profile) if judge_here else None
    new = max((e.max_new_tokens for e in profile.evaluations.values()), default=0)
    prompt = GRPOConfigSection.model_fields["max_prompt_tokens"].default
    parts = {"context": CONTEXT, "weights": 2 * size.parameters / GIB} | _judge_part(judge, gpu_gb)
    parts["block"] = writing_by_transformers(size, None, BLOCK, prompt, prompt + new)["writing"]
    return Memory(gpu_gb, (Phase("writing", parts),), _judge_reason(judge, gpu_gb))


def trained_bytes(profile: Profile, gpus: int) -> int:
    """Bytes of a weight during training: 2 (bfloat16) with adapters or with ZeRO-2's float32 masters, else 4."""
    return 2 if profile.policy.lora_rank or gpus > 1 else 4


def _kept(profile: Profile, size: Shape, gpus: int) -> dict[str, float]:
    """What stays on a GPU from the first step on: CUDA context, weights and optimiser.

    - LoRA: 12 bytes per adapter weight, which peft keeps in float32, for the weight and both moments of Adam.
    - All weights on one GPU: both moments of torch's AdamW, in the weights' data type.
    - All weights on N GPUs: float32 masters and moments of 1/N of the weights under ZeRO-2, so 12/N bytes per weight
      (arXiv 1910.02054, sections 3.1 and 5.2; K = 12).
    """
    weights, each = size.parameters, trained_bytes(profile, gpus)
    if rank := profile.policy.lora_rank:
        optimiser = 12 * size.adapters(rank)
    else:
        optimiser = 2 * each * weights if gpus == 1 else 12 * weights / gpus
    return {"context": CONTEXT, "weights": each * weights / GIB, "optimiser": optimiser / GIB}


def _training(
    profile: Profile, size: Shape, gpus: int, always: dict[str, float], tokens: int, picture_tokens: int
) -> list[Phase]:
    """Backward pass and optimiser step.

    - Gradients: float32 for adapters. For all weights in the weights' data type; under ZeRO-2 only 1/N of them, and its
      buckets.
    - Head: TRL's head never holds all logits, but a float32 gradient of the output weights
      (trl/kernels/chunked_logprob.py).
    - Optimiser step: ZeRO-2 makes a float32 copy of its gradients. AdamW on one GPU may copy the weights once more in
      its foreach form (torch's documentation of AdamW). The fused form, which transformers chooses, needs no copy; the
      plan assumes the larger.
    """
    weights, each, rank = size.parameters, trained_bytes(profile, gpus), profile.policy.lora_rank
    buckets: dict[str, float] = {}
    if rank:
        gradients, head, stepping = 4 * size.adapters(rank), 0, 0
    else:
        gradients, head = each * weights / gpus, 4 * size.vocabulary * size.hidden
        stepping = each * weights if gpus == 1 else 4 * weights / gpus
        buckets = {"buckets": 2 * BUCKETS / GIB} if gpus > 1 else {}
    kept = always | {"gradients": gradients / GIB} | buckets
    backward = {"activations": (activations(size, tokens, picture_tokens) + head) / GIB}
    stepped = kept | {"gradients": (gradients + stepping) / GIB}
    return [Phase("backward pass", kept | backward), Phase("optimiser step", stepped)]


def one_layer(size: Shape, tokens: int) -> float:
    """Bytes of one layer's activations over `tokens`, in bfloat16.

    Eight tensors of the hidden width (both norms, attention's input, query and output, both residuals), keys and
    values, and four of the MLP's width (gate, up, act, product). sdpa never stores attention scores. Follows arXiv
    2205.05198, section 4.1, for a gated MLP without dropout.
    """
    return tokens * 2 * (8 * size.hidden + 2 * size.cache_bytes / (4 * size.layers) + 4 * size.intermediate)


def activations(size: Shape, tokens: int, picture_tokens: int) -> float:
    """Bytes of a backward pass with gradient checkpointing (TRL's default).

    The sum of: the input of each layer, for the language model and the vision tower; the largest layer with its
    gradients; the head's hidden states and their gradients in float32.
    """
    patches = PATCHES_A_TOKEN * picture_tokens
    inputs = 2 * (size.layers * tokens * size.hidden + VISION_LAYERS * patches * VISION_HIDDEN)
    seen_layer = patches * 2 * (8 * VISION_HIDDEN + 4 * VISION_INTERMEDIATE)
    # Only the larger counts: layers of the vision tower and of the language model are never held at the same time.
    return inputs + 2 * max(one_layer(size, tokens), seen_layer) + 2 * 4 * tokens * size.hidden


def writing_by_transformers(size: Shape, rank: int | None, episodes: int, prompt: int, width: int) -> dict[str, float]:
    """GiB of generation by transformers, without vLLM, by part.

    The cache of all episodes at full width; the MLP over all prompts at once (gate, up and product); with adapters, a
    copy of each weight with the adapter merged in (`rrvf.training.trainer`). rank: of the adapters, None without them.
    """
    prefill = episodes * prompt * 2 * 3 * size.intermediate
    parts = {"writing": (episodes * width * size.cache_bytes + prefill) / GIB}
    return parts | ({"copies of weights": 2 * size.adapted / GIB} if rank else {})


def _judge_part(judge: JudgeNeed | None, gpu_gb: float) -> dict[str, float]:
    return {"judge": judge.taken * gpu_gb} if judge else {}


def _judge_reason(judge: JudgeNeed | None, gpu_gb: float) -> str:
    if judge is None or judge.needed <= judge.taken * gpu_gb:
        return ""
    return (
        f"the judge {judge.name} needs {judge.needed:.1f} GiB and takes {judge.taken:.2f} of a GPU of {gpu_gb:g} GB: "
        f"choose a larger gpu-memory-utilization in reproduce/judges/{judge.name}.yaml, a smaller judge, or GPUs with "
        "more memory"
    )


def _engine_reason(size: Shape, config: GRPOConfigSection, gpu_gb: float) -> str:
    """Why vLLM would refuse to start, which it does if its cache cannot hold one episode of full length; else empty."""
    width = config.max_prompt_tokens + config.max_completion_tokens
    needed = 2 * size.parameters / GIB + ENGINE + width * size.cache_bytes / GIB
    if needed <= config.vllm_memory * gpu_gb:
        return ""
    return (
        f"the engine needs {needed:.1f} GiB for its weights and one episode of {width:,} tokens, and vllm_memory "
        f"{config.vllm_memory:.2f} of a GPU of {gpu_gb:g} GB is {config.vllm_memory * gpu_gb:.1f}: choose a larger "
        "vllm_memory, a smaller max_completion_tokens, a smaller policy, or GPUs with more memory"
    )


def episodes_in_cache(profile: Profile, config: GRPOConfigSection, gpu_gb: float, tokens: float) -> int:
    """Number of episodes of `tokens` tokens that the engine's cache holds at once. Further ones are queued."""
    size = shape(profile.policy.model)
    free = config.vllm_memory * gpu_gb - 2 * size.parameters / GIB - ENGINE
    return int(free * GIB / (tokens * size.cache_bytes))


def check_fits(memory: Memory, what: str) -> None:
    """Raises UserError if the stage does not fit. what: the stage, as the message names it."""
    if not memory.fits:
        raise UserError(f"{what} does not fit: {memory.refusal()}")
