"""The files of a training run, and how a run resumes from them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import TrainerCallback

from rrvf.errors import UserError, first_line
from rrvf.folders import HOW_MADE, IDENTITY, claim, how_trained, owned
from rrvf.outputs import whole
from rrvf.policies.precision import described
from rrvf.profile import WITHOUT_EFFECT, Profile, RFTConfigSection, Section, SFTConfigSection
from rrvf.records import Sample
from rrvf.training.card import card
from rrvf.training.logs import read_log
from rrvf.training.model import trained_dtype
from rrvf.training.ranks import is_main

#: Settings that may change when a run is resumed.
MAY_CHANGE = {"steps"} | WITHOUT_EFFECT


def last_checkpoint(out: Path) -> Path | None:
    """The newest complete checkpoint, or None. One without `trainer_state.json` is not complete."""
    complete = [p.parent for p in out.glob("checkpoint-*/trainer_state.json")]
    return max(complete, key=checkpoint_step, default=None)


def checkpoint_step(checkpoint: Path) -> int:
    """The optimiser step after which a checkpoint was written."""
    return int(checkpoint.name.split("-")[1])


@contextmanager
def training_run(out: Path, resume: bool, made: dict[str, Any]) -> Iterator[Path | None]:
    """Lock the run's folder while it trains; yields the checkpoint to resume from, or None. made: from `how_made`.

    With several processes, the main one holds the lock. UserError if another process writes the folder, if the folder
    holds a run and resume is off, or if it holds a run with other settings.
    """
    with owned(out) if is_main() else nullcontext():
        if not resume and (out / "log.jsonl").exists():
            raise UserError(f"{out} already holds a run: add --resume to continue it, or choose another --out")
        if is_main():
            if resume and not _same_canvas(how_trained(out), made):
                raise UserError(f"{out} was begun on another canvas: resume with that one, or choose another --out")
            claim(out, identity(made), begun="log.jsonl")
            (out / HOW_MADE).write_text(json.dumps(made, indent=1) + "\n")
        yield last_checkpoint(out) if resume else None


def identity(made: dict[str, Any]) -> dict[str, Any]:
    """The settings that must not change when a run is resumed: all that decide its weights, except its length."""
    config = {name: value for name, value in made["config"].items() if name not in MAY_CHANGE}
    return {name: made[name] for name in ("method", "seed", "start", "policy", "reward", "judge", "pictures")} | config


def finished(out: Path, checkpoint: Path | None, made: dict[str, Any]) -> bool:
    """Whether `out/final` is already the policy of `made`. checkpoint: the last one; None where none is left.

    UserError for a policy without checkpoints that was made in another way: training would replace it.
    """
    final, steps = out / "final", made["config"]["steps"]
    if not final.is_dir():
        return False
    done = steps_of(final, made)
    if (
        checkpoint is not None
    ):  # the policy may be that of a shorter run, if this one was killed before it saved its own
        return checkpoint_step(checkpoint) >= steps and (done is None or done >= steps)
    if done == steps:
        return True
    raise UserError(f"{final} was trained with other settings, or for other steps: move it away, or use its settings")


def begun_otherwise(out: Path, made: dict[str, Any]) -> bool:
    """Whether `out` holds a run that was begun with other settings than those of `made`."""
    path = out / IDENTITY
    begun = path.is_file() and (out / "log.jsonl").is_file()
    return begun and json.loads(path.read_text()) != json.loads(json.dumps(identity(made)))


def _same_canvas(before: dict[str, Any], made: dict[str, Any]) -> bool:
    """Whether two records have one canvas. A record of an earlier version lacks it; then it is not compared."""
    return bool(before.get("canvas", made["canvas"]) == made["canvas"])


def steps_of(final: Path, made: dict[str, Any]) -> int | None:
    """The steps of a trained policy that was otherwise made as `made` says; None for one that was not."""
    path = final / HOW_MADE
    before = json.loads(path.read_text()) if path.is_file() else {}
    try:
        return before["config"]["steps"] if _same_canvas(before, made) and identity(before) == identity(made) else None
    except KeyError:  # a record from before these settings were written down
        return None


class SafeCheckpoints:
    """Mixin for both trainers; name it before TRL's class.

    Atomic: a checkpoint is written to a partial folder, synced to disk and renamed. Older ones are removed only then.
    A kill or a full disk can lose the new checkpoint, never the last good one.
    Exact: a resumed run loads Qwen2.5-VL's weights correctly (see `load_weights`).
    keep_every: keep the weights of every checkpoint whose step is a multiple of it; None: only the last checkpoints.
    """

    keep_every: int | None = None
    _beside: Path | None = None

    def _get_output_dir(self, trial):
        return str(self._beside) if self._beside else super()._get_output_dir(trial)

    def _save_checkpoint(self, model, trial):
        out, name = Path(self.args.output_dir), f"checkpoint-{self.state.global_step}"
        if self.args.should_save:
            shutil.rmtree(out / "checkpoint.partial", ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._beside = out / "checkpoint.partial"
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                _sync_and_rename(self._beside / name, out / name)
                _remove_older(out, self.args.save_total_limit, self.keep_every)
        # A full disk raises an OSError, a SafetensorError or, in torch's writer, a RuntimeError.
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(self._beside, ignore_errors=True)
            kept = last_checkpoint(out)
            raise UserError(
                f"{name} could not be written ({first_line(error)}): make room on the disk of {out}, "
                f"then --resume continues from {kept.name if kept else 'the start'}"
            ) from error
        finally:
            self._beside = None

    def create_model_card(self, *args, **kwargs):
        """Do not write TRL's card: `save_final` writes one from the run's records."""

    def _load_from_checkpoint(self, resume_from_checkpoint, model=None):
        model = model or self.model
        if hasattr(model, "peft_config"):
            return super()._load_from_checkpoint(resume_from_checkpoint, model)
        return load_weights(model, resume_from_checkpoint)


def _sync_and_rename(partial: Path, complete: Path) -> None:
    for path in partial.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    shutil.rmtree(complete, ignore_errors=True)
    partial.rename(complete)
    shutil.rmtree(partial.parent, ignore_errors=True)


def _remove_older(out: Path, limit: int, keep_every: int | None) -> None:
    """Remove all but the last `limit` checkpoints.

    Of these, one whose step is a multiple of `keep_every` stays, but without the states of optimiser and trainer: no
    run resumes from it.
    """
    for checkpoint in sorted(out.glob("checkpoint-*"), key=checkpoint_step)[:-limit]:
        if keep_every is None or checkpoint_step(checkpoint) % keep_every:
            shutil.rmtree(checkpoint, ignore_errors=True)
            continue
        for path in [checkpoint / "trainer_state.json", *checkpoint.glob("*.pt"), *checkpoint.glob("global_step*/*")]:
            path.unlink(missing_ok=True)


def kept_weights(out: Path, every: int) -> dict[int, Path]:
    """The checkpoints with full weights by step, for steps that are multiples of `every`. A LoRA run has none."""
    found = {checkpoint_step(path): path for path in out.glob("checkpoint-*") if any(path.glob("model*.safetensors"))}
    return {step: found[step] for step in sorted(found) if step % every == 0}


def load_weights(model, checkpoint: str | Path) -> None:
    """Load a checkpoint's weights into `model`.

    The stock Trainer does not: transformers renames Qwen2.5-VL's modules, so the names on disk match none, and with
    strict=False it loads nothing and only warns.
    """
    saved = type(model).from_pretrained(checkpoint, dtype=model.dtype)
    model.load_state_dict(saved.state_dict())


def _method(config: Section) -> str:
    """The method by which a section of a profile is trained: grpo, sft, cold_start or rft."""
    if isinstance(config, RFTConfigSection):
        return "rft"
    if isinstance(config, SFTConfigSection):
        return "cold_start" if config.transcripts else "sft"
    return "grpo"


def how_made(profile: Profile, config: Section, seed: int, samples: list[Sample]) -> dict[str, Any]:
    """Everything that made a policy, for `training.json`.

    `start` is the name of the model that the run began with, or, if that was trained here too, its own record. So a
    cold start (decisions D8) stays visible.
    """
    before = Path(profile.policy.model) / HOW_MADE
    return {
        "method": _method(config),
        "profile": profile.name,
        "settings": profile.hash,
        "seed": seed,
        "config": config.model_dump(mode="json"),
        "policy": profile.policy.model_dump(mode="json", exclude={"model"}),
        "reward": profile.reward.model_dump(mode="json"),
        "canvas": profile.canvas.model_dump(mode="json", include={s.domain for s in samples}),
        "judge": profile.judge.identity,
        "pictures": hashlib.sha256("".join(s.id + s.sha256 for s in samples).encode()).hexdigest()[:16],
        "numbers": described(profile.policy, trained_dtype(profile.policy)),
        "start": json.loads(before.read_text()) if before.is_file() else profile.policy.model,
    }


def save_final(trainer, processor, out: Path, made: dict[str, Any]) -> Path:
    """Save the trained policy as `out/final`, with LoRA merged in; returns the folder.

    It is written to a partial folder and renamed, so a kill leaves no half model. `made` goes into `training.json` and,
    with the learning curve, into the model card. Every process must call this; the main one writes.
    """
    final, building = out / "final", out / "final.partial"
    if trainer.accelerator.is_main_process:
        model = trainer.accelerator.unwrap_model(trainer.model)
        if hasattr(model, "merge_and_unload"):
            model = model.merge_and_unload()
        shutil.rmtree(building, ignore_errors=True)
        model.save_pretrained(building)
        processor.save_pretrained(building)
        (building / HOW_MADE).write_text(json.dumps(made, indent=1))
        (building / "README.md").write_text(card(made, read_log(out / "log.jsonl")), encoding="utf-8")
        if final.exists():
            _set_aside(final)
        building.rename(final)
    trainer.accelerator.wait_for_everyone()
    return final


def _set_aside(final: Path) -> None:
    """Rename the policy of an earlier, shorter run in this folder to `final-STEPS`: it cost hours, so keep it."""
    made = final / HOW_MADE
    steps = json.loads(made.read_text())["config"]["steps"] if made.is_file() else "before"
    aside = final.with_name(f"final-{steps}")
    while aside.exists():
        aside = aside.with_name(aside.name + "+")
    final.rename(aside)


class StepLog(TrainerCallback):
    """Writes one JSON line per optimiser step: the learning curve.

    path: the log. checkpoint: where the run resumes; lines of later steps are dropped, because those steps run again.
    """

    def __init__(self, path: Path, checkpoint: Path | None) -> None:
        self._path = path
        self._done = checkpoint_step(checkpoint) if checkpoint else 0
        self._started = time.monotonic()

    def on_train_begin(self, args, state, control, **kwargs):
        """Drop the lines after the checkpoint and start the clock."""
        if state.is_world_process_zero:
            kept = [line for line in read_log(self._path) if line["step"] <= self._done]
            rewrite(self._path, [json.dumps(line) for line in kept])
        self._started = time.monotonic()

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Append the step's line. TRL's summary at the end of training is not a step."""
        if state.is_world_process_zero and logs and "train_runtime" not in logs:
            line = {"step": state.global_step, "elapsed_s": round(time.monotonic() - self._started, 2), **logs}
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")


def rewrite(path: Path, lines: list[str]) -> None:
    """Replace a file of lines atomically: a kill leaves the old file or the new one."""
    with whole(path) as partial:
        partial.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
