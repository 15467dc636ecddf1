"""One of two training processes, started by torchrun.

    torchrun --nproc-per-node 2 tests/two_ranks.py POLICY OUT grpo|sft

OUT holds the pictures 0.png to 3.png with their code. grpo: rank 0's episodes end at once, rank 1's call the tool twice.
Each process writes the timeout of its collectives to timeout-RANK.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from scripted import ANSWER, BROKEN, CALL, Judge, Model, Renderer, profile_of

from rrvf.policies.local import load_processor
from rrvf.profile import SFTConfigSection
from rrvf.records import Sample
from rrvf.rollout import Tools
from rrvf.training.grpo import train_grpo
from rrvf.training.sft import train_sft
from rrvf.training.trainer import RRVFTrainer

#: Four pairs per step, for any number of processes.
PAIRS = SFTConfigSection(domain="chart", train_set="t", steps=2, batch=4, learning_rate=1e-2)


def main(policy: str, out: Path, method: str) -> None:
    {"grpo": grpo, "sft": sft}[method](policy, out, int(os.environ["RANK"]))
    group = torch.distributed.distributed_c10d._get_default_group()
    seconds = group._get_backend(torch.device("cpu")).options._timeout.total_seconds()
    (out / f"timeout-{os.environ['RANK']}").write_text(str(seconds))


def sample_of(number: int) -> Sample:
    fields = dict(split="train", sha256="", phash="", source="test", licence="none")
    return Sample(id=str(number), domain="chart", image=f"{number}.png", code=f"{number}.py", **fields)


def sft(policy: str, out: Path, rank: int) -> None:
    train_sft(profile_of(policy), PAIRS, [sample_of(i) for i in range(4)], out, out / "run")


def grpo(policy: str, out: Path, rank: int) -> None:
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
    samples = [sample_of(i) for i in range(2)]
    profile = profile_of(policy, micro_batch=2, advantage="max")
    tools = Tools({"chart": Renderer()}, Judge())
    train_grpo(profile, profile.grpo["chart"], samples, out, tools, out / "run")
    tools.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
