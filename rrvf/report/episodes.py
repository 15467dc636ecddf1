"""Episodes of Alg. 1 as a static page: target, each turn's code, picture and feedback, final answer, reward.

Example:
    trajectory_html(trajectories, kept_pictures(targets))
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from markupsafe import Markup
from pydantic import ValidationError

from rrvf.domains import domain
from rrvf.errors import UserError
from rrvf.records import Judgement, Trajectory, Turn, json_lines
from rrvf.report.highlight import highlighted
from rrvf.report.html import page
from rrvf.report.thumbnails import data_uri


@dataclass(frozen=True)
class EpisodePictures:
    """PNG bytes of one episode: the target, and one picture per turn, None if it has none.

    The turn of an answer has the picture of the final code.
    """

    target: bytes | None
    turns: tuple[bytes | None, ...]


Pictures = Callable[[Trajectory], EpisodePictures]


def kept_pictures(targets: Mapping[str, bytes]) -> Pictures:
    """Pictures of trajectories in memory, which still hold them. targets: PNG bytes by sample id."""
    return lambda t: EpisodePictures(targets.get(t.sample_id), tuple(_kept(t, turn) for turn in t.turns))


def _kept(trajectory: Trajectory, turn: Turn) -> bytes | None:
    render = trajectory.final_render if turn.action == "answer" else turn.render
    return render.png if render is not None else None


def read_trajectories(path: Path) -> list[Trajectory]:
    """The episodes of an `episodes.jsonl`, without a line cut by a kill. Raises UserError for another kind of file."""
    found = []
    for row in json_lines(path):
        try:
            found.append(Trajectory.model_validate(row))
        except ValidationError:
            raise UserError(f"{path} holds no episodes: name the episodes.jsonl of a training run") from None
    return found


@dataclass(frozen=True)
class _Step:
    """One turn as the page's template takes it."""

    title: str
    picture: str | None
    text: str
    code: Markup | None
    changes: Markup | None
    said: str


def trajectory_html(trajectories: Sequence[Trajectory], pictures: Pictures, title: str = "Episodes") -> str:
    """A self-contained HTML page (pictures as data URIs) with one strip per episode."""
    episodes = []
    for trajectory in trajectories:
        shown = pictures(trajectory)
        drawn = (*shown.turns, *[None] * len(trajectory.turns))
        steps = [_step(trajectory, i, turn, drawn[i]) for i, turn in enumerate(trajectory.turns)]
        episodes.append((trajectory, data_uri(shown.target), steps, worth(trajectory)))
    return page("trajectory.html.j2", scripts=("compare.js", "episodes.js"), title=title, episodes=episodes)


def _step(trajectory: Trajectory, number: int, turn: Turn, picture: bytes | None) -> _Step:
    titles = {"tool_call": "draft", "answer": "final answer", "none": "no action"}
    return _Step(
        title=f"Turn {number + 1}: {titles[turn.action]}",
        picture=data_uri(picture),
        text=turn.text,
        code=highlighted(turn.code, domain(trajectory.domain).fence) if turn.code is not None else None,
        changes=_changes(trajectory, number),
        said=said(trajectory, turn),
    )


def _changes(trajectory: Trajectory, number: int) -> Markup | None:
    """A unified diff of a turn's code against the code before it; None if either is missing. number: from 0."""
    code = trajectory.turns[number].code
    before = next((t.code for t in reversed(trajectory.turns[:number]) if t.code is not None), None)
    if code is None or before is None:
        return None
    lines = list(unified_diff(before.splitlines(), code.splitlines(), n=1, lineterm=""))[2:]
    return highlighted("".join(f"{line}\n" for line in lines) or "nothing: the same code again", "diff")


def said(trajectory: Trajectory, turn: Turn) -> str:
    """The reply to a turn: the tool's feedback; for the answer, why it did not run, or the judge's feedback."""
    if turn.action != "answer":
        return turn.feedback or turn.problem or ""
    render, judgement = trajectory.final_render, trajectory.judgement
    if render is not None and not render.ok:
        return f"{render.reason or render.status}: {render.message}"
    if judgement is None:
        return ""
    return judgement.feedback if judgement.ok else f"judge_error: {judgement.reason}"


