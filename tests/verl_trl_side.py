"""The same scripted episodes on TRL, in the project's own environment: verl pins a transformers that is too old for them.

.venv/bin/python tests/verl_trl_side.py POLICY FOLDER       (writes FOLDER/trl.pt)
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from PIL import Image
from scripted import ANSWER, BROKEN, CALL, Model, run

from rrvf.domains import CHART
from rrvf.policies.local import load_processor
from rrvf.protocol import tool_call_text
from rrvf.records import Sample
from rrvf.training.trainer import RRVFTrainer

MALFORMED = "<think>hm</think><tool_call>{oops</tool_call>"
FAILED = tool_call_text("plt.plot(", CHART)
TURNS = [CALL, MALFORMED, FAILED, ANSWER]


def draw_samples(folder: Path, count: int) -> list[Sample]:
    """Charts whose first pixel says their number."""
    result = []
    for i in range(count):
        Image.new("RGB", (56, 56 + 28 * (i % 2)), (i, 10, 10)).save(folder / f"{i}.png")
        fields = dict(split="train", sha256="", phash="", source="test", licence="none")
        result.append(Sample(id=str(i), domain="chart", image=f"{i}.png", **fields))
    return result


def main(policy: Path, folder: Path) -> None:
    tokenizer, script, seen = load_processor(str(policy)).tokenizer, {}, []

    def generate(self, input_ids, **_):
        texts = [script["write"](script["turn"], row) for row in range(len(input_ids))]
        script["turn"] += 1
        ids = [tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id] for text in texts]
        new = torch.full((len(ids), max(map(len, ids))), tokenizer.pad_token_id)
        for row, tokens in enumerate(ids):
            new[row, : len(tokens)] = torch.tensor(tokens)
        return torch.cat([input_ids, new], dim=1)

    def watched(method):
        return lambda *arguments: seen.append(method(*arguments)) or seen[-1]

    Model.generate = generate
    for name in ("_calculate_rewards", "_generate_and_score_completions"):
        setattr(RRVFTrainer, name, watched(getattr(RRVFTrainer, name)))

    def play(name, write, pictures, group, **settings):
        script.update(write=write, turn=0)
        samples = draw_samples(folder, pictures)
        run(policy, samples, folder, out=name, prompts_per_step=pictures, group_size=group, micro_batch=pictures * group,
            max_prompt_tokens=512, **settings)  # fmt: skip
        rewards, output = seen[-2:]
        return {"rewards": rewards} | {k: v for k, v in output.items() if isinstance(v, torch.Tensor)}

    episodes = {
        attach: play(f"turns-{attach}", lambda t, _: TURNS[t], 1, 2, attach_render=attach) for attach in (False, True)
    }
    mixed = play("mixed", lambda t, row: BROKEN if t else [ANSWER, BROKEN, CALL, "no"][row % 4], 2, 4)
    torch.save({"episodes": episodes, "mixed": mixed}, folder / "trl.pt")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
