"""The memory of verl on each GPU, by phase, in GiB. FSDP shards over all GPUs; engines sleep during training."""

from __future__ import annotations

from rrvf.plan.judges import ENGINE, GIB
from rrvf.plan.memory import CONTEXT, Memory, Phase, activations
from rrvf.plan.models import Shape
from rrvf.profile import GRPOConfigSection

#: `gpu_memory_utilization` in reproduce/verl: the engine's share of a GPU while it is awake.
SHARE = 0.5
#: Tokens per chunk of logits in verl's fused head (`use_fused_kernels`, torch).
PIECE = 512


def sharded_memory(size: Shape, config: GRPOConfigSection, gpus: int, gpu_gb: float, together: int) -> Memory:
    """The memory of a GRPO section under verl on `gpus` GPUs, with `together` GPUs per engine.

    FSDP keeps 1/N of float32 weights, gradients and both moments of Adam: 16 bytes per weight during training, 12
    outside it (arXiv 1910.02054, section 5.3). In bfloat16 it gathers two layers and the gradient of one, and for the
    whole pass the embeddings and the head with their gradients. Shards that do not fit beside the awake engine are
    moved to main memory (`param_offload`, `optimizer_offload`).
    """
    kept, layer = 12 * size.parameters / gpus / GIB, 3 * 2 * size.parameters / size.layers / GIB
    engine = {"context": CONTEXT, "engine": SHARE * gpu_gb}
    beside = Phase("rollout", engine | {"shards": kept})
    offloaded = beside.total > Memory(gpu_gb, (beside,)).limit
    tokens = config.micro_batch * (config.max_prompt_tokens + config.max_completion_tokens)
    seen = config.micro_batch * config.max_prompt_tokens
    ends = size.vocabulary * size.hidden * (1 if size.tied else 2)
    backward = {
        "context": CONTEXT,
        "shards": 16 * size.parameters / gpus / GIB,
        "layers gathered": layer,
        "embeddings gathered": 2 * 2 * ends / GIB,
        "activations": activations(size, tokens, seen) / GIB,
        "head": fused_head(size) / GIB,
    }
    needed = (
        2 * size.parameters / together / GIB + ENGINE + tokens / config.micro_batch * size.cache_bytes / together / GIB
    )
    short = "" if needed <= engine["engine"] else (
        f"an engine of {together} GPUs needs {needed:.1f} GiB on each and has {engine['engine']:.1f}: take GPUs with "
        "more memory"
    )  # fmt: skip
    rollout = Phase("rollout, all else in main memory", engine) if offloaded else beside
    return Memory(gpu_gb, (rollout, Phase("backward pass", backward)), short)


def fused_head(size: Shape) -> int:
    """Bytes of verl's fused head in the backward pass, whatever the length of the episodes.

    Five float32 copies of one chunk's logits, and two bfloat16 gradients of the output weights: of this chunk, and the
    sum over the chunks before it (verl/utils/experimental/torch_functional.py, FusedLinearForPPO).
    """
    return 5 * 4 * PIECE * size.vocabulary + 2 * 2 * size.vocabulary * size.hidden
