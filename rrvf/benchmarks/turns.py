"""Evaluation over several turns (Alg. 1 at inference). It shows what each turn of the loop gains.

All episodes are played in parallel, with one call of the policy per turn for all of them. The code of an episode as of
a turn is what the policy would have answered, had it been stopped there. It is scored like a single-turn answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rrvf.benchmarks.answers import answer_of, line_of
from rrvf.benchmarks.lines import Lines
from rrvf.domains import domain
from rrvf.pictures import read_picture
from rrvf.policies import Answer, NoReply
from rrvf.protocol import answer_text, first_message
from rrvf.records import Sample, Trajectory
from rrvf.rollout import Episode, Read, Tools

#: Takes conversations; returns the next turn of each, or the reason why there is none.
Chat = Callable[[list[list[dict]]], Iterable[str | NoReply]]


@dataclass
class _Game:
    episode: Episode
    messages: list[dict] = field(default_factory=list)
    ended: Trajectory | NoReply | None = None


def play(
    samples: list[Sample], root: Path, prompt: str, chat: Chat, tools: Tools, max_turns: int,
    read: Read | None = None, hint: bool = True,
) -> list[Trajectory | NoReply]:  # fmt: skip
    """One episode per sample, or the reason why the policy could not be asked.

    read, hint: see `Episode`. An evaluation reads by the rule of its benchmark (`registry.reader`).

    UserError for a picture that cannot be read.
    """
    games = []
    for sample in samples:
        path = root / sample.image
        episode = Episode(sample.id, domain(sample.domain), path.read_bytes(), tools, max_turns, hint, read=read)
        games.append(_Game(episode, [first_message(read_picture(path), prompt)]))
    for _ in range(max_turns):
        going = [game for game in games if game.ended is None]
        texts = chat([game.messages for game in going]) if going else []
        moves = [tools.submit(_move, *pair) for pair in zip(going, texts, strict=True)]
        for move in moves:
            move.result()
    return [game.ended for game in games]


def _move(game: _Game, said: str | NoReply) -> None:
    if isinstance(said, NoReply) and said.failed:
        game.ended = said
        return
    text = said if isinstance(said, str) else ""
    told = game.episode.take(text)
    if isinstance(told, Trajectory):
        game.ended = told
    else:
        game.messages += [{"role": "assistant", "content": text}, {"role": "tool", "content": told}]


def fault(played: Trajectory | NoReply) -> str | None:
    """What failed on our side (the endpoint or a render), so that the episode does not count; None: nothing."""
    return played.reason if isinstance(played, NoReply) else played.harness_error


def without_feedback(played: Iterable[Trajectory]) -> int:
    """The number of drafts on which the judge failed, so that the policy went on without feedback."""
    return sum(t.judgement is not None and not t.judgement.ok for episode in played for t in episode.turns)


class Remembered:
    """An endpoint's turns, written to a file the moment they arrive. A run that continues pays for no turn twice."""

    def __init__(self, policy, path: Path) -> None:
        self._policy, self._known = policy, Lines(path)
        policy.answered = path.is_file()

    def chat(self, conversations: list[list[dict]]) -> list[str | NoReply]:
        """The next turn of each conversation, in order."""
        names = [_name(messages) for messages in conversations]
        new = {name: messages for name, messages in zip(names, conversations, strict=True) if name not in self._known}
        asked = list(new)

        def keep(place: int, answer: Answer) -> None:
            self._known.add({"id": asked[place], **line_of(answer)})

        said = dict(zip(asked, self._policy.answers(new.values(), keep), strict=True))
        return [_text(said[name] if name in said else answer_of(self._known[name])) for name in names]


def _name(messages: list[dict]) -> str:
    """The key of a conversation: a hash of all its texts and pictures."""
    found = hashlib.sha256()
    for message in messages:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            shown = part["image"] if part["type"] == "image" else None
            data = shown.tobytes() + str(shown.size).encode() if shown else part["text"].encode()
            found.update(f"{message['role']} {part['type']} {len(data)} ".encode() + data)
    return found.hexdigest()


def _text(answer: Answer) -> str | NoReply:
    return NoReply(answer.problem, answer.failed) if answer.text is None else answer.text


def as_of(trajectory: Trajectory, turn: int) -> str | None:
    """The answer that holds the code of the last turn up to `turn` that has code; None where none has."""
    codes = [t.code for t in trajectory.turns[:turn] if t.code is not None]
    return answer_text(codes[-1], domain(trajectory.domain)) if codes else None
