"""Best of N: a policy answers each picture N times, and the judge picks the answer with the highest similarity.

Two baselines use it. Both see what RRVF sees: pictures, a sandbox and a judge. The row `best8` answers test pictures.
`rft` answers the training pictures and learns the answers that were picked (`rrvf.training.rft`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rrvf.domains import domain
from rrvf.errors import UserError
from rrvf.pictures import read_picture
from rrvf.policies import NoReply
from rrvf.protocol import first_message
from rrvf.records import Sample, Trajectory
from rrvf.rollout import Episode, Read, Tools

#: Takes conversations; returns the next turn of each, or the reason why there is none.
Chat = Callable[[list[list[dict]]], Iterable[str | NoReply]]


def best_of(
    count: int,
    samples: Sequence[Sample],
    root: Path,
    prompt: str,
    chat: Chat,
    tools: Tools,
    seed: int,
    read: Read,
) -> list[Trajectory]:
    """Play `count` single-turn episodes of each sample; return the one with the highest similarity (the first of ties).

    root: the folder of the pictures. seed: it and the ids of the samples seed torch, so the answers of a local policy
    do not depend on earlier calls. read: takes the code from an answer without `<answer>`. Episodes on which the
    policy's server, the harness or the judge failed are not picked. A sample that has no others keeps its first one,
    with what failed. UserError if all samples are such, or if a picture cannot be read.
    """
    import torch  # here, because an evaluation of a served model needs none

    torch.manual_seed(int(hashlib.sha256(f"{seed} {[s.id for s in samples]}".encode()).hexdigest()[:15], 16))
    asked, episodes = [], []
    for sample in samples:
        path = root / sample.image
        picture, target = read_picture(path), path.read_bytes()
        asked += [[first_message(picture, prompt)] for _ in range(count)]
        episodes += [
            Episode(sample.id, domain(sample.domain), target, tools, max_turns=1, read=read) for _ in range(count)
        ]
    drawn = [tools.submit(_finished, episode, said) for episode, said in zip(episodes, chat(asked), strict=True)]
    played = [episode.result() for episode in drawn]
    best = [_best(sample, played[i * count : (i + 1) * count]) for i, sample in enumerate(samples)]
    if samples and all(failures := [_failure(picked) for picked in best]):
        raise UserError(f"no answer to {len(samples)} pictures could be compared ({failures[0]}): run again")
    return best


def _finished(episode: Episode, said: str | NoReply) -> Trajectory | NoReply:
    """The episode with this answer. Where the call itself failed, there is none."""
    if isinstance(said, NoReply) and said.failed:
        return said
    return episode.finish(said if isinstance(said, str) else "")


def _best(sample: Sample, group: list[Trajectory | NoReply]) -> Trajectory:
    if fair := [t for t in group if _failure(t) is None]:
        return max(fair, key=lambda t: -1.0 if t.judgement is None else t.judgement.score)
    if played := [t for t in group if isinstance(t, Trajectory)]:
        return played[0]
    raise UserError(f"the policy gave no answer to {sample.id} ({_failure(group[0])}): run again")


def _failure(played: Trajectory | NoReply) -> str | None:
    """What failed on our side; None: nothing."""
    if isinstance(played, NoReply):
        return played.reason
    judged = played.judgement
    return played.harness_error or (f"the judge: {judged.reason}" if judged and not judged.ok else None)
