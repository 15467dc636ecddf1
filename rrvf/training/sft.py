"""The supervised baseline of the paper's ablation: the same policy on pictures paired with their true code (TRL's SFTTrainer)."""

from __future__ import annotations

from pathlib import Path

import torch
from datasets import Dataset, Features, Image, List, Value
from trl import SFTConfig, SFTTrainer

from rrvf.domains import domain
from rrvf.errors import UserError
from rrvf.policies.local import load_processor
from rrvf.profile import Profile, SFTConfigSection
from rrvf.protocol import answer_text, load_prompt
from rrvf.records import Sample
from rrvf.training.checkpoints import StepLog, last_checkpoint, load_weights, save_final
from rrvf.training.model import load_policy_model, lora


class BaselineTrainer(SFTTrainer):
    """SFTTrainer whose resume really loads Qwen2.5-VL's weights (see `load_weights`)."""

    def _load_from_checkpoint(self, resume_from_checkpoint, model=None):
        load_weights(model or self.model, resume_from_checkpoint)


def pair_dataset(samples: list[Sample], root: Path, prompt: str) -> Dataset:
    """Picture, direct prompt and an answer with the true code, the form in which the policy is evaluated."""
    missing = [s.id for s in samples if s.code is None]
    if missing:
        raise UserError(f"{len(missing)} samples have no code (first: {missing[0]}): SFT needs pairs, RRVF does not")
    rows = {
        "messages": [
            [
                {"role": "user", "content": prompt},
                {"role": "assistant", "content": answer_text((root / s.code).read_text().strip(), domain(s.domain))},
            ]
            for s in samples
        ],
        "images": [[str(root / s.image)] for s in samples],
    }
    message = {"role": Value("string"), "content": Value("string")}
    return Dataset.from_dict(rows, features=Features(messages=List(message), images=List(Image())))


def train_sft(
    profile: Profile,
    config: SFTConfigSection,
    samples: list[Sample],
    root: Path,
    out: Path,
    seed: int | None = None,
    resume: bool = False,
) -> Path:
    """Train on pairs; gives `out/final`. The loss falls on the assistant's tokens alone. Resume as in `train_grpo`."""
    out.mkdir(parents=True, exist_ok=True)
    if not resume and (out / "log.jsonl").exists():
        raise UserError(f"{out} already holds a run: add --resume to continue it, or choose another --out")
    checkpoint = last_checkpoint(out) if resume else None
    seed = profile.seed if seed is None else seed
    torch.manual_seed(seed)
    processor = load_processor(profile.policy.model)
    prompt = load_prompt(domain(config.domain), "direct", profile.policy.prompts)
    half = profile.policy.dtype == "bfloat16"
    settings = SFTConfig(
        output_dir=str(out),
        seed=seed,
        max_steps=config.steps,
        per_device_train_batch_size=config.batch,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, config.steps // 20),
        assistant_only_loss=True,
        # The default of 1,024 cuts on the right and would silently drop answers from the loss.
        max_length=None,
        use_cpu=not torch.cuda.is_available(),
        bf16=half,
        gradient_checkpointing=half,
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_steps=1,
        save_steps=config.save_every,
        save_total_limit=2,
        report_to=["tensorboard"],
    )
    trainer = BaselineTrainer(
        model=load_policy_model(profile),
        args=settings,
        train_dataset=pair_dataset(samples, root, prompt.text),
        processing_class=processor,
        peft_config=lora(profile),
    )
    trainer.add_callback(StepLog(out / "log.jsonl", checkpoint))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return save_final(trainer.model, processor, out)
