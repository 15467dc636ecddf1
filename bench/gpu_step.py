"""Memory and seconds by phase of one GRPO step on one GPU, at Qwen2.5-VL's 3B or 7B dimensions with random weights.

    python bench/gpu_step.py [--dims 3b|7b] [--full]

The step is that of the `gpu` profile (LoRA, 64 episodes), with generation by transformers instead of vLLM. Random
weights never end a turn and call no tool, so an episode is one turn of 512 tokens on a picture of 391 tokens, without
render and judge.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoProcessor, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from rrvf import nano
from rrvf.nano import model
from rrvf.plan.models import VISION_HIDDEN, VISION_INTERMEDIATE, VISION_LAYERS, Shape, shape
from rrvf.policies.vision import vision_for_this_machine
from rrvf.profile import Profile, load_profile
from rrvf.records import Sample
from rrvf.rollout import Tools
from rrvf.training import grpo
from rrvf.training.model import trained_dtype

PICTURE = (644, 476)
TURN_TOKENS = 512


@dataclass(frozen=True)
class Dimensions(Shape):
    """The sizes of a model, with those that are smaller for a try without a GPU."""

    rope: tuple[int, int, int] = (16, 24, 24)
    vision_layers: int = VISION_LAYERS


DIMENSIONS = {
    "3b": Dimensions(**asdict(shape("Qwen/Qwen2.5-VL-3B-Instruct"))),
    "7b": Dimensions(**asdict(shape("Qwen/Qwen2.5-VL-7B-Instruct"))),
    # To try this file without a GPU.
    "tiny": Dimensions(64, 128, 2, 4, 2, 2_048, tied=True, rope=(2, 3, 3), vision_layers=2),
}


def config(d: Dimensions) -> Qwen2_5_VLConfig:
    """A configuration with these dimensions. Control tokens have the ids of the nano policy's tokenizer."""
    nano_policy = model.config(d.vocabulary).to_dict()
    text = {
        "hidden_size": d.hidden,
        "intermediate_size": d.intermediate,
        "num_hidden_layers": d.layers,
        "layer_types": ["full_attention"] * d.layers,
        "num_attention_heads": d.heads,
        "num_key_value_heads": d.key_heads,
        "tie_word_embeddings": d.tied,
        "max_position_embeddings": 128_000,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": list(d.rope)},
    }
    vision = {
        "depth": d.vision_layers,
        "hidden_size": VISION_HIDDEN,
        "intermediate_size": VISION_INTERMEDIATE,
        "num_heads": 16,
        "out_hidden_size": d.hidden,
        "fullatt_block_indexes": [7, 15, 23, 31],
    }
    parts = {
        "text_config": nano_policy["text_config"] | text,
        "vision_config": nano_policy["vision_config"] | vision,
        "tie_word_embeddings": d.tied,
    }
    return Qwen2_5_VLConfig.from_dict(nano_policy | parts)


def random_model(name: str, dtype: torch.dtype) -> Qwen2_5_VLForConditionalGeneration:
    """A model with these dimensions, created on the training device in the same form as a loaded one."""
    vision_for_this_machine()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        torch.set_default_dtype(dtype)
        policy = Qwen2_5_VLForConditionalGeneration(config(DIMENSIONS[name]))
        torch.set_default_dtype(torch.float32)
    policy.generation_config.pad_token_id = policy.config.text_config.pad_token_id
    return policy


def profile(policy: Path, full: bool, tiny: bool) -> Profile:
    """The `gpu` profile with one step, generation by transformers, and the tokens of one turn."""
    given = load_profile("gpu")
    tokens = 8 if tiny else TURN_TOKENS
    section = given.grpo["chart"].model_copy(
        update={"steps": 1, "use_vllm": False, "max_turn_tokens": tokens, "max_completion_tokens": tokens}
    )
    own = given.policy.model_copy(update={"model": str(policy), "lora_rank": None if full else given.policy.lora_rank})
    return given.model_copy(update={"policy": own, "grpo": {"chart": section}})


def step(name: str, full: bool, folder: Path) -> dict[str, float]:
    """Train one step and return its line of the log."""
    processor = AutoProcessor.from_pretrained(nano.CHECKPOINT)
    processor.image_processor.size = {"shortest_edge": 28 * 28, "longest_edge": PICTURE[0] * PICTURE[1]}
    processor.save_pretrained(folder / "policy")
    settings = profile(folder / "policy", full, name == "tiny")
    blank = {"domain": "chart", "split": "", "sha256": "", "phash": "", "source": "", "licence": ""}
    samples = [Sample(id=str(i), image=f"{i}.png", **blank) for i in range(8)]
    for sample in samples:
        size = (56, 56) if name == "tiny" else PICTURE
        Image.effect_noise(size, 64).convert("RGB").save(folder / sample.image)
    grpo.load_policy_model = lambda profile: random_model(name, getattr(torch, trained_dtype(profile.policy)))
    grpo.save_final = grpo.RRVFTrainer._save_checkpoint = lambda *_: None
    tools = Tools({}, None, 2)
    grpo.train_grpo(settings, settings.grpo["chart"], samples, folder, tools, folder / "run")
    tools.close()
    lines = map(json.loads, (folder / "run" / "log.jsonl").read_text().splitlines())
    return next(line for line in lines if "seconds/step" in line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dims", choices=DIMENSIONS, default="3b")
    parser.add_argument("--full", action="store_true", help="train all weights, not LoRA")
    options = parser.parse_args()
    if not torch.cuda.is_available() and options.dims != "tiny":
        print("no GPU here: nothing to measure")
        return
    with tempfile.TemporaryDirectory() as folder:
        line = step(options.dims, options.full, Path(folder))
    phases = " ".join(f"{k.removeprefix('seconds/')} {v:.1f} s" for k, v in line.items() if k.startswith("seconds/"))
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    peak = torch.cuda.max_memory_reserved() / 2**30 if torch.cuda.is_available() else 0
    print(f"{options.dims} {'full' if options.full else 'LoRA'} on {card}: {peak:.1f} GiB at most; {phases}")


if __name__ == "__main__":
    main()
