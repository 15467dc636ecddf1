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
from rrvf.rollout import Episode, Tools

#: Takes conversations; returns the next turn of each, or the reason why there is none.
Chat = Callable[[list[list[dict]]], Iterable[str | NoReply]]


def best_of(
    count: int, samples: Sequence[Sample], root: Path, prompt: str, chat: Chat, tools: Tools, seed: int
) -> list[Trajectory]:
    """Play `count` single-turn episodes of each sample; return the one with the highest similarity (the first of ties).

    root: the folder of the pictures. seed: it and the ids of the samples seed torch, so the answers of a local policy
    do not depend on earlier calls. Episodes with a harness error or a judge error are left out. UserError if none is
    left for a sample, or if a picture cannot be read.
    """
    import torch  # here, because an evaluation of a served model needs none

    torch.manual_seed(int(hashlib.sha256(f"{seed} {[s.id for s in samples]}".encode()).hexdigest()[:15], 16))
    asked, episodes = [], []
    for sample in samples:
        path = root / sample.image
        picture, target = read_picture(path), path.read_bytes()
        asked += [[first_message(picture, prompt)] for _ in range(count)]
        episodes += [Episode(sample.id, domain(sample.domain), target, tools, max_turns=1) for _ in range(count)]
    drawn = [
        tools.submit(episode.finish, text if isinstance(text, str) else "")
        for episode, text in zip(episodes, chat(asked), strict=True)
    ]
    played = [episode.result() for episode in drawn]
    return [_best(played[i : i + count]) for i in range(0, len(played), count)]


def _best(group: list[Trajectory]) -> Trajectory:
    fair = [t for t in group if t.harness_error is None and (t.judgement is None or t.judgement.ok)]
    if not fair:
        failed = group[0].harness_error or f"the judge: {group[0].judgement.reason}"
        raise UserError(f"none of {len(group)} answers to {group[0].sample_id} could be compared ({failed}): run again")
    return max(fair, key=lambda t: -1.0 if t.judgement is None else t.judgement.score)
