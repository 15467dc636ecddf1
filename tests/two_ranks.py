"""One of two training processes, started by torchrun: rank 0's episodes end at once, rank 1's call the tool twice.

    torchrun --nproc-per-node 2 tests/two_ranks.py POLICY OUT

OUT holds the pictures 0.png and 1.png.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from scripted import ANSWER, BROKEN, CALL, Judge, Model, Renderer, profile_of

from rrvf.policies.local import load_processor
from rrvf.records import Sample
from rrvf.rollout import Tools
from rrvf.training.grpo import train_grpo
from rrvf.training.trainer import RRVFTrainer


def main(policy: str, out: Path) -> None:
    rank = int(os.environ["RANK"])
    tokenizer = load_processor(policy).tokenizer
    turns = iter([ANSWER] if rank == 0 else [CALL, CALL, ANSWER])

    def generate(self, input_ids, **kwargs):
        text = next(turns)
        texts = [BROKEN if text == ANSWER and row % 2 else text for row in range(len(input_ids))]
        ids = [tokenizer(t)["input_ids"] + [tokenizer.eos_token_id] for t in texts]
        width = max(map(len, ids))
        new = torch.tensor([row + [tokenizer.pad_token_id] * (width - len(row)) for row in ids])
        return torch.cat([input_ids, new], dim=1)

    Model.generate = generate
    score = RRVFTrainer._generate_and_score_completions

    def spy(self, inputs):
        output = score(self, inputs)
        torch.save(output["advantages"], out / f"advantages-{rank}.pt")
        return output

    RRVFTrainer._generate_and_score_completions = spy
    fields = dict(split="train", sha256="", phash="", source="test", licence="none")
    samples = [Sample(id=str(i), domain="chart", image=f"{i}.png", **fields) for i in range(2)]
    profile = profile_of(policy, micro_batch=2, advantage="max")
    tools = Tools({"chart": Renderer()}, Judge())
    train_grpo(profile, profile.grpo["chart"], samples, out, tools, out / "run")
    tools.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
