"""One of two ranks that shard a policy like verl's workers, train it on an episode each by its fused head, and save it.

torchrun --nproc-per-node=2 tests/verl_two_ranks.py POLICY EPISODES FOLDER

Rank 0 writes to FOLDER/told.pt each episode's log-probabilities, the weights after a step of size RATE up their mean,
and the result of the same head under FSDP2.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from omegaconf import OmegaConf
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel
from transformers import AutoModelForImageTextToText, AutoProcessor
from verl.models.transformers.monkey_patch import apply_monkey_patch
from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager
from verl.utils.fsdp_utils import apply_fsdp2, get_fsdp_wrap_policy

#: Large, so that a step changes bfloat16 weights.
RATE = 100


def policy_of(folder: str, **changes):
    """The policy with verl's forward, loaded as by its engine with the settings of reproduce/verl."""
    settings = {"dtype": torch.float32, "attn_implementation": "sdpa"} | changes
    model = AutoModelForImageTextToText.from_pretrained(folder, **settings)
    apply_monkey_patch(model, use_remove_padding=False, use_fused_kernels=True, fused_kernels_backend="torch")
    return model


def log_probs(model, row) -> torch.Tensor:
    """Log-probabilities of the tokens of one episode."""
    places, ids = row["position_ids"][:, None], row["input_ids"][None]
    seen = {name: row["multi_modal_inputs"][name] for name in ("pixel_values", "image_grid_thw")}
    more = dict(attention_mask=torch.ones_like(ids), position_ids=places, temperature=1.0, return_dict=True)
    return model(input_ids=ids, use_cache=False, **more, **seen).log_probs[0, :-1]


dist.init_process_group("gloo")
policy, episodes, folder = sys.argv[1:]
row = torch.load(episodes, weights_only=False)[dist.get_rank()]
mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("fsdp",))

model = policy_of(policy)
wrap = get_fsdp_wrap_policy(model)
model = FullyShardedDataParallel(model, auto_wrap_policy=wrap, device_mesh=mesh, device_id=torch.device("cpu"))
told = log_probs(model, row)
told.mean().backward()
everyone = [None, None]
dist.all_gather_object(everyone, told.detach())
with torch.no_grad():
    for shard in model.parameters():
        shard.add_(shard.grad, alpha=RATE)
with FullyShardedDataParallel.summon_full_params(model):
    names = ((name.replace("_fsdp_wrapped_module.", ""), weight) for name, weight in model.named_parameters())
    trained = {name: weight.detach().clone() for name, weight in names}
contents = OmegaConf.create({"save_contents": ["model", "extra"], "load_contents": ["model"]})
processor = AutoProcessor.from_pretrained(policy)
FSDPCheckpointManager(model, processing_class=processor, checkpoint_config=contents).save_checkpoint(folder)

# As in 7B and 32B: FSDP2 shards the head separately only if it does not share weights with the embeddings.
other, refused = policy_of(policy, tie_word_embeddings=False), ""
apply_fsdp2(other, {"mesh": mesh}, {})
try:
    log_probs(other, row)
except RuntimeError as error:
    refused = str(error)
if dist.get_rank() == 0:
    torch.save({"log_probs": everyone, "trained": trained, "fsdp2": refused}, Path(folder) / "told.pt")
dist.destroy_process_group()
