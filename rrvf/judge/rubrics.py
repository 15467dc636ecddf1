"""The benchmarks' own rubrics: how a score is asked for and read in a benchmark's own words and on its own scale.

The benchmarks' texts are not ours, so they are downloaded (`rrvf.data.prompts`). Each form of reply has its own reader.
Every score carries the id of its rubric, since scores of two rubrics do not compare.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from rrvf.judge.card import Sampling
from rrvf.judge.prompts import JudgePrompt
from rrvf.judge.replies import BadReply, picture_part

#: The id of our own rubric (rrvf/judge/prompts).
OWN = "rrvf-rubric"
#: The ids of the benchmarks' own rubrics.
OFFICIAL = {"chartmimic": "chartmimic-gpt4-official", "plot2code": "plot2code-rating-official"}


@dataclass(frozen=True)
class Rubric:
    """A benchmark's own rubric.

    read: turns a reply's text into a share of the full scale, in [0, 1]; raises BadReply. system: the text of the
    system message. The user message is the prompt and then the two pictures, the reference first.
    """

    id: str
    prompt: JudgePrompt
    read: Callable[[str], float]
    sampling: Sampling
    system: str = ""

    def question(self, reference_png: bytes, generated_png: bytes) -> list[dict]:
        """The messages of one question."""
        pictures = [picture_part(png) for png in (reference_png, generated_png)]
        asked = {"role": "user", "content": [{"type": "text", "text": self.prompt.text}, *pictures]}
        return [{"role": "system", "content": self.system}, asked] if self.system else [asked]


def official(benchmark: str, text: str) -> Rubric:
    """The rubric of `benchmark` (chartmimic or plot2code) with prompt `text`, sampled as in the original's files."""
    rubric = OFFICIAL[benchmark]
    prompt = JudgePrompt(text, hashlib.sha256(f"{rubric}\n{text}".encode()).hexdigest())
    if benchmark == "chartmimic":
        return Rubric(rubric, prompt, chartmimic_score, Sampling(temperature=0.1, top_p=0.95, max_tokens=4096))
    return Rubric(rubric, prompt, plot2code_rating, Sampling(max_tokens=1024), "You are a helpful assistant.")


_OUT_OF_100 = re.compile(r"^[\s*_#]*Score[\s*_]*:[\s*_]*(\d+)(?:\.\d+)?[\s*_]*/[\s*_]*100", re.MULTILINE)
_SCORE = re.compile(r"Score[\s*_]*:[\s*_]*(\d+)")
_RATING = re.compile(r"Rating: \[\[(\d+)\]\]")


def chartmimic_score(text: str) -> float:
    """The score of the first line `Score: N/100`, else of the last `Score: N`, as a share of 100 (metrics_spec 1.7).

    Markdown emphasis is ignored and decimals are cut. A reply without a score is a BadReply; the original's successor
    scores it 0.
    """
    found = _OUT_OF_100.search(text) or next(reversed(list(_SCORE.finditer(text))), None)
    if found is None:
        raise BadReply("the reply holds no line `Score: N`")
    return _share(found.group(1), 0, 100)


def plot2code_rating(text: str) -> float:
    """The first `Rating: [[N]]`, from 1 to 10, as a share of 10 (metrics_spec 2.4).

    A reply without a rating is a BadReply; the original leaves it out.
    """
    found = _RATING.search(text)
    if found is None:
        raise BadReply("the reply holds no `Rating: [[N]]`")
    return _share(found.group(1), 1, 10)


def _share(digits: str, least: int, most: int) -> float:
    if len(digits) > 4 or not least <= int(digits) <= most:
        raise BadReply(f"the score {digits[:12]} is not from {least} to {most}")
    return int(digits) / most
