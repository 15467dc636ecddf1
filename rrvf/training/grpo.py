"""RRVF's optimiser: GRPO (Eq. 1) on TRL, from pictures alone."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from pathlib import Path

import torch
from datasets import Dataset, Features, Image, List, Value
from transformers import PrinterCallback
from transformers.utils.logging import disable_progress_bar

from rrvf.domains import domain
from rrvf.errors import UserError
from rrvf.policies.local import training_processor
from rrvf.policies.tokens import picture_tokens
from rrvf.profile import GRPOConfigSection, Profile
from rrvf.protocol import TOOL_METHOD, load_prompt
from rrvf.records import Sample
from rrvf.references import usable
from rrvf.reward import reward_rule
from rrvf.rollout import Tools
from rrvf.training.checkpoints import StepLog, finished, how_made, save_final, training_run
from rrvf.training.environment import Environment, Rewards
from rrvf.training.episodes import EpisodeLog
from rrvf.training.guards import Guards
from rrvf.training.model import load_policy_model, lora
from rrvf.training.pictures import Bound, bound_of
from rrvf.training.progress import Progress
from rrvf.training.ranks import processes
from rrvf.training.settings import accumulation, check_sharding, grpo_settings
from rrvf.training.tracking import check_trackers, shows
from rrvf.training.trainer import RRVFTrainer

assert hasattr(Environment, TOOL_METHOD), "the response template names a method that the environment lacks"

#: Trajectories of each step that are kept to be read.
KEPT_EPISODES = 4


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


def prompts_of(samples: list[Sample], style: str, max_turns: int) -> dict[str, str]:
    """The prompt of each domain. style: `full` or `nano`. max_turns: T_max, which it names.

    With one turn it offers no tool.
    """
    mode = "tools" if max_turns > 1 else "direct"
    return {name: load_prompt(domain(name), mode, style, max_turns).text for name in {s.domain for s in samples}}


def picture_dataset(samples: list[Sample], root: Path, prompts: Mapping[str, str], bound: Bound | None) -> Dataset:
    """What RRVF trains on: a prompt and a picture per row, and nothing that was derived from code.

    prompts: by domain. bound: of the pictures, which are made smaller as they are loaded.
    """
    rows = {
        "prompt": [[{"role": "user", "content": prompts[s.domain]}] for s in samples],
        "image": [str(root / s.image) for s in samples],
        "sample_id": [s.id for s in samples],
        "domain_name": [s.domain for s in samples],
    }
    message = {"role": Value("string"), "content": Value("string")}
    text = Value("string")
    features = Features(prompt=List(message), image=Image(), sample_id=text, domain_name=text)
    dataset = Dataset.from_dict(rows, features=features)
    if bound is not None:
        dataset.set_transform(lambda rows: rows | {"image": [bound.bounded(picture) for picture in rows["image"]]})
    return dataset


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

    Leaves `log.jsonl` (a line per step), `episodes.jsonl` and `episodes/` (a few trajectories per step, some of them as
    pages), TensorBoard events and checkpoints. `resume` continues from the last whole checkpoint. UserError where `out`
    holds a run and resume is off, or another run, a guard stops the run, or a checkpoint cannot be written.
    """
    seed = profile.seed if seed is None else seed
    made = how_made("grpo", profile, config, seed, samples)
    with training_run(out, resume, made) as checkpoint:
        if finished(out, checkpoint, config.steps):
            return out / "final"
        trainer, guards = _trainer(profile, config, samples, root, tools, out, seed, checkpoint)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if guards.stopped:
            raise UserError(
                f"{guards.stopped}; the run stopped, and --resume goes on from its last checkpoint in {out}"
            )
        return save_final(trainer, trainer.processing_class, out, made)


def _trainer(
    profile: Profile, config: GRPOConfigSection, samples: list[Sample], root: Path, tools: Tools, out: Path,
    seed: int, checkpoint: Path | None,
) -> tuple[RRVFTrainer, Guards]:  # fmt: skip
    """The trainer with its callbacks, ready to begin or to go on from `checkpoint`."""
    samples = usable(samples, root)
    torch.manual_seed(seed)
    processor = training_processor(profile.policy.model)
    targets = {s.id: (root / s.image).read_bytes() for s in samples}
    if len(targets) < len(samples):
        raise UserError(
            f"{len(samples) - len(targets)} pictures share an id with another: train on sets without overlap"
        )
    local_batch = accumulation(config, processes()) * config.micro_batch
    check_trackers(profile.report_to)
    followed = shows(profile.report_to, out)
    episodes = EpisodeLog(out, targets, min(KEPT_EPISODES, local_batch), config.save_every, checkpoint, followed)
    rewards = Rewards(reward_rule(profile), tools, episodes)
    order = visiting_order(samples, config.steps * config.prompts_per_step, seed)
    prompts = prompts_of(samples, profile.policy.prompts, config.max_turns)
    bound = bound_of(processor, list(prompts.values()), config.max_prompt_tokens)
    trainer = RRVFTrainer(
        # Settings that cannot work here are refused before the weights are loaded.
        args=grpo_settings(config, profile, out, rewards.weights, seed, picture_tokens(processor.tokenizer)),
        model=load_policy_model(profile),
        train_dataset=picture_dataset(order, root, prompts, bound),
        processing_class=processor,
        reward_funcs=rewards.functions,
        environment_factory=lambda: Environment(
            tools, targets, config.max_turns, config.last_turn_hint, config.attach_render, bound
        ),
        peft_config=lora(profile),
    )
    check_sharding(trainer)
    # TRL prints prompts and pictures of each episode whose judge failed; the step's line counts them.
    logging.getLogger("trl.trainer.grpo_trainer").addFilter(lambda r: "returned None for" not in r.getMessage())
    trainer.advantage, trainer.keep_every = config.advantage, config.keep_every
    guards = Guards(config.guards, multi_turn=config.max_turns > 1)
    trainer.remove_callback(PrinterCallback)
    disable_progress_bar()
    for callback in (StepLog(out / "log.jsonl", checkpoint), Progress(), guards):
        trainer.add_callback(callback)
    return trainer, guards
