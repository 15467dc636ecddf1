"""What a training run leaves on disk, and how it is taken up again."""

from __future__ import annotations

import json
import time
from pathlib import Path

from transformers import TrainerCallback

from rrvf.records import Trajectory


def last_checkpoint(out: Path) -> Path | None:
    """The newest whole checkpoint: the trainer writes `trainer_state.json` last, so one without it was cut short."""
    whole = [p.parent for p in out.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=_step, default=None)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.split("-")[1])


def load_weights(model, checkpoint: str | Path) -> None:
    """Load a checkpoint's weights into `model`.

    The stock Trainer reads hub names into renamed Qwen2.5-VL modules with strict=False: it loads nothing and warns.
    """
    saved = type(model).from_pretrained(checkpoint, dtype=model.dtype)
    model.load_state_dict(saved.state_dict())


def save_final(model, processor, out: Path) -> Path:
    """`out/final`, written beside and renamed, so that a killed run leaves no half model behind."""
    final, building = out / "final", out / "final.partial"
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    model.save_pretrained(building)
    processor.save_pretrained(building)
    building.rename(final)
    return final


def read_log(path: Path) -> list[dict]:
    """The lines of a step log; none where there is no file. A last line cut by a kill is left out."""
    lines = []
    for text in path.read_text().splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines


class StepLog(TrainerCallback):
    """One JSON line per optimiser step: the learning curve. A resumed run drops the lines that it will write again."""

    def __init__(self, path: Path, checkpoint: Path | None) -> None:
        self._path = path
        done = _step(checkpoint) if checkpoint else 0
        kept = [line for line in read_log(path) if line["step"] <= done]
        path.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._started = time.monotonic()

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "train_runtime" not in logs:
            line = {"step": state.global_step, "elapsed_s": round(time.monotonic() - self._started, 2), **logs}
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")


class EpisodeLog:
    """Appends the first few trajectories of each batch to a JSON-lines file, for the notebooks and the sample pages."""

    def __init__(self, path: Path, per_batch: int = 4) -> None:
        self._path, self._per_batch = path, per_batch

    def __call__(self, trajectories: list[Trajectory]) -> None:
        with self._path.open("a") as file:
            for trajectory in trajectories[: self._per_batch]:
                file.write(trajectory.model_dump_json() + "\n")
