"""Supervised training on TRL's SFTTrainer: the baseline of the paper's ablation, and the optional cold start (D8).

The baseline learns pairs of picture and true code, with the prompt and answer format of the evaluation. The cold start
learns whole episodes of several turns, in RRVF's format. `rrvf.training.rft` learns single-turn episodes.
"""

from __future__ import annotations

from pathlib import Path

import torch
from datasets import Dataset, Features, Image, List, Value
from transformers import PrinterCallback
from transformers.utils.logging import disable_progress_bar
from trl import SFTConfig, SFTTrainer

from rrvf.domains import domain
from rrvf.errors import UserError
from rrvf.policies.local import training_processor
from rrvf.profile import GRPOConfigSection, Profile, RFTConfigSection, SFTConfigSection, SupervisedSection
from rrvf.protocol import answer_text, load_prompt
from rrvf.records import Sample, Trajectory
from rrvf.references import usable
from rrvf.report.episodes import read_trajectories
from rrvf.training.checkpoints import (
    SafeCheckpoints,
    StepLog,
    checkpoint_step,
    finished,
    how_made,
    save_final,
    training_run,
)
from rrvf.training.model import load_policy_model, lora
from rrvf.training.pictures import bound_of
from rrvf.training.progress import Progress
from rrvf.training.ranks import processes
from rrvf.training.settings import check_sharding, sft_batch, shared_settings


class SupervisedTrainer(SafeCheckpoints, SFTTrainer):
    """SFTTrainer with safe checkpoints."""


def pair_dataset(samples: list[Sample], root: Path, style: str) -> Dataset:
    """Dialogues of picture, direct prompt and an answer with the true code. UserError for a sample without code."""
    missing = [s.id for s in samples if s.code is None]
    if missing:
        raise UserError(f"{len(missing)} samples have no code (first: {missing[0]}): SFT needs pairs, RRVF does not")
    dialogues = []
    for s in samples:
        task = domain(s.domain)
        answer = answer_text((root / s.code).read_text(encoding="utf-8").strip(), task)
        dialogues.append([_message("user", load_prompt(task, "direct", style).text), _message("assistant", answer)])
    return _dataset(dialogues, [root / s.image for s in samples])


def transcript_dataset(trajectories: list[Trajectory], samples: list[Sample], root: Path, style: str) -> Dataset:
    """Dialogues of picture, prompt and all turns with their feedback, from the episodes whose final code ran.

    Episodes on which the judge failed are left out: nothing picked them. UserError if no episode is left, or
    if the picture of one is not among `samples`.
    """
    images = {s.id: root / s.image for s in samples}
    ran = [t for t in trajectories if t.final_render is not None and t.final_render.ok]
    good = [t for t in ran if t.judgement is None or t.judgement.ok]
    if not good:
        raise UserError("no transcript ends in an answer that ran: this training needs episodes that succeeded")
    unknown = [t.sample_id for t in good if t.sample_id not in images]
    if unknown:
        raise UserError(f"no picture for transcript {unknown[0]}: train_set must hold the transcripts' pictures")
    max_turns = max(len(t.turns) for t in trajectories)  # T_max is not in the records; the longest episode reached it
    return _dataset([_dialogue(t, style, max_turns) for t in good], [images[t.sample_id] for t in good])


def _dialogue(trajectory: Trajectory, style: str, max_turns: int) -> list[dict[str, str]]:
    mode = "tools" if max_turns > 1 else "direct"
    messages = [_message("user", load_prompt(domain(trajectory.domain), mode, style, max_turns).text)]
    for turn in trajectory.turns:
        messages.append(_message("assistant", turn.text))
        if turn.feedback is not None:
            messages.append(_message("tool", turn.feedback))
    return messages


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _dataset(dialogues: list[list[dict[str, str]]], pictures: list[Path]) -> Dataset:
    message = {"role": Value("string"), "content": Value("string")}
    rows = {"messages": dialogues, "images": [[str(path)] for path in pictures]}
    return Dataset.from_dict(rows, features=Features(messages=List(message), images=List(Image())))


