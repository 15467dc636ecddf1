"""Evaluation over several turns: Alg. 1 at inference, so that the worth of the loop can be read turn by turn.

Episodes are played side by side: each turn of all of them is one call of the policy. What the policy would have
answered had it been stopped after a turn is its code as of that turn, and is scored like any single-turn answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rrvf.domains import domain
from rrvf.policies import NoReply
from rrvf.policies.local import first_message, read_picture
from rrvf.protocol import answer_text, call_content
from rrvf.records import Sample, Trajectory
from rrvf.rollout import Episode, Tools

#: The next turn of each conversation, or why there is none.
Chat = Callable[[list[list[dict]]], Iterable[str | NoReply]]


@dataclass
class _Game:
    episode: Episode
    messages: list[dict] = field(default_factory=list)
    ended: Trajectory | None = None


def play(samples: list[Sample], root: Path, prompt: str, chat: Chat, tools: Tools, max_turns: int) -> list[Trajectory]:
    """An episode of each sample. UserError for a picture that nobody can look at."""
    games = []
    for sample in samples:
        path = root / sample.image
        episode = Episode(sample.id, domain(sample.domain), path.read_bytes(), tools, max_turns)
        games.append(_Game(episode, [first_message(read_picture(path), prompt)]))
    for turn in range(1, max_turns + 1):
        going = [game for game in games if game.ended is None]
        texts = chat([game.messages for game in going]) if going else []
        moves = [
            tools.submit(_move, game, text if isinstance(text, str) else "", turn == max_turns)
            for game, text in zip(going, texts, strict=True)
        ]
        for move in moves:
            move.result()
    return [game.ended for game in games]


def _move(game: _Game, text: str, last: bool) -> None:
    content = call_content(text)
    if content is None or last:
        game.ended = game.episode.finish(text)
        return
    feedback = game.episode.tool_call(content, text)
    game.messages += [{"role": "assistant", "content": text}, {"role": "tool", "content": feedback}]


def as_of(trajectory: Trajectory, turn: int) -> str | None:
    """The answer that holds the code of the last turn up to `turn` that has code; None where none has."""
    codes = [t.code for t in trajectory.turns[:turn] if t.code is not None]
    return answer_text(codes[-1], domain(trajectory.domain)) if codes else None
