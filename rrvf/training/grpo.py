"""RRVF training: GRPO (Eq. 1) on TRL, from pictures alone."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from datasets import Dataset, Features, List, Value
from PIL import Image
from transformers import PrinterCallback
from transformers.utils.logging import disable_progress_bar

from rrvf.domains import domain
from rrvf.errors import UserError
from rrvf.pictures import read_picture
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

#: Trajectories of each step that are kept for people to read.
KEPT_EPISODES = 4


def visiting_order(samples: list[Sample], visits: int, seed: int) -> list[Sample]:
    """The samples of the whole run in order, `visits` of them: seeded permutations of all samples, one after another.

    The whole run is one epoch for TRL. TRL does not save its sampler's state, so a run resumed in a later epoch would
    see the first epoch's order again.
    """
    rng = random.Random(seed)
    order: list[Sample] = []
    while len(order) < visits:
        order += rng.sample(samples, len(samples))
    return order[:visits]


def prompts_of(samples: list[Sample], style: str, max_turns: int) -> dict[str, str]:
    """The prompt of each domain of `samples`. style: `full` or `nano`.

    max_turns: T_max, which the prompt states. With T_max 1 the prompt offers no tool.
    """
    mode = "tools" if max_turns > 1 else "direct"
    return {name: load_prompt(domain(name), mode, style, max_turns).text for name in {s.domain for s in samples}}


def picture_dataset(
    samples: list[Sample], root: Path, prompts: Mapping[str, str], bound: Bound | None, kept: int = 1
) -> Dataset:
    """The training set of RRVF: a prompt and a picture per row, and nothing derived from code.

    root: the folder of the pictures. prompts: by domain. bound: larger pictures are shrunk when they are loaded. kept:
    pictures to keep in memory. TRL asks for each picture of a step once per episode and per micro-batch.
    """
    rows = {
        "prompt": [[{"role": "user", "content": prompts[s.domain]}] for s in samples],
        "image": [str(root / s.image) for s in samples],
        "sample_id": [s.id for s in samples],
        "domain_name": [s.domain for s in samples],
    }
    message = {"role": Value("string"), "content": Value("string")}
    text = Value("string")
    features = Features(prompt=List(message), image=text, sample_id=text, domain_name=text)
    dataset = Dataset.from_dict(rows, features=features)

    @lru_cache(maxsize=kept)
    def picture(path: str) -> Image.Image:
        read = read_picture(Path(path))
        return bound.bounded(read) if bound else read

    dataset.set_transform(lambda rows: rows | {"image": [picture(path) for path in rows["image"]]})
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
    """Train with GRPO on the pictures of `samples` (files under `root`). Returns `out/final` for `from_pretrained`.

    seed: instead of the profile's. resume: continue from the last complete checkpoint.
    Writes `log.jsonl` (a line per step), `episodes.jsonl` and `episodes/` (a few trajectories per step, some as pages),
    checkpoints, and the trackers' logs (by default TensorBoard events). UserError if `out` holds a run and resume is
    off, if it holds another run, if a guard stops the run, or if a checkpoint cannot be written.
    """
    seed = profile.seed if seed is None else seed
    made = how_made(profile, config, seed, samples)
    with training_run(out, resume, made) as checkpoint:
        if finished(out, checkpoint, made):
            return out / "final"
        trainer, guards = _trainer(profile, config, samples, root, tools, out, seed, checkpoint)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if guards.stopped:
            raise UserError(f"{guards.stopped}; the run stopped: --resume continues from its last checkpoint in {out}")
        return save_final(trainer, trainer.processing_class, out, made)


def _trainer(
    profile: Profile, config: GRPOConfigSection, samples: list[Sample], root: Path, tools: Tools, out: Path,
    seed: int, checkpoint: Path | None,
) -> tuple[RRVFTrainer, Guards]:  # fmt: skip
    """The trainer with its callbacks, ready to start or to resume from `checkpoint`; and the guards."""
    samples = usable(samples, root)
    torch.manual_seed(seed)
    processor = training_processor(profile.policy.model)
    targets = {s.id: (root / s.image).read_bytes() for s in samples}
    if len(targets) < len(samples):
        raise UserError(
            f"{len(samples) - len(targets)} pictures share an id with another picture: train on sets without overlap"
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
        # First, so that settings that cannot work here are refused before the weights are loaded.
        args=grpo_settings(config, profile, out, rewards.weights, seed, picture_tokens(processor.tokenizer)),
        model=load_policy_model(profile),
        train_dataset=picture_dataset(order, root, prompts, bound, config.prompts_per_step),
        processing_class=processor,
        reward_funcs=rewards.functions,
        environment_factory=lambda: Environment(
            tools, targets, config.max_turns, config.last_turn_hint, config.attach_render, bound
        ),
        peft_config=lora(profile),
    )
    check_sharding(trainer)
    # TRL prints the prompt and picture of each episode without a reward. Drop that: the step's line counts them.
    logging.getLogger("trl.trainer.grpo_trainer").addFilter(lambda r: "returned None for" not in r.getMessage())
    trainer.advantage, trainer.keep_every = config.advantage, config.keep_every
    guards = Guards(config.guards, multi_turn=config.max_turns > 1)
    trainer.remove_callback(PrinterCallback)
    disable_progress_bar()
    for callback in (StepLog(out / "log.jsonl", checkpoint), Progress(), guards):
        trainer.add_callback(callback)
    return trainer, guards
