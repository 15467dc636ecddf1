"""The embedded judge: takes two pictures, gives a score in parts and a short feedback, on one CPU core in milliseconds.

It replaces a 72B vision-language model on machines that cannot run one. It compares layout, mark type, text, colour and
data with OpenCV. It cannot read (text is compared as shapes of ink) and knows nothing of chart semantics. It is
deterministic.
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

#: The judge's name in every judgement. Raise its number with any change of a score or of a word of feedback.
MODEL = "rrvf-embedded-judge-3"
WEIGHTS = {aspect: points / 100 for aspect, points in POINTS.items()}
FRAME = ("layout", "type")
#: The steepness of the score (`_score`).
STEEP = 1.4

cv2.setNumThreads(1)


class Reference:
    """A reference with its reading. Keep the object to compare further pictures without reading the reference again.

    pixels: (H, W, 3) uint8 RGB. domain: its name. UserError for an array that is no picture or an unknown domain.
    """

    def __init__(self, pixels: np.ndarray, domain: str) -> None:
        self._how: Reading = pkgutil.resolve_name(find_domain(domain).reading_at)
        check(pixels, "reference")
        self.pixels, self.domain = pixels, domain
        self.picture = shrunk(pixels)

    @cached_property
    def reading(self) -> Any:
        """The picture taken apart (`Reading.read`), computed on first use."""
        return self._how.read(self.picture)

    def judge(self, generated: np.ndarray) -> Judgement:
        """`judge_pair` with this reference."""
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

    reference, generated: (H, W, 3) uint8 RGB; their sizes may differ (`picture.fit`). domain: its name.
    Returns a Judgement with a score in [0, 1] made of weighted parts (`_score`). Identical pictures score 1.0, a blank
    picture 0.0. UserError for arrays that are no pictures or an unknown domain.
    """
    return Reference(reference, domain).judge(generated)


def _aspect(reference: np.ndarray, generated: np.ndarray) -> float:
    """How well the proportions of two pictures agree, in (0, 1]; 1 when they are equal."""
    aspect = (generated.shape[1] / generated.shape[0]) / (reference.shape[1] / reference.shape[0])
    return min(aspect, 1 / aspect)


def _flat(gray: np.ndarray) -> bool:
    return int(gray.max()) - int(gray.min()) < 8


def _score(parts: dict[str, float], odds: float) -> float:
    """The score in [0, 1] of the parts.

    The frame (layout and type) counts only as far as the content (text, colour and data) agrees, since two unrelated
    bar charts share their layout and type:

        agreement = content x (1 - w + frame)
        score = 1 / (1 + (odds x (1 - agreement) / agreement)^STEEP)

    content is the weighted mean of its parts, frame the weighted sum of its parts, and w the weight of the frame. Where
    little differs, the score is about the rubric's points. For unrelated pictures it is about 0. It rises with every
    part, and is 1.0 when all parts are 1.
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
    elif phrases.get("type"):  # other marks always show other data, so data is not mentioned
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
