"""RRVF's optimiser: GRPO (Eq. 1) on TRL, from pictures alone.

Departures from stock TRL, each in one method of `RRVFTrainer`: tools of a batch overlap; the paper's printed advantage
is a setting; a resumed Qwen2.5-VL really loads its weights.
"""

from __future__ import annotations

import random
from pathlib import Path

import torch
from datasets import Dataset, Features, Image, List, Value
from trl import GRPOConfig, GRPOTrainer

from rrvf.domains import domain
from rrvf.errors import UserError
from rrvf.policies.local import load_processor
from rrvf.profile import GRPOConfigSection, Profile
from rrvf.protocol import TOOL_METHOD, load_prompt
from rrvf.records import Sample
from rrvf.reward import PRESETS, RewardRule
from rrvf.rollout import Tools
from rrvf.training.checkpoints import EpisodeLog, StepLog, last_checkpoint, load_weights, save_final
from rrvf.training.environment import Environment, Rewards
from rrvf.training.model import load_policy_model, lora

assert hasattr(Environment, TOOL_METHOD), "the response template names a method that the environment lacks"


class RRVFTrainer(GRPOTrainer):
    """GRPOTrainer with overlapping tools, the choice of baseline (decisions D1) and a resume that works."""

    advantage: str = "mean"

    def _get_tool_suffix_ids(self, tool_messages):
        # Called after every call of the round was started: here the futures are waited for, all at once in effect.
        for message in tool_messages:
            if isinstance(message["content"], list):
                message["content"] = message["content"][0].result()
        return super()._get_tool_suffix_ids(tool_messages)

    def _generate_and_score_completions(self, inputs):
        output = super()._generate_and_score_completions(inputs)
        if self.advantage == "max":
            output["advantages"] = self._against_best(output["advantages"])
        return output

    def _against_best(self, advantages: torch.Tensor) -> torch.Tensor:
        """(r - max r) / std r: both baselines share the divisor, so it is A_mean minus the group's largest A_mean."""
        group = self.num_generations if self.model.training else self.num_generations_eval
        everyone = self.accelerator.gather(advantages).view(-1, group)
        shifted = (everyone - everyone.max(dim=1, keepdim=True).values).flatten()
        self._logs["advantages"].extend(shifted.tolist())
        start = len(advantages) * self.accelerator.process_index
        return shifted[start : start + len(advantages)]

    def _load_from_checkpoint(self, resume_from_checkpoint, model=None):
        load_weights(model or self.model, resume_from_checkpoint)


def visiting_order(samples: list[Sample], visits: int, seed: int) -> list[Sample]:
    """Every sample once in a seeded order, then once again in another, until there are `visits`.

    The whole run is laid out as one epoch: the sampler's state is not saved, so a run resumed in a later epoch would
    otherwise see the first epoch's order again.
    """
    rng = random.Random(seed)
    order: list[Sample] = []
    while len(order) < visits:
        order += rng.sample(samples, len(samples))
    return order[:visits]


def picture_dataset(samples: list[Sample], root: Path, prompt: str) -> Dataset:
    """What RRVF trains on: a prompt and a picture per row, and nothing that was derived from code."""
    rows = {
        "prompt": [[{"role": "user", "content": prompt}] for _ in samples],
        "image": [str(root / s.image) for s in samples],
        "sample_id": [s.id for s in samples],
        "domain_name": [s.domain for s in samples],
    }
    message = {"role": Value("string"), "content": Value("string")}
    text = Value("string")
    return Dataset.from_dict(
        rows, features=Features(prompt=List(message), image=Image(), sample_id=text, domain_name=text)
    )


def trainer_settings(
    config: GRPOConfigSection, profile: Profile, out: Path, weights: list[float], seed: int
) -> GRPOConfig:
    """TRL's configuration for one section of a profile. Batch arithmetic: trl_notes 4, reading D3."""
    batch = config.prompts_per_step * config.group_size
    if batch % config.micro_batch:
        raise UserError(
            f"micro_batch {config.micro_batch} does not divide {batch} completions per step: choose a divisor"
        )
    return GRPOConfig(
        output_dir=str(out),
        seed=seed,
        max_steps=config.steps,
        shuffle_dataset=False,
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=batch // config.micro_batch,
        num_generations=config.group_size,
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant",
        beta=config.kl,
        loss_type=config.loss_type,
        importance_sampling_level=config.importance_level,
        reward_weights=weights,
        temperature=config.temperature,
        max_completion_length=config.max_completion_tokens,
        generation_kwargs={"max_new_tokens": config.max_turn_tokens} if not config.use_vllm else None,
        max_tool_calling_iterations=config.max_turns - 1,
        use_vllm=config.use_vllm,
        use_cpu=not torch.cuda.is_available(),
        bf16=profile.policy.dtype == "bfloat16",
        gradient_checkpointing=profile.policy.dtype == "bfloat16",
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_steps=1,
        save_steps=config.save_every,
        save_total_limit=2,
        report_to=["tensorboard"],
        disable_tqdm=False,
    )


def train_grpo(
    profile: Profile,
    config: GRPOConfigSection,
    samples: list[Sample],
    root: Path,
    tools: Tools,
    out: Path,
    seed: int | None = None,
    resume: bool = False,
) -> Path:
    """Train from the pictures of `samples` (files under `root`); gives `out/final`, loadable with `from_pretrained`.

    Leaves `log.jsonl` (a line per step), `episodes.jsonl` (a few trajectories per step), TensorBoard events and
    checkpoints. `resume` continues from the last whole checkpoint. UserError where `out` holds a run and resume is off.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = last_checkpoint(out) if resume else None
    if not resume and (out / "log.jsonl").exists():
        raise UserError(f"{out} already holds a run: add --resume to continue it, or choose another --out")
    seed = profile.seed if seed is None else seed
    torch.manual_seed(seed)
    rewards = Rewards(reward_rule(profile), tools, EpisodeLog(out / "episodes.jsonl"))
    targets = {s.id: (root / s.image).read_bytes() for s in samples}
    processor = load_processor(profile.policy.model)
    prompt = load_prompt(domain(config.domain), "tools", profile.policy.prompts)
    order = visiting_order(samples, config.steps * config.prompts_per_step, seed)
    trainer = RRVFTrainer(
        model=load_policy_model(profile),
        args=trainer_settings(config, profile, out, rewards.weights, seed),
        train_dataset=picture_dataset(order, root, prompt.text),
        processing_class=processor,
        reward_funcs=rewards.functions,
        environment_factory=lambda: Environment(tools, targets, config.max_turns, config.last_turn_hint),
        peft_config=lora(profile),
    )
    trainer.advantage = config.advantage
    trainer.add_callback(StepLog(out / "log.jsonl", checkpoint))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return save_final(trainer.model, processor, out)


def reward_rule(profile: Profile) -> RewardRule:
    """Eq. (2) with the settings of a profile."""
    r = profile.reward
    return RewardRule(PRESETS[r.preset], r.format_penalty, r.tool_step, r.tool_full_above)
