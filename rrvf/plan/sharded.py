"""What verl keeps on each GPU (FSDP over all of them, engines that sleep while it trains), phase by phase, in GiB."""

from __future__ import annotations

from rrvf.plan.judges import ENGINE, GIB
from rrvf.plan.memory import CONTEXT, Memory, Phase, activations
from rrvf.plan.models import Shape
from rrvf.profile import GRPOConfigSection

#: verl's own `gpu_memory_utilization` of reproduce/verl: the engine's share of a GPU while it is awake.
SHARE = 0.5
#: Tokens whose logits verl's fused head (`use_fused_kernels`, torch) holds at once.
PIECE = 512


def sharded_memory(size: Shape, config: GRPOConfigSection, gpus: int, gpu_gb: float, together: int) -> Memory:
    """A GRPO section on `gpus` GPUs under verl, engines of `together` of them.

    FSDP keeps 1/N of float32 weights, gradients and both moments of Adam (16 bytes a weight while it trains, 12
    besides: arXiv 1910.02054, section 5.3). In bfloat16 it gathers two layers and one's gradient, and all along the
    embeddings and the head with theirs. Where the shards do not fit beside the awake engine, they wait in main memory
    (`param_offload`, `optimizer_offload`).
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
    """Bytes of verl's fused head in its backward pass, of episodes of any length.

    Five float32 copies of a piece's logits, and in bfloat16 the gradient of the output weights by this piece and by all
    before it (verl/utils/experimental/torch_functional.py, FusedLinearForPPO).
    """
    return 5 * 4 * PIECE * size.vocabulary + 2 * 2 * size.vocabulary * size.hidden
