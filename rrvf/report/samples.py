"""One sample for the sample browser: the target, the true code, and each policy's result."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from rrvf.domains import Domain
from rrvf.records import SampleResult
from rrvf.report.chart_types import type_in_name
from rrvf.report.highlight import highlighted
from rrvf.report.runs import Run, sample_overall
from rrvf.report.sets import model_title
from rrvf.report.thumbnails import Thumbnails


@dataclass(frozen=True)
class Shown:
    """One policy's result on one sample, as the page's template takes it."""

    policy: str
    title: str
    outcome: str
    picture: str | None
    code: Markup | None
    reply: str
    message: str
    no_picture: str
    feedback: str
    pasted: bool
    scores: dict[str, float]
    parts: dict[str, float]

    def labelled(self, metrics: dict[str, str]) -> list[tuple[str, str]]:
        """(label, value) of the measured metrics, in the order of `metrics`."""
        return [(label, number(self.scores[name])) for name, label in metrics.items() if name in self.scores]


@dataclass(frozen=True)
class Card:
    """One sample with all policies' results. target: a picture's address. code: the true code, if it is known."""

    sample_id: str
    types: tuple[str, ...]
    target: str | None
    code: Markup | None
    shown: tuple[Shown, ...]


def card(sample_id: str, target: Path | None, runs: Mapping[str, Run], pictures: Thumbnails, domain: Domain) -> Card:
    """The card of one sample. Its pictures are written by `pictures`."""
    code = _true_code(sample_id, target, runs, domain.suffix)
    types_of = pkgutil.resolve_name(domain.types_at) if code and domain.types_at else None
    return Card(
        sample_id=sample_id,
        types=(types_of(code) or ("other",)) if types_of else type_in_name(sample_id),
        target=pictures.address(target),
        code=highlighted(code, domain.fence) if code else None,
        shown=tuple(
            _show(policy, run, run.records[sample_id], pictures, domain.fence)
            for policy, run in runs.items()
            if sample_id in run.records
        ),
    )


def _true_code(sample_id: str, target: Path | None, runs: Mapping[str, Run], suffix: str) -> str | None:
    """The true code: the reference policy's answer, or the code file beside the target's picture in a split."""
    if "reference" in runs and sample_id in runs["reference"].records:
        return runs["reference"].records[sample_id].code
    path = target.with_suffix(suffix) if target else None
    return path.read_text(encoding="utf-8", errors="replace") if path and path.is_file() else None


def _show(policy: str, run: Run, record: SampleResult, pictures: Thumbnails, language: str) -> Shown:
    failure = record.render.reason if record.render is not None and record.render.reason else "no picture"
    overall = sample_overall(record.metrics)
    metrics = record.metrics | ({"overall": overall} if overall is not None else {})
    return Shown(
        policy=policy,
        title=model_title(policy),
        outcome=record.outcome,
        picture=pictures.address(run.render_path(record.sample_id)) if drew(record) else None,
        code=highlighted(record.code, language) if record.code is not None else None,
        reply=record.reply if record.code is None else "",
        message=record.message,
        no_picture=failure.replace("_", " "),
        feedback=record.judgement.feedback if record.judgement else "",
        pasted=record.pasted,
        scores={name: round(value, 4) for name, value in metrics.items() if value is not None and name != "exec"},
        parts=record.judgement.parts if record.judgement else {},
    )


def drew(record: SampleResult) -> bool:
    """Whether there is a picture of the policy's code."""
    return record.render is not None and record.render.ok


def number(value: float | None) -> str:
    """A metric as text: three decimals for fractions, one for scores up to 10 or 100."""
    if not value:
        return "n/a" if value is None else "0"
    return f"{value:.3f}" if abs(value) <= 1 else f"{value:.1f}"
