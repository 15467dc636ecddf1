"""The sample browser: one static page per evaluation set, every sample with its target and what each policy made of it.

    write_browser(find_runs(Path("results/nano")), Path("results/nano/report/browser"), targets)

Pictures lie beside the pages as small WebP files; no server, no network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rrvf.profile import Profile
from rrvf.records import Outcome, SampleResult
from rrvf.report.episodes import trajectory_html
from rrvf.report.html import page, thumbnail
from rrvf.report.runs import Run
from rrvf.report.tables import CALIBRATION, Evaluated, evaluated_sets, model_title, provenance_line

#: The target picture of a sample: (set name, sample id) to a path, or None where it is not on this machine.
Targets = Callable[[str, str], Path | None]
OUTCOMES = get_args(Outcome)
#: What samples are sorted by, first one that is measured.
HEADLINE = ("overall", "judge", "text")


@dataclass(frozen=True)
class Shown:
    """What one policy made of one sample, ready for the page; `number` is the policy's on this page."""

    number: int
    policy: str
    outcome: str
    picture: str | None
    code: str | None
    reply: str
    message: str
    feedback: str
    metrics: tuple[tuple[str, str], ...]
    score: float | None


@dataclass(frozen=True)
class Card:
    """One sample with all its policies; `target` is a picture's address or None."""

    sample_id: str
    target: str | None
    shown: tuple[Shown, ...]

    @property
    def spread(self) -> float:
        """The largest difference between two policies' scores, for sorting; not running counts as 0, calibration not at all."""
        calibration = {model_title(p) for p in CALIBRATION}
        scores = [s.score or 0.0 for s in self.shown if s.policy not in calibration]
        return max(scores, default=0.0) - min(scores, default=0.0)


def beside_runs(runs: Sequence[Run]) -> Targets:
    """Targets where no data folder is given: the reference policy's renders, which are the true code drawn again."""
    references = {r.summary.set: r for r in runs if r.summary.policy == "reference"}

    def find(set_name: str, sample_id: str) -> Path | None:
        run = references.get(set_name)
        path = run.render_path(sample_id) if run else None
        return path if path and path.is_file() else None

    return find


def write_browser(
    runs: Sequence[Run], out_dir: Path, targets: Targets | None = None, profile: Profile | None = None
) -> list[Path]:
    """`index.html`, a page per set and `pictures/`; gives the pages' paths.

    Targets that `targets` does not find are looked for by `beside_runs`.
    """
    beside, given = beside_runs(runs), targets or (lambda set_name, sample_id: None)

    def target(set_name: str, sample_id: str) -> Path | None:
        return given(set_name, sample_id) or beside(set_name, sample_id)

    sets = [s for s in evaluated_sets(runs, profile) if s.runs]
    names = _file_names([s.name for s in sets])
    (out_dir / "pictures").mkdir(parents=True, exist_ok=True)
    paths = [out_dir / "index.html"]
    entries = [(f"{name}.html", s.settings.title, tallies(s)) for name, s in zip(names, sets, strict=True)]
    paths[0].write_text(page("index.html.j2", title="Samples", entries=entries), encoding="utf-8")
    for name, evaluated in zip(names, sets, strict=True):
        paths.append(out_dir / f"{name}.html")
        paths[-1].write_text(set_page(evaluated, out_dir, name, target), encoding="utf-8")
    return paths


def set_page(evaluated: Evaluated, out_dir: Path, name: str, targets: Targets) -> str:
    """The page of one set; writes its pictures to `out_dir/pictures`."""
    policies = [p for p in evaluated.policies if p in evaluated.runs]
    ids = list(dict.fromkeys(i for p in policies for i in evaluated.runs[p].records))
    pictures = _Pictures(out_dir, name)
    cards = [
        Card(
            sample_id=sample_id,
            target=pictures.save(targets(evaluated.name, sample_id), number, "target"),
            shown=tuple(
                _show(policy, evaluated.runs[policy], sample_id, pictures, number, k)
                for k, policy in enumerate(policies)
                if sample_id in evaluated.runs[policy].records
            ),
        )
        for number, sample_id in enumerate(ids)
    ]
    return page(
        "browser.html.j2",
        title=evaluated.settings.title,
        policies=[model_title(p) for p in policies],
        tallies=tallies(evaluated),
        outcomes=OUTCOMES,
        cards=cards,
        provenance=provenance_line(evaluated.runs),
    )


def tallies(evaluated: Evaluated) -> list[tuple[str, int, list[tuple[str, int]]]]:
    """(policy's name, n, outcome counts) per policy that was run."""
    return [
        (
            model_title(p),
            evaluated.runs[p].summary.n,
            [(o, evaluated.runs[p].summary.outcomes.get(o, 0)) for o in OUTCOMES],
        )
        for p in evaluated.policies
        if p in evaluated.runs
    ]


@dataclass(frozen=True)
class _Pictures:
    """Thumbnails of one page, named by number: sample ids come from outside and are no file names."""

    out_dir: Path
    page: str

    def save(self, source: Path | None, number: int, role: str) -> str | None:
        small = thumbnail(source) if source is not None and source.is_file() else None
        if small is None:
            return None
        path = f"pictures/{self.page}-{number:04}-{role}.webp"
        (self.out_dir / path).write_bytes(small)
        return path


def _show(policy: str, run: Run, sample_id: str, pictures: _Pictures, number: int, k: int) -> Shown:
    record = run.records[sample_id]
    drawn = record.render is not None and record.render.ok
    reason = f"{record.render.reason}: " if record.render is not None and record.render.reason else ""
    return Shown(
        number=k,
        policy=model_title(policy),
        outcome=record.outcome,
        picture=pictures.save(run.render_path(sample_id), number, f"p{k}") if drawn else None,
        code=record.code,
        reply=record.reply if record.code is None else "",
        message=reason + record.message if record.message else "",
        feedback=record.judgement.feedback if record.judgement else "",
        metrics=tuple((name, _number(value)) for name, value in record.metrics.items()),
        score=_score(record),
    )


def _number(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:.3f}" if abs(value) <= 1 else f"{value:.1f}"


def _score(record: SampleResult) -> float | None:
    return next((record.metrics[m] for m in HEADLINE if record.metrics.get(m) is not None), None)


def _file_names(sets: Sequence[str]) -> list[str]:
    plain = [re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60] for name in sets]
    return [name if name != "index" and plain.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(plain)]


__all__ = ["Targets", "beside_runs", "trajectory_html", "write_browser"]
