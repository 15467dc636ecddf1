"""Reuses the renders and metrics of an earlier run in a rerun that asks another judge."""

from __future__ import annotations

from pathlib import Path

from rrvf.benchmarks.results import read_results
from rrvf.benchmarks.run import Benchmark
from rrvf.errors import UserError
from rrvf.records import Render, Sample, picture_name


class KeptMetrics:
    """A benchmark that takes pictures and metrics from the run in `folder`.

    benchmark: measures the samples that the run lacks. version: of the metrics (`Provenance.metric_version`). UserError
    where the run has no records, or was measured with another protocol or version.
    """

    def __init__(self, benchmark: Benchmark, folder: Path, version: str) -> None:
        self._benchmark, self._folder = benchmark, folder
        self._old = read_results(folder)
        self.name, self.protocol, self.extract = benchmark.name, benchmark.protocol, benchmark.extract
        self.check, self.judge_score, self.summary = benchmark.check, benchmark.judge_score, benchmark.summary
        if not self._old:
            raise UserError(
                f"{folder} has no records to keep: name the replies.jsonl of a run, or leave --judge-only out"
            )
        rules = f"{benchmark.protocol} of version {version}"
        made_by = [r.provenance for r in self._old.values() if r.provenance]
        other = {f"{made.protocol} of version {made.metric_version}" for made in made_by} - {rules}
        if other:
            raise UserError(f"{folder} was measured by {', '.join(sorted(other))}, not {rules}: leave --judge-only out")

    def score(self, sample: Sample, reference: str | None, code: str) -> tuple[Render, dict[str, float | None]]:
        """The earlier measurement where it is of the same code, else a new one."""
        old, picture = self._old.get(sample.id), self._folder / "renders" / picture_name(sample.id)
        if old is None or old.code != code or old.render is None:
            return self._benchmark.score(sample, reference, code)
        if old.outcome == "render_error":
            return old.render, {"exec": 0.0}
        if old.outcome != "scored" or (old.render.ok and not picture.is_file()):
            return self._benchmark.score(sample, reference, code)
        png = picture.read_bytes() if old.render.ok else None
        metrics = {name: value for name, value in old.metrics.items() if name != "judge"}
        return old.render.model_copy(update={"png": png}), metrics
