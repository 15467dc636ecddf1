"""The three benchmarks behind the runner's one protocol: extract, score, judge, summarise."""

from __future__ import annotations

from pathlib import Path

from rrvf.benchmarks import chartmimic, plot2code, websight
from rrvf.benchmarks.chartmimic_scores import METRICS, score_items
from rrvf.benchmarks.intervals import Interval, bootstrap, wilson
from rrvf.benchmarks.runner import Benchmark
from rrvf.profile import EvalSet, Profile
from rrvf.records import Judgement, Render, Sample, SampleResult
from rrvf.render import Renderer

Summary = dict[str, dict[str, float | None]]


def load(config: EvalSet, profile: Profile, renderer: Renderer, root: Path) -> Benchmark:
    """The benchmark of one evaluation set; `renderer` draws its answers, `root` holds its pictures."""
    if config.benchmark == "chartmimic":
        return ChartMimic(renderer, profile)
    if config.benchmark == "plot2code":
        return Plot2Code(renderer)
    return WebSight(renderer, root)


class ChartMimic:
    """Table 1."""

    name = "chartmimic"

    def __init__(self, renderer: Renderer, profile: Profile) -> None:
        self._renderer, self._rules = renderer, profile.chartmimic_protocol
        self.protocol = f"chartmimic-{self._rules}"
        self._references = chartmimic.References(renderer, self._rules, Path(".cache") / "chartmimic")

    extract = staticmethod(chartmimic.extract_code)

    def score(self, sample: Sample, reference_code: str, code: str) -> tuple[Render, dict[str, float | None]]:
        """F1 of text, layout, type and colour."""
        render = self._renderer.render(code, self._rules)
        gold = self._references.items(reference_code) or {"text": [], "layout": [], "type": {}, "color": []}
        pair = score_items(gold, chartmimic.items_of(render), sample.id, self._rules)
        return render, {"exec": float(pair.exec_ok)} | {m: getattr(pair, m).f1 for m in METRICS}

    def judge_score(self, judgement: Judgement) -> float:
        """0 to 100."""
        return 100 * judgement.score

    def summary(self, results: list[SampleResult], seed: int) -> Summary:
        """Percent over all samples; those that did not run count 0 (metrics_spec 1.8)."""
        parts = {m: column(results, m, 100) for m in METRICS} | {"judge": column(results, "judge", 1)}
        total = [
            chartmimic.overall(*(parts[m][i] for m in METRICS), judge=parts["judge"][i])
            for i in range(len(parts["judge"]))
        ]
        means = {m: interval(bootstrap(v, seed=seed)) for m, v in (parts | {"overall": total}).items()}
        return {"exec_rate": rate(results), **means}


class Plot2Code:
    """Table 2."""

    name = "plot2code"
    protocol = plot2code.PROTOCOL

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._gold: dict[str, dict] = {}

    extract = staticmethod(plot2code.extract_code)

    def score(self, sample: Sample, reference_code: str, code: str) -> tuple[Render, dict[str, float | None]]:
        """Text match against the true script's own texts."""
        if sample.id not in self._gold:
            gold = self._renderer.render(reference_code, "plot2code").items
            self._gold[sample.id] = gold or {"texts": [], "size": [1.0, 1.0]}
        render = self._renderer.render(code, "plot2code")
        text = plot2code.text_score(self._gold[sample.id], render.items) if render.ok else 0.0
        return render, {"exec": float(render.ok), "text": text}

    def judge_score(self, judgement: Judgement) -> float:
        """1 to 10 in the original; 0 to 10 here, as the judge's own scale starts at 0."""
        return 10 * judgement.score

    def summary(self, results: list[SampleResult], seed: int) -> Summary:
        """Text and rating over all samples, and over those that ran (the `_pass` forms)."""
        ran = [float(r.outcome == "scored") for r in _judged(results)]
        text, judge = column(results, "text", 100), column(results, "judge", 1)
        found = {"exec_rate": rate(results)}
        for name, values in (("text", text), ("judge", judge)):
            found[name] = interval(bootstrap(values, seed=seed))
            found[f"{name}_pass"] = interval(bootstrap(values, ran, seed=seed)) if any(ran) else NONE
        return found


class WebSight:
    """Table 3."""

    name = "websight"
    protocol = websight.PROTOCOL

    def __init__(self, renderer: Renderer, root: Path) -> None:
        self._renderer, self._root = renderer, root

    extract = staticmethod(websight.extract_code)

    def score(self, sample: Sample, reference_code: str, code: str) -> tuple[Render, dict[str, float | None]]:
        """CLIP, where its weights are here, SSIM and block scores; the blocks to find are those of the true page."""
        render = self._renderer.render(code, "blocks")
        true_page = self._renderer.render(reference_code, "blocks")
        reference = Render(status="ok", png=(self._root / sample.image).read_bytes(), items=true_page.items)
        return render, websight.score_pair(reference, render)

    def judge_score(self, judgement: Judgement) -> float:
        """0 to 100."""
        return 100 * judgement.score

    def summary(self, results: list[SampleResult], seed: int) -> Summary:
        """Means over all samples, failures 0; None for what a page that was drawn lacks, as CLIP without weights."""
        found = {"exec_rate": rate(results)}
        for metric in ("judge", *websight.METRICS):
            missing = any(r.outcome == "scored" and r.metrics.get(metric) is None for r in results)
            found[metric] = NONE if missing else interval(bootstrap(column(results, metric, 1), seed=seed))
        return found


NONE: dict[str, float | None] = {"value": None, "low": None, "high": None}


def column(results: list[SampleResult], metric: str, scale: float) -> list[float]:
    """One metric over all samples, 0 where a sample has none; a judge error leaves the mean (see `rate`)."""
    return [scale * (r.metrics.get(metric) or 0.0) for r in _judged(results)]


def rate(results: list[SampleResult]) -> dict[str, float | None]:
    """The share of samples whose code ran, in percent."""
    kept = _judged(results)
    return interval(wilson(sum(r.outcome == "scored" for r in kept), len(kept))) if kept else NONE


def _judged(results: list[SampleResult]) -> list[SampleResult]:
    return [r for r in results if r.outcome != "judge_error"]


def interval(found: Interval) -> dict[str, float | None]:
    return {"value": found.value, "low": found.low, "high": found.high}
