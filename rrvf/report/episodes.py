"""Multi-turn episodes of Alg. 1 as a static page: target, each turn's code, picture and feedback, final answer, reward.

Example:

    trajectory_html(trajectories, kept_pictures(targets))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from rrvf.errors import UserError
from rrvf.records import Render, Trajectory, Turn, json_lines
from rrvf.report.html import data_uri, page


@dataclass(frozen=True)
class EpisodePictures:
    """PNG bytes of one episode: the target and one picture per turn, None where a turn has none.

    The picture of an answer's turn is that of the final code.
    """

    target: bytes | None
    turns: tuple[bytes | None, ...]


Pictures = Callable[[Trajectory], EpisodePictures]


def kept_pictures(targets: Mapping[str, bytes]) -> Pictures:
    """Pictures that trajectories in memory still hold (records on disk hold none)."""
    return lambda t: EpisodePictures(targets.get(t.sample_id), tuple(_kept(t, turn) for turn in t.turns))


def _kept(trajectory: Trajectory, turn: Turn) -> bytes | None:
    render = trajectory.final_render if turn.action == "answer" else turn.render
    return render.png if render is not None else None


def drawn_again(targets: Mapping[str, bytes], render: Callable[[str], Render]) -> Pictures:
    """Pictures of trajectories read from disk: their code drawn again by `render`, in the sandbox."""

    def draw(trajectory: Trajectory) -> EpisodePictures:
        drawn = tuple(render(t.code).png if t.code and t.action != "none" else None for t in trajectory.turns)
        return EpisodePictures(targets.get(trajectory.sample_id), drawn)

    return draw


def read_trajectories(path: Path) -> list[Trajectory]:
    """The episodes of an `episodes.jsonl`; a line cut by a kill is left out. UserError for another kind of file."""
    found = []
    for row in json_lines(path):
        try:
            found.append(Trajectory.model_validate(row))
        except ValidationError:
            raise UserError(f"{path} holds no episodes: name the episodes.jsonl of a training run") from None
    return found


@dataclass(frozen=True)
class _Step:
    """One turn, ready for the page."""

    title: str
    picture: str | None
    text: str
    code: str | None
    said: str


def trajectory_html(trajectories: Sequence[Trajectory], pictures: Pictures, title: str = "Episodes") -> str:
    """A self-contained page (pictures as data URIs) with one strip per episode."""
    episodes = []
    for trajectory in trajectories:
        shown = pictures(trajectory)
        drawn = (*shown.turns, *[None] * len(trajectory.turns))
        steps = [_step(trajectory, i, turn, drawn[i]) for i, turn in enumerate(trajectory.turns)]
        episodes.append((trajectory, data_uri(shown.target), steps, worth(trajectory)))
    return page("trajectory.html.j2", title=title, episodes=episodes)


def _step(trajectory: Trajectory, number: int, turn: Turn, picture: bytes | None) -> _Step:
    titles = {"tool_call": "draft", "answer": "final answer", "none": "no action"}
    return _Step(
        title=f"Turn {number + 1}: {titles[turn.action]}",
        picture=data_uri(picture),
        text=turn.text,
        code=turn.code,
        said=said(trajectory, turn),
    )


def said(trajectory: Trajectory, turn: Turn) -> str:
    """What came back to a turn: the tool's feedback; for the answer, why it did not run, or the judge's word."""
    if turn.action != "answer":
        return turn.feedback or turn.problem or ""
    render, judgement = trajectory.final_render, trajectory.judgement
    if render is not None and not render.ok:
        return f"{render.reason or render.status}: {render.message}"
    if judgement is None:
        return ""
    return judgement.feedback if judgement.ok else f"judge_error: {judgement.reason}"


def worth(trajectory: Trajectory) -> str:
    """The episode's similarity and reward terms on one line; a failed judge is named, never a number."""
    judgement, reward = trajectory.judgement, trajectory.reward
    parts = ["harness_error: the episode leaves its group"] if trajectory.harness_error else []
    if judgement is not None:
        parts.append(
            f"similarity {judgement.score:.2f}" if judgement.ok else "judge_error: the episode leaves its group"
        )
    if reward is not None and reward.total is not None:
        parts.append(f"R_vision {reward.vision:.2f}, R_format {reward.format:+.0f}, R_tool {reward.tool:.2f}")
        parts.append(f"R = {reward.total:.2f}")
    return "; ".join(parts)