def train_sft(
    profile: Profile,
    config: SFTConfigSection | RFTConfigSection,
    samples: list[Sample],
    root: Path,
    out: Path,
    seed: int | None = None,
    resume: bool = False,
    drawn: Path | None = None,
) -> Path:
    """Train on pairs or transcripts; returns `out/final`. Only the assistant's tokens carry loss.

    drawn: the transcripts of an rft section, from `rrvf.training.rft.draw`. seed, resume and errors: as in
    `train_grpo`; UserError also for a sample without true code, and for transcripts without a successful episode.
    """
    seed = profile.seed if seed is None else seed
    if isinstance(config, RFTConfigSection):
        transcripts = drawn
    else:
        transcripts = Path(config.transcripts) if config.transcripts else None
    made = how_made(profile, config, seed, samples)
    with training_run(out, resume, made) as checkpoint:
        if finished(out, checkpoint, made):
            return out / "final"
        trainer = _trainer(profile, config, samples, root, transcripts, out, seed, checkpoint)
        if checkpoint and checkpoint_step(checkpoint) >= config.steps:
            trainer._load_from_checkpoint(str(checkpoint))  # `train` would do one more step
        else:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        return save_final(trainer, trainer.processing_class, out, made)


def _trainer(
    profile: Profile, config: SupervisedSection, samples: list[Sample], root: Path, transcripts: Path | None, out: Path,
    seed: int, checkpoint: Path | None,
) -> SupervisedTrainer:  # fmt: skip
    """The trainer with its callbacks, ready to start or to resume from `checkpoint`."""
    torch.manual_seed(seed)
    processor = training_processor(profile.policy.model)
    trainer = SupervisedTrainer(
        args=_settings(config, profile, out, seed),  # first: it refuses bad settings before the weights are loaded
        model=load_policy_model(profile),
        train_dataset=_bounded(_examples(transcripts, samples, root, profile.policy.prompts), processor),
        processing_class=processor,
        peft_config=lora(profile),
    )
    check_sharding(trainer)
    trainer.remove_callback(PrinterCallback)
    disable_progress_bar()
    for callback in (StepLog(out / "log.jsonl", checkpoint), Progress()):
        trainer.add_callback(callback)
    return trainer


def _bounded(dataset: Dataset, processor) -> Dataset:
    """The data set with pictures that are no larger than in GRPO (its default of max_prompt_tokens)."""
    prompts = sorted({row[0]["content"] for row in dataset["messages"]})
    bound = bound_of(processor, prompts, GRPOConfigSection.model_fields["max_prompt_tokens"].default)
    if bound is not None:
        dataset.set_transform(
            lambda rows: rows | {"images": [[bound.bounded(p) for p in row] for row in rows["images"]]}
        )
    return dataset


def _examples(path: Path | None, samples: list[Sample], root: Path, style: str) -> Dataset:
    kept = usable(samples, root)
    if path is None:
        return pair_dataset(kept, root, style)
    if not path.is_file():
        raise UserError(f"no transcripts at {path}: name a file of trajectories, such as a run's episodes.jsonl")
    excluded = {s.id for s in samples} - {s.id for s in kept}
    trajectories = [t for t in read_trajectories(path) if t.sample_id not in excluded]
    return transcript_dataset(trajectories, kept, root, style)


def _settings(config: SupervisedSection, profile: Profile, out: Path, seed: int) -> SFTConfig:
    together, rounds = sft_batch(config, processes())
    return SFTConfig(
        output_dir=str(out),
        seed=seed,
        max_steps=config.steps,
        per_device_train_batch_size=together,
        gradient_accumulation_steps=rounds,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, config.steps // 20),
        assistant_only_loss=True,
        # The default of 1,024 truncates on the right: long answers would silently lose their loss.
        max_length=None,
        save_steps=config.save_every,
        **shared_settings(profile),
    )
