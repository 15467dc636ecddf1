"""The embedded judge: two pictures in, a score by parts and a short feedback out, on one CPU core in milliseconds.

It stands in for a 72B vision-language model. It compares layout, mark type, text, colour and data with OpenCV; it
knows no letters (text is compared as shapes of ink), no chart semantics and no taste. It is deterministic.
"""

from __future__ import annotations

import pkgutil
import time
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from rrvf.domains import domain as find_domain
from rrvf.judge.embedded.feedback import BLANK, NOTHING, feedback_text
from rrvf.judge.embedded.picture import check, fit, shrunk
from rrvf.judge.embedded.reading import Reading
from rrvf.judge.prompts import POINTS
from rrvf.records import Judgement

#: Named in every judgement. Raise it with any change that moves a score or a word.
MODEL = "rrvf-embedded-judge-3"
WEIGHTS = {aspect: points / 100 for aspect, points in POINTS.items()}
FRAME = ("layout", "type")
#: How steep the score is: see `_score`.
STEEP = 1.4

cv2.setNumThreads(1)


class Reference:
    """A picture to compare with, and what was read of it: whoever keeps it saves that reading for the next comparison.

    pixels: (H, W, 3) uint8 RGB. domain: its name. UserError for an array that is no picture or an unknown domain.
    """

    def __init__(self, pixels: np.ndarray, domain: str) -> None:
        self._how: Reading = pkgutil.resolve_name(find_domain(domain).reading_at)
        check(pixels, "reference")
        self.pixels, self.domain = pixels, domain
        self.picture = shrunk(pixels)

    @cached_property
    def reading(self) -> Any:
        """The picture taken apart, the first time that it is asked for."""
        return self._how.read(self.picture)

    def judge(self, generated: np.ndarray) -> Judgement:
        """What `judge_pair` says of `generated` beside this picture."""
        started = time.perf_counter()
        check(generated, "generated")
        if np.array_equal(self.pixels, generated):
            parts, phrases = dict.fromkeys(WEIGHTS, 1.0), {}
        else:
            parts, phrases = self._compared(generated)
        return _judgement(parts, phrases, self._how, time.perf_counter() - started)

    def _compared(self, generated: np.ndarray) -> tuple[dict[str, float], dict[str, list[str]]]:
        picture = fit(generated, self.picture, self._how.cut)
        if _flat(picture.gray) or _flat(self.picture.gray):
            return dict.fromkeys(WEIGHTS, 0.0), {"data": [BLANK]}
        return self._how.compare(self.reading, self._how.read(picture), _aspect(self.pixels, generated))


def judge_pair(reference: np.ndarray, generated: np.ndarray, domain: str) -> Judgement:
    """Compare a generated picture with its reference.

    reference, generated: (H, W, 3) uint8 RGB, sizes may differ (rule: `picture.fit`). domain: its name.
    Gives a Judgement with the parts by WEIGHTS in one score (`_score`). Identical pictures have 1.0, a blank one 0.0.
    Raises UserError for arrays that are no pictures or an unknown domain.
    """
    return Reference(reference, domain).judge(generated)


def _aspect(reference: np.ndarray, generated: np.ndarray) -> float:
    """How well the proportions of two pictures agree, 1 when they do."""
    aspect = (generated.shape[1] / generated.shape[0]) / (reference.shape[1] / reference.shape[0])
    return min(aspect, 1 / aspect)


def _flat(gray: np.ndarray) -> bool:
    return int(gray.max()) - int(gray.min()) < 8


def _score(parts: dict[str, float], odds: float) -> float:
    """The frame counts as far as the content agrees: two unrelated bar charts share their layout and their type.

    agreement = content x (1 - w + frame): content is the weighted mean of text, colour and data, frame the weighted sum
    of layout and type, w their weight. The score is 1 / (1 + (odds x difference / agreement)^STEEP): about the rubric's
    points where little differs, next to nothing for unrelated pictures, with a slope everywhere between. Grows with
    every part, 1.0 when all are 1.
    """
    weight = sum(WEIGHTS[a] for a in FRAME)
    frame = sum(WEIGHTS[a] * parts[a] for a in FRAME)
    content = sum(WEIGHTS[a] * parts[a] for a in WEIGHTS if a not in FRAME) / (1 - weight)
    agreement = min(1.0, max(1e-6, content * (1 - weight + frame)))
    return 1 / (1 + (odds * (1 - agreement) / agreement) ** STEEP)


def _judgement(parts: dict[str, float], phrases: dict[str, list[str]], how: Reading, seconds: float) -> Judgement:
    spoken = {a: phrases.get(a) or ([how.general[a]] if parts[a] < how.match[a] else []) for a in parts}
    if BLANK in phrases.get("data", []):
        spoken = {"data": [BLANK]}
    elif phrases.get("type"):  # what other marks show is no news
        spoken["data"] = []
    return Judgement(
        status="ok",
        score=round(_score(parts, how.odds), 6),
        parts={a: round(min(1.0, max(0.0, v)), 6) for a, v in parts.items()},
        feedback=feedback_text({a: WEIGHTS[a] * (1 - parts[a]) for a in parts}, spoken),
        judge=MODEL,
        seconds=seconds,
    )


__all__ = ["MODEL", "NOTHING", "WEIGHTS", "Reference", "judge_pair"]
