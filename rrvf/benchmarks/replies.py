"""The sources of replies: a policy that runs here, an endpoint, the calibration rows, a file of replies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from rrvf.benchmarks.run import Replies
from rrvf.best_of import best_of
from rrvf.errors import UserError
from rrvf.pictures import read_picture
from rrvf.policies import Answer, Keep, NoReply
from rrvf.records import Sample, storable
from rrvf.rollout import Read, Tools

#: Given where nothing could be asked. It is not written down, so the sample is asked once its file can be read.
UNREAD = Answer(None, "a file of the sample cannot be read", failed=True)
#: The text of the question: one for all samples, or a function of the sample.
Asked = str | Callable[[Sample], str]


def local_replies(policy, root: Path, asked: Asked) -> Replies:
    """`reply` for a policy that runs here. It gives UNREAD for a picture that cannot be read."""

    def reply(samples: list[Sample]) -> list[str | NoReply | Answer]:
        pictures = {s.id: found for s in samples if (found := picture_of(root, s))}
        words = [_words(asked, s) for s in samples if s.id in pictures]
        texts = dict(zip(pictures, policy.reply(list(pictures.values()), words) if pictures else [], strict=True))
        return [texts.get(s.id, UNREAD) for s in samples]

    return reply


def endpoint_replies(policy, root: Path, asked: Asked) -> Replies:
    """`reply` for a policy behind an endpoint.

    Answers are yielded in order. Each is also passed to `Keep` the moment it arrives.
    """
    from rrvf.policies.endpoint import question

    def reply(samples: list[Sample]) -> Callable[[Keep], Iterator[Answer]]:
        pictures = ((s, picture_of(root, s)) for s in samples)
        questions = (question(p, _words(asked, s)) if p else None for s, p in pictures)
        return lambda keep: policy.answers(questions, keep)

    return reply


def best_replies(policy, count: int, root: Path, prompt: str, tools: Tools, seed: int, read: Read) -> Replies:
    """`reply` for the best of `count` answers that a policy draws. It gives UNREAD as `local_replies` does.

    read: takes the code from a reply.
    """

    def reply(samples: list[Sample]) -> list[str | Answer]:
        seen = [s for s in samples if picture_of(root, s)]
        best = best_of(count, seen, root, prompt, policy.chat, tools, seed, read) if seen else []
        texts = {t.sample_id: t.turns[-1].text for t in best}
        return [texts.get(s.id, UNREAD) for s in samples]

    return reply


def oracle_replies(policy, root: Path) -> Replies:
    """`reply` for the calibration rows, which read the true code.

    It gives UNREAD where the code cannot be read.
    """

    def answer(sample: Sample) -> str | Answer | None:
        with suppress(OSError, UnicodeDecodeError):  # the runner leaves such a sample out, and says why
            return policy.answer((root / sample.code).read_text(encoding="utf-8") if sample.code else None)
        return UNREAD

    return lambda samples: [answer(sample) for sample in samples]


def file_replies(path: Path, samples: list[Sample], root: Path) -> tuple[Replies, str]:
    """`reply` from a file with one line `{"id": ..., "reply": ...}` per sample, and the file's hash.

    The hash identifies the policy. A reply of null counts as a failure of the policy. UserError for a file that is
    missing or malformed, or lacks a sample.
    """
    if not path.is_file():
        raise UserError(f'no file {path}: give one with a line {{"id": "...", "reply": "..."}} for each sample')
    lines = {}
    try:
        for number, line in _numbered(path):
            if not isinstance(line, dict) or not isinstance(line.get("id"), str) or not _is_reply(line):
                raise UserError(f'{path}, line {number}: a line is {{"id": "...", "reply": "..." or null}}')
            text = line["reply"]
            lines[line["id"]] = Answer(
                text if text is None else storable(text), storable(str(line.get("problem") or ""))
            )
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text ({error.reason}): save it as UTF-8") from None
    if missing := [s.id for s in samples if s.id not in lines and picture_of(root, s)]:
        raise UserError(
            f"{path} has no reply to {len(missing)} of {len(samples)} samples (first: {missing[0]}): add them"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return lambda wanted: [lines.get(s.id, UNREAD) for s in wanted], digest


def _numbered(path: Path) -> Iterator[tuple[int, Any]]:
    """The number of each line that is not blank, and its JSON value; None for a line that is no JSON."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except ValueError:
                    yield number, None


def _is_reply(line: dict) -> bool:
    return "reply" in line and (line["reply"] is None or isinstance(line["reply"], str))


def _words(asked: Asked, sample: Sample) -> str:
    return asked if isinstance(asked, str) else asked(sample)


def picture_of(root: Path, sample: Sample) -> Image.Image | None:
    """A sample's picture; None where it cannot be read."""
    with suppress(UserError):
        return read_picture(root / sample.image)
    return None