def by_reward(trajectories: Sequence[Trajectory]) -> list[Trajectory]:
    """Episodes by the reward of Eq. (2), best first; of equal rewards the more similar first.

    Episodes without a reward are left out.
    """
    scored = [t for t in trajectories if t.reward is not None and t.reward.total is not None]
    return sorted(scored, key=lambda t: (t.reward.total, similarity(t)), reverse=True)


def gain(trajectory: Trajectory, target: bytes, score: Callable[[bytes, bytes, str], Judgement]) -> float | None:
    """The answer's similarity less that of the first draft. A draft without a picture has similarity 0.

    score: asks the judge for the draft's score, because a draft gets only feedback. None if there is no draft, or if
    the answer or a rendered draft has no score.
    """
    draft = next((t for t in trajectory.turns if t.action == "tool_call"), None)
    if draft is None or trajectory.judgement is None or not trajectory.judgement.ok:
        return None
    png = draft.render.png if draft.render is not None else None
    before = score(target, png, trajectory.domain) if png else Judgement(status="ok", score=0.0)
    return trajectory.judgement.score - before.score if before.ok else None


def best_loop(trajectories: Sequence[Trajectory], gains: Sequence[float | None]) -> Trajectory:
    """The episode of the largest gain; if no episode has a gain, the best by reward."""
    known = [i for i, found in enumerate(gains) if found is not None]
    if not known:
        return (by_reward(trajectories) or trajectories)[0]
    return trajectories[max(known, key=lambda i: gains[i])]


def gained(best: Trajectory, trajectories: Sequence[Trajectory], gains: Sequence[float | None]) -> str:
    """The caption of the episode of the largest gain: its gain, the mean gain, and its place."""
    known = [found for found in gains if found is not None]
    if not known:
        return f"No episode has a draft to compare with. This one is {place(best, trajectories)}."
    after = similarity(best)
    both = f"Similarity of the draft {after - max(known):.2f}, of the answer {after:.2f}"
    most = f"the largest gain, {max(known):+.2f}, of {len(known)} test pictures with a draft"
    return f"{both}: {most} (mean {statistics.fmean(known):+.2f}). It is {place(best, trajectories)}."


def place(shown: Trajectory, among: Sequence[Trajectory], before: Sequence[Trajectory] = ()) -> str:
    """The place of an episode among others, for its caption: rank and similarity, with the median of all.

    before: episodes of an earlier policy; the similarity on the same picture is added.
    """
    ranked = by_reward(among)
    rank = next((i for i, t in enumerate(ranked, 1) if t.sample_id == shown.sample_id), None)
    middle = statistics.median(similarity(t) for t in ranked) if ranked else float("nan")
    words = [f"no. {rank} of {len(among)} episodes by reward" if rank else "an episode that no judge scored"]
    words.append(f"similarity {similarity(shown):.2f}, median of all {middle:.2f}")
    words += [f"the same picture before: {similarity(t):.2f}" for t in before if t.sample_id == shown.sample_id]
    return "; ".join(words)


def similarity(trajectory: Trajectory) -> float:
    """The final picture's similarity; 0 if there is none."""
    judgement = trajectory.judgement
    return judgement.score if judgement is not None and judgement.ok else 0.0


def worth(trajectory: Trajectory) -> str:
    """The episode's similarity and reward terms on one line. A failed judge is named instead of a number."""
    judgement, reward = trajectory.judgement, trajectory.reward
    parts = ["harness_error: the episode leaves its group"] if trajectory.harness_error else []
    if judgement is not None:
        parts.append(
            f"similarity {judgement.score:.2f}" if judgement.ok else "judge_error: the episode leaves its group"
        )
    if reward is not None and reward.total is not None:
        parts.append(f"R_vision {reward.vision:.2f}, R_format {reward.format:+g}, R_tool {reward.tool:.2f}")
        parts.append(f"R = {reward.total:.2f}")
    return "; ".join(parts)
