"""The embedded judge: two pictures in, a score by parts and a short feedback out, on one CPU core in milliseconds.

It stands in for a 72B vision-language model. It compares layout, mark type, text, colour and data with OpenCV; it
knows no letters (text is compared as shapes of ink), no chart semantics and no taste. It is deterministic.
"""

from __future__ import annotations

import time
from functools import cached_property

import cv2
import numpy as np

from rrvf.domains import domain as find_domain
from rrvf.judge.embedded.chart import Chart, read_chart
from rrvf.judge.embedded.chart_pair import compare_charts
from rrvf.judge.embedded.feedback import BLANK, GENERAL, GENERAL_PAGE, MATCH, MATCH_PAGE, NOTHING, feedback_text
from rrvf.judge.embedded.page import Page, read_page
from rrvf.judge.embedded.page_pair import compare_pages
from rrvf.judge.embedded.picture import check, fit, shrunk
from rrvf.judge.prompts import POINTS
from rrvf.records import Judgement

#: Named in every judgement. Raise it with any change that moves a score or a word.
MODEL = "rrvf-embedded-judge-3"
WEIGHTS = {aspect: points / 100 for aspect, points in POINTS.items()}
FRAME = ("layout", "type")
#: What difference weighs beside agreement, and how steep the score is: see `_score`. Half a page agrees in more than half
#: of a chart does, since much of a page is background: there difference weighs more.
ODDS = {"chart": 3.1, "web": 4.5}
STEEP = 1.4

cv2.setNumThreads(1)


class Reference:
    """A picture to compare with, and what was read of it: whoever keeps it saves that reading for the next comparison.

    pixels: (H, W, 3) uint8 RGB. domain: "chart" or "web". UserError for an array that is no picture or an unknown domain.
    """

    def __init__(self, pixels: np.ndarray, domain: str) -> None:
        find_domain(domain)
        check(pixels, "reference")
        self.pixels, self.domain = pixels, domain
        self.picture = shrunk(pixels)

    @cached_property
    def reading(self) -> Chart | Page:
        """The picture taken apart, the first time that it is asked for."""
        return _READ[self.domain](self.picture)

    def judge(self, generated: np.ndarray) -> Judgement:
        """What `judge_pair` says of `generated` beside this picture."""
        started = time.perf_counter()
        check(generated, "generated")
        if np.array_equal(self.pixels, generated):
            parts, phrases = dict.fromkeys(WEIGHTS, 1.0), {}
        else:
            parts, phrases = self._compared(generated)
        return _judgement(parts, phrases, self.domain, time.perf_counter() - started)

    def _compared(self, generated: np.ndarray) -> tuple[dict[str, float], dict[str, list[str]]]:
        picture = fit(generated, self.picture, self.domain)
        if _flat(picture.gray) or _flat(self.picture.gray):
            return dict.fromkeys(WEIGHTS, 0.0), {"data": [BLANK]}
        return _COMPARE[self.domain](self.reading, _READ[self.domain](picture), _aspect(self.pixels, generated))


_READ = {"chart": read_chart, "web": read_page}
_COMPARE = {"chart": compare_charts, "web": compare_pages}


def judge_pair(reference: np.ndarray, generated: np.ndarray, domain: str) -> Judgement:
    """Compare a generated picture with its reference.

    reference, generated: (H, W, 3) uint8 RGB, sizes may differ (rule: `picture.fit`). domain: "chart" or "web".
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


def _score(parts: dict[str, float], domain: str) -> float:
    """The frame counts as far as the content agrees: two unrelated bar charts share their layout and their type.

    agreement = content x (1 - w + frame): content is the weighted mean of text, colour and data, frame the weighted sum
    of layout and type, w their weight. The score is 1 / (1 + (ODDS x difference / agreement)^STEEP): about the rubric's
    points where little differs, next to nothing for unrelated pictures, with a slope everywhere between. Grows with
    every part, 1.0 when all are 1.
    """
    weight = sum(WEIGHTS[a] for a in FRAME)
    frame = sum(WEIGHTS[a] * parts[a] for a in FRAME)
    content = sum(WEIGHTS[a] * parts[a] for a in WEIGHTS if a not in FRAME) / (1 - weight)
    agreement = min(1.0, max(1e-6, content * (1 - weight + frame)))
    return 1 / (1 + (ODDS[domain] * (1 - agreement) / agreement) ** STEEP)


def _judgement(parts: dict[str, float], phrases: dict[str, list[str]], domain: str, seconds: float) -> Judgement:
    general, match = (GENERAL_PAGE, MATCH_PAGE) if domain == "web" else (GENERAL, MATCH)
    spoken = {a: phrases.get(a) or ([general[a]] if parts[a] < match[a] else []) for a in parts}
    if BLANK in phrases.get("data", []):
        spoken = {"data": [BLANK]}
    elif phrases.get("type"):  # what other marks show is no news
        spoken["data"] = []
    return Judgement(
        status="ok",
        score=round(_score(parts, domain), 6),
        parts={a: round(min(1.0, max(0.0, v)), 6) for a, v in parts.items()},
        feedback=feedback_text({a: WEIGHTS[a] * (1 - parts[a]) for a in parts}, spoken),
        judge=MODEL,
        seconds=seconds,
    )


__all__ = ["MODEL", "NOTHING", "WEIGHTS", "Reference", "judge_pair"]
