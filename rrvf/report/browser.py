"""The sample browser: one static page per evaluation set, with every sample's target and each policy's result.

    write_browser(find_runs(Path("results/nano")), Path("results/nano/report/browser"), targets)

Pictures are stored with the pages as small WebP files. The pages need no server and no network. `templates/browser.js`
holds their functions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from tqdm import tqdm

from rrvf.domains import domain
from rrvf.profile import CALIBRATION, Profile
from rrvf.records import Outcome
from rrvf.report.columns import our_columns
from rrvf.report.grid import Column
from rrvf.report.html import page
from rrvf.report.made_with import provenance_line
from rrvf.report.runs import Run
from rrvf.report.samples import Card, card, drew
from rrvf.report.sets import TRAINED, Evaluated, evaluated_sets, model_title
from rrvf.report.thumbnails import Thumbnails

#: Maps (set name, sample id) to the path of the target picture; None if it is not on this machine.
Targets = Callable[[str, str], Path | None]
OUTCOMES = get_args(Outcome)
#: Metrics to sort samples by, in order of preference. The first one that was measured is the default.
HEADLINE = ("overall", "judge", "text")


def beside_runs(runs: Sequence[Run]) -> Targets:
    """Targets without a data folder: the renders of the reference policy, whose answers are the true code."""
    references = {r.summary.set: r for r in runs if r.summary.policy == "reference"}

    def find(set_name: str, sample_id: str) -> Path | None:
        run = references.get(set_name)
        path = run.render_path(sample_id) if run else None
        return path if path and path.is_file() else None

    return find


def write_browser(
    runs: Sequence[Run],
    out_dir: Path,
    targets: Targets | None = None,
    profile: Profile | None = None,
    episodes: Sequence[Path] = (),
) -> list[Path]:
    """Write `index.html`, a page per set and `pictures/` to `out_dir`. Returns the pages' paths.

    Pictures of an earlier report are removed. targets: where target pictures are; `beside_runs` is asked for those it
    does not find. episodes: pages of training episodes to link to.
    """
    beside, given = beside_runs(runs), targets or (lambda set_name, sample_id: None)

    def target(set_name: str, sample_id: str) -> Path | None:
        return given(set_name, sample_id) or beside(set_name, sample_id)

    sets = [s for s in evaluated_sets(runs, profile) if s.runs]
    names = [f"{name}.html" for name in _file_names([s.name for s in sets])]
    links = [(name, s.settings.title) for name, s in zip(names, sets, strict=True)]
    (out_dir / "pictures").mkdir(parents=True, exist_ok=True)
    kept: set[str] = set()
    for name, evaluated in zip(names, sets, strict=True):
        text, pictures = set_page(evaluated, out_dir, target, [("index.html", "All sets"), *links], name)
        (out_dir / name).write_text(text, encoding="utf-8")
        kept |= pictures
    for old in (out_dir / "pictures").glob("*.webp"):
        if f"pictures/{old.name}" not in kept:
            old.unlink()
    entries = [(name, s.settings.title, tallies(s)) for name, s in zip(names, sets, strict=True)]
    index = page("index.html.j2", title="Samples", entries=entries, episodes=_episode_links(episodes, out_dir))
    (out_dir / "index.html").write_text(index, encoding="utf-8")
    return [out_dir / "index.html", *(out_dir / name for name in names)]


def set_page(
    evaluated: Evaluated, out_dir: Path, targets: Targets, links: Sequence[tuple[str, str]], name: str
) -> tuple[str, set[str]]:
    """The page of one set, and the addresses of its pictures, which are written to `out_dir/pictures`.

    links: (address, title) of all pages. name: address of this page.
    """
    runs = {p: evaluated.runs[p] for p in evaluated.policies if p in evaluated.runs}
    ids = list(dict.fromkeys(i for run in runs.values() for i in run.records))
    sources = {i: targets(evaluated.name, i) for i in ids}
    drawn = [run.render_path(i) for run in runs.values() for i, record in run.records.items() if drew(record)]
    pictures = Thumbnails(out_dir, [*sources.values(), *drawn])
    of = domain(evaluated.settings.domain)
    progress = tqdm(ids, desc=f"samples of {evaluated.name}", unit="sample", leave=False, disable=None)
    cards = [card(i, sources[i], runs, pictures, of) for i in progress]
    metrics = _metrics(evaluated, cards)
    text = page(
        "browser.html.j2",
        scripts=("compare.js", "browser.js"),
        title=evaluated.settings.title,
        links=links,
        name=name,
        policies=[(p, model_title(p)) for p in runs],
        first=_first_shown(list(runs)),
        tallies=tallies(evaluated),
        outcomes=OUTCOMES,
        metrics=metrics,
        types=sorted({t for sample in cards for t in sample.types}),
        types_are=f"{of.name} type" if of.types_at else "source",
        cards=cards,
        provenance=provenance_line(evaluated.runs),
    )
    return text, pictures.written


@dataclass(frozen=True)
class Tally:
    """The outcome counts of one policy on one set, and the aggregates of its summary by column label."""

    title: str
    n: int
    outcomes: tuple[tuple[str, int], ...]
    metrics: tuple[tuple[str, str], ...]


def tallies(evaluated: Evaluated) -> list[Tally]:
    """A `Tally` for each policy that was run."""
    columns = [c for c in our_columns(evaluated.settings.table, evaluated.runs) if c.key in ("exec_rate", *HEADLINE)]
    return [
        Tally(
            title=model_title(p),
            n=evaluated.runs[p].summary.n,
            outcomes=tuple((o, evaluated.runs[p].summary.outcomes.get(o, 0)) for o in OUTCOMES),
            metrics=tuple((c.label, _aggregate(evaluated.runs[p], c)) for c in columns),
        )
        for p in evaluated.policies
        if p in evaluated.runs
    ]


def _aggregate(run: Run, column: Column) -> str:
    metric = run.summary.metrics.get(column.key)
    return "n/a" if metric is None or metric.value is None else f"{metric.value:.{column.digits}f}"


def _metrics(evaluated: Evaluated, cards: Sequence[Card]) -> dict[str, str]:
    """The measured metrics of the page's samples with their labels in the tables, those of HEADLINE first."""
    labels = {c.key: c.label for c in our_columns(evaluated.settings.table, evaluated.runs)}
    measured = dict.fromkeys(name for sample in cards for shown in sample.shown for name in shown.scores)
    ordered = [*(m for m in HEADLINE if m in measured), *(m for m in measured if m not in HEADLINE)]
    return {name: labels.get(name, name.replace("_", " ")) for name in ordered}


def _first_shown(policies: Sequence[str]) -> tuple[str, str]:
    """The two policies that a page shows first: the base and the last trained one, if both were run."""
    first, *rest = [p for p in policies if p not in CALIBRATION] or policies
    trained = [p for p in rest if p.partition("_")[0] in TRAINED]
    return first, (trained or rest or [""])[-1]


def _episode_links(pages: Sequence[Path], out_dir: Path) -> dict[str, list[tuple[str, str]]]:
    """(address, title) of the pages of training episodes, by run. Their path is RUN/episodes/step-N.html."""
    links: dict[str, list[tuple[str, str]]] = {}
    for path in pages:
        address = os.path.relpath(path, out_dir).replace(os.sep, "/")
        links.setdefault(path.parent.parent.name, []).append(
            (address, f"step {path.stem.removeprefix('step-').lstrip('0')}")
        )
    return links


def _file_names(sets: Sequence[str]) -> list[str]:
    plain = [re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60] for name in sets]
    return [name if name != "index" and plain.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(plain)]
