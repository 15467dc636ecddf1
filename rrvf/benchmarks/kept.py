"""What an earlier run measured, for a rerun that asks another judge: nothing is rendered that is there already."""

from __future__ import annotations

from pathlib import Path

from rrvf.benchmarks.runner import Benchmark, read_results
from rrvf.errors import UserError
from rrvf.records import Render, Sample, picture_name


class KeptMetrics:
    """A benchmark whose pictures and metrics are those of the run in `folder`.

    What is not there is measured by `benchmark`.

    version: of the metrics (`Provenance.metric_version`).

    UserError where that run was measured by other rules: its numbers are others'.
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
        """As it was measured then, if it was this code."""
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
