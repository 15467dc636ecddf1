"""Sends pictures of episodes to the trackers of a run. Numbers go there through transformers' own callbacks.

An episode is shown as one strip of pictures: the target, then the render of each turn, the answer last.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageOps

from rrvf.errors import UserError
from rrvf.profile import Tracker
from rrvf.records import Trajectory
from rrvf.report.episodes import EpisodePictures, worth

#: Pixels of one strip's height, and of the gap between its pictures.
HEIGHT, GAP = 224, 8
#: Sends (caption, strip) pairs of an optimiser step to a tracker.
Show = Callable[[Sequence[tuple[str, Image.Image]], int], None]


def check_trackers(trackers: Sequence[Tracker]) -> None:
    """UserError if a tracker's package is not installed. Call it before weights are loaded."""
    missing = [name for name in trackers if find_spec(name) is None]
    if missing:
        raise UserError(f"report_to names {missing[0]}, which is not installed: run `pip install {missing[0]}`")


def shows(trackers: Sequence[Tracker], out: Path) -> list[Show]:
    """A function per tracker that sends strips to it. out: the run's folder."""
    known: dict[Tracker, Callable[[Path], Show]] = {
        "tensorboard": _tensorboard, "wandb": _wandb, "trackio": _trackio
    }  # fmt: skip
    return [known[name](out) for name in trackers]


def strips(
    trajectories: Sequence[Trajectory], pictures: Callable[[Trajectory], EpisodePictures]
) -> list[tuple[str, Image.Image]]:
    """A caption and a strip for each episode. pictures: gives an episode's pictures."""
    return [(f"{t.sample_id}: {worth(t)}", strip(pictures(t))) for t in trajectories]


def strip(pictures: EpisodePictures) -> Image.Image:
    """The pictures of an episode side by side, in RGB; white for a turn without a picture."""
    shown = [_scaled(png) for png in (pictures.target, *pictures.turns)]
    canvas = Image.new("RGB", (sum(p.width + GAP for p in shown) - GAP, HEIGHT), "gray")
    left = 0
    for picture in shown:
        canvas.paste(picture, (left, 0))
        left += picture.width + GAP
    return canvas


def _scaled(png: bytes | None) -> Image.Image:
    if png is None:
        return Image.new("RGB", (HEIGHT, HEIGHT), "white")
    return ImageOps.contain(Image.open(io.BytesIO(png)).convert("RGB"), (4 * HEIGHT, HEIGHT)).copy()


def _tensorboard(out: Path) -> Show:
    import numpy as np
    from tensorboardX import SummaryWriter

    def show(shown: Sequence[tuple[str, Image.Image]], step: int) -> None:
        with SummaryWriter(str(out / "pictures")) as writer:
            for number, (caption, picture) in enumerate(shown):
                writer.add_image(f"episodes/{number}", np.asarray(picture), step, dataformats="HWC")
                writer.add_text(f"episodes/{number}", caption, step)

    return show


def _wandb(out: Path) -> Show:
    import wandb

    def show(shown: Sequence[tuple[str, Image.Image]], step: int) -> None:
        pictures = [wandb.Image(picture, caption=caption) for caption, picture in shown]
        wandb.log({"episodes": pictures, "train/global_step": step})  # transformers counts its steps by this name

    return show


def _trackio(out: Path) -> Show:
    import trackio

    def show(shown: Sequence[tuple[str, Image.Image]], step: int) -> None:
        named = {f"episodes/{i}": trackio.Image(picture, caption=caption) for i, (caption, picture) in enumerate(shown)}
        trackio.log(named | {"train/global_step": step})

    return show
