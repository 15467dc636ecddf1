"""Keeps a few trajectories of each step: as records for notebooks, and as HTML pages for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from rrvf.records import Trajectory
from rrvf.report.episodes import kept_pictures, trajectory_html
from rrvf.training.checkpoints import checkpoint_step, rewrite
from rrvf.training.ranks import is_main
from rrvf.training.tracking import Show, strips


class EpisodeLog:
    """Appends to `episodes.jsonl`; at step 1 and every `page_every` steps also writes `episodes/step-N.html`.

    targets: PNG bytes by sample id. per_step: trajectories kept of each step.
    checkpoint: where the run resumes; lines of later steps are dropped.
    shows: trackers that get the pictures of each page. With several processes, only the main one writes, and only its
    own episodes.
    """

    def __init__(
        self, out: Path, targets: Mapping[str, bytes], per_step: int, page_every: int, checkpoint: Path | None,
        shows: Sequence[Show] = (),
    ) -> None:  # fmt: skip
        self._path, self._pages = out / "episodes.jsonl", out / "episodes"
        self._per_step, self._page_every = per_step, page_every
        self._pictures, self._shows = kept_pictures(targets), shows
        self._writes = is_main()
        if self._writes and self._path.is_file():
            done = per_step * (checkpoint_step(checkpoint) if checkpoint else 0)
            with self._path.open(encoding="utf-8") as file:
                kept = [line.rstrip("\n") for line in islice(file, done)]
            rewrite(self._path, kept)

    def __call__(self, trajectories: list[Trajectory], step: int) -> None:
        """Append some of a step's episodes, and write the page if one is due."""
        if not self._writes:
            return
        kept = spread(trajectories, self._per_step)
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(t.model_dump_json() + "\n" for t in kept)
        if step == 1 or step % self._page_every == 0:
            self._pages.mkdir(exist_ok=True)
            page = trajectory_html(kept, self._pictures, f"Episodes of step {step}")
            (self._pages / f"step-{step:05}.html").write_text(page, encoding="utf-8")
            shown = strips(kept, self._pictures) if self._shows else []
            for show in self._shows:
                show(shown, step)


def spread(trajectories: list[Trajectory], count: int) -> list[Trajectory]:
    """`count` trajectories at equal distances: from different groups, if there are enough groups."""
    return [trajectories[i * len(trajectories) // count] for i in range(count)]
