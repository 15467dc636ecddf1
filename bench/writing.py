"""Generation of a nano GRPO step's first turn, 8 pictures x 8: ours against transformers' own loop and vision encoding.

    python bench/writing.py [--repeats 3]

Both sample with a static cache from the same policy on the same pictures. Their texts differ, so seconds per token are
compared.
"""

from __future__ import annotations

import argparse
import statistics
import time
from functools import partial

from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as qwen

from rrvf.domains import CHART
from rrvf.pictures import read_picture
from rrvf.policies import vision
from rrvf.policies.local import LocalPolicy
from rrvf.profile import load_profile
from rrvf.protocol import first_message, load_prompt
from rrvf.study import Study


def write(policy: LocalPolicy, conversations: list) -> tuple[float, int]:
    """Seconds and tokens of one turn of all conversations."""
    begun = time.perf_counter()
    texts = policy.chat(conversations, temperature=1.0)
    seconds = time.perf_counter() - begun
    return seconds, sum(len(ids) for ids in policy.processor.tokenizer(texts)["input_ids"])


def stock(policy: LocalPolicy) -> None:
    """Make the policy use transformers' own loop and vision encoding, with the static cache."""
    del policy.model.generate
    policy.model.generate = partial(policy.model.generate, cache_implementation="static")
    qwen.Qwen2_5_VLVisionAttention.forward = vision.stock_attention
    qwen.Qwen2_5_VisionPatchEmbed.forward = vision.stock_embedding
    qwen.Qwen2_5_VLModel.get_image_features = vision.stock_features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    study = Study(load_profile("nano"))
    section = study.profile.grpo["chart"]
    policy = LocalPolicy(study.profile.policy.model, max_new_tokens=section.max_turn_tokens)
    prompt = load_prompt(CHART, "tools", study.profile.policy.prompts).text
    samples = study.split(section.train_set)[: section.prompts_per_step]
    pictures = [read_picture(study.data / section.train_set / s.image) for s in samples]
    conversations = [[first_message(p, prompt)] for p in pictures for _ in range(section.group_size)]
    figures = {}
    for name, prepare in (("ours", lambda _: None), ("stock", stock)):
        prepare(policy)
        write(policy, conversations)
        runs = [write(policy, conversations) for _ in range(repeats)]
        figures[name] = statistics.median(seconds / tokens for seconds, tokens in runs)
        print(f"{name}: {statistics.median(s for s, _ in runs):.1f} s a turn of {len(conversations)}")
    print(f"writing: {figures['stock'] / figures['ours']:.2f}x as fast as transformers' own loop, by token")


if __name__ == "__main__":
    main()
