"""One of two ranks that shard a policy as verl's FSDP2 workers do and save it with verl's checkpoint manager.

torchrun --nproc-per-node=2 tests/verl_two_ranks.py POLICY FOLDER
"""

import sys

import torch
from omegaconf import OmegaConf
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import AutoModelForImageTextToText, AutoProcessor
from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager

torch.distributed.init_process_group("gloo")
policy, folder = sys.argv[1:]
model = AutoModelForImageTextToText.from_pretrained(policy, dtype=torch.float32)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.add_(1)  # a training
fully_shard(model, mesh=init_device_mesh("cpu", (2,), mesh_dim_names=("fsdp",)))
contents = OmegaConf.create({"save_contents": ["model", "extra"], "load_contents": ["model"]})
processor = AutoProcessor.from_pretrained(policy)
FSDPCheckpointManager(model, processing_class=processor, checkpoint_config=contents).save_checkpoint(folder)
torch.distributed.destroy_process_group()
