"""Which parts of a picture a policy's programs write. This distinguishes learning from a collapse to short programs.

written(["plt.title('a')"], "chart")["title"] == 1.0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from rrvf.benchmarks.results import read_results
from rrvf.domains import CHART, WEB
from rrvf.records import Sample
from rrvf.report.episodes import read_trajectories

#: A regular expression for each part, by domain. Any colour counts.
PARTS = {
    CHART.name: {
        "title": "title",
        "axis label": r"label\(|label=",
        "legend": r"legend\(",
        "colour": "color=",
        "grid": r"grid\(",
    },
    WEB.name: {"header": "padding:8px", "heading": "<h2", "footer": "padding:4px", "colour": "color:white"},
}
FIFTHS = 5


def written(codes: Sequence[str], domain: str) -> dict[str, float]:
    """The share of programs that write each part of `PARTS`, and their mean length in characters."""
    texts = pd.Series(codes, dtype=str)
    shares = {part: texts.str.contains(word).mean() for part, word in PARTS.get(domain, {}).items()}
    return shares | {"characters": texts.str.len().mean()}


def against_true(results: Mapping[str, Path], samples: Sequence[Sample], data: Path) -> pd.DataFrame:
    """`written` for each evaluation in `results`, with a column per policy, and for the true programs of `samples`."""
    codes = {name: [r.code or "" for r in read_results(folder).values()] for name, folder in results.items()}
    codes["true"] = [(data / s.split / s.code).read_text(encoding="utf-8") for s in samples if s.code]
    return pd.DataFrame({name: written(texts, samples[0].domain) for name, texts in codes.items()})


def by_fifths(runs: Sequence[Path], section: str, domain: str) -> pd.DataFrame:
    """`written` for the first drafts of a domain in a section's training, with a column per fifth of the run.

    runs: the results folder of each seed.
    """
    seeds = [
        [t for t in read_trajectories(run / f"train/rrvf_{section}/episodes.jsonl") if t.domain == domain]
        for run in runs
    ]
    columns = {}
    for k in range(FIFTHS):
        some = [t for seed in seeds for t in seed[k * len(seed) // FIFTHS : (k + 1) * len(seed) // FIFTHS]]
        drafts = written([t.turns[0].code or "" for t in some], domain)
        columns[f"fifth {k + 1}"] = drafts | {"drafts": len(some)}
    return pd.DataFrame(columns)
