"""The same scripted episodes and batch on TRL, in the project's own environment, because verl cannot load with TRL.

.venv/bin/python tests/verl_trl_side.py POLICY FOLDER       (writes FOLDER/trl.pt)
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import torch
from PIL import Image
from scripted import ANSWER, BROKEN, CALL, Model, run

from rrvf.domains import CHART
from rrvf.policies.local import load_processor
from rrvf.protocol import tool_call_text
from rrvf.records import Sample

MALFORMED = "<think>hm</think><tool_call>{oops</tool_call>"
FAILED = tool_call_text("plt.plot(", CHART)
TURNS = [CALL, MALFORMED, FAILED, ANSWER]


def draw_samples(folder: Path, count: int) -> list[Sample]:
    """Charts with their number in the first pixel."""
    result = []
    for i in range(count):
        Image.new("RGB", (56, 56 + 28 * (i % 2)), (i, 10, 10)).save(folder / f"{i}.png")
        fields = dict(split="train", sha256="", phash="", source="test", licence="none")
        result.append(Sample(id=str(i), domain="chart", image=f"{i}.png", **fields))
    return result


def batch(far: bool) -> tuple[torch.Tensor, ...]:
    """New and old log-probabilities, advantages and mask. far: each token has become seven times as likely."""
    torch.manual_seed(0)
    mask = (torch.arange(10) < torch.tensor([[10], [4], [7], [2]])).long()
    mask[:, 1] = 0  # feedback of the tool
    logps = -torch.rand(4, 10)
    shift = torch.full((4, 10), 2.0) if far else 0.3 * torch.randn(4, 10)
    return logps, logps - shift, torch.tensor([1.2, -0.7, 0.4, -0.9]), mask


def loss(kind: str, far: bool) -> float:
    """TRL's own loss of the batch."""
    from trl import GRPOTrainer

    logps, old, advantages, mask = batch(far)
    trainer = MagicMock(
        loss_type=kind, importance_sampling_level="token", beta=0.0, epsilon_low=0.2, epsilon_high=0.2, use_vllm=False,
        off_policy_mask_threshold=None, top_entropy_quantile=1.0, aux_loss_enabled=False, max_completion_length=10,
        _entropy_bonus_enabled=False, args=SimpleNamespace(delta=None), model=SimpleNamespace(training=False),
        _get_per_token_logps_and_entropies=lambda *a, **k: (logps, torch.zeros_like(logps), None),
    )  # fmt: skip
    trainer.accelerator.num_processes = 1
    trainer.accelerator.gather = lambda x: x
    inputs = dict(
        prompt_ids=torch.zeros(4, 1).long(), prompt_mask=torch.ones(4, 1).long(), completion_ids=torch.zeros(4, 10).long(),
        completion_mask=mask, advantages=advantages, old_per_token_logps=old, num_items_in_batch=mask.sum(),
    )  # fmt: skip
    return float(GRPOTrainer._compute_loss(trainer, MagicMock(), inputs))


def main(policy: Path, folder: Path) -> None:
    from rrvf.training.trainer import RRVFTrainer

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
    losses = {(kind, far): loss(kind, far) for kind in ("grpo", "dapo", "dr_grpo") for far in (False, True)}
    torch.save({"episodes": episodes, "mixed": mixed, "losses": losses}, folder / "trl.pt")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
