"""The three benchmarks, and pictures without code, as implementations of `rrvf.benchmarks.run.Benchmark`.

Each extracts code, scores it, scales the judge's score and summarises the results.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

from rrvf.benchmarks import chartmimic, pictures, plot2code, websight
from rrvf.benchmarks.chartmimic_scores import METRICS
from rrvf.benchmarks.intervals import Interval, bootstrap, wilson
from rrvf.benchmarks.pairs import References
from rrvf.benchmarks.run import OURS, Benchmark
from rrvf.domains import Domain, domain
from rrvf.errors import UserError
from rrvf.profile import EvalSet, Profile
from rrvf.records import Judgement, Render, Sample, SampleResult
from rrvf.render import Renderer
from rrvf.rollout import Read

Summary = dict[str, dict[str, float | None]]


def load(config: EvalSet, profile: Profile, renderer: Renderer, root: Path) -> Benchmark:
    """The benchmark of one evaluation set. renderer: draws its answers. root: the folder of its pictures."""
    if config.benchmark == "chartmimic":
        return ChartMimic(renderer, profile)
    if config.benchmark == "plot2code":
        return Plot2Code(renderer)
    if config.benchmark == "pictures":
        return Pictures(renderer, domain(config.domain), root)
    return WebSight(renderer, root)


def reader(config: EvalSet) -> Read:
    """`extract` of the set's benchmark, which needs no renderer."""
    kinds = {kind.name: kind.extract for kind in (ChartMimic, Plot2Code, WebSight)}
    return kinds.get(config.benchmark) or partial(pictures.extract_code, domain=domain(config.domain))


def summarised(benchmark: str, results: list[SampleResult], seed: int) -> Summary:
    """Each metric of a benchmark's results, with its 95 % interval."""
    summaries = {kind.name: kind.summary for kind in (ChartMimic, Plot2Code, WebSight, Pictures)}
    return summaries[benchmark](results, seed)


class ChartMimic:
    """ChartMimic (Table 1)."""

    name = "chartmimic"

    def __init__(self, renderer: Renderer, profile: Profile) -> None:
        self._renderer, self._rules = renderer, profile.chartmimic_protocol
        self.protocol = f"chartmimic-{self._rules}"
        self._references = References(renderer, self._rules)

    extract = staticmethod(chartmimic.extract_code)

    def check(self, reference: str) -> None:
        """Accept any true script: one that does not run scores 0, as in the original."""

    def score(self, sample: Sample, reference: str, code: str) -> tuple[Render, dict[str, float | None]]:
        """F1 of text, layout, type and colour."""
        render = self._renderer.render(code, self._rules)
        gold = self._references.items(reference, render if code == reference.rstrip() else None)
        return render, chartmimic.sample_metrics(gold, render, sample.id, self._rules)

    def judge_score(self, judgement: Judgement) -> float:
        """The judge's score from 0 to 100."""
        return 100 * judgement.score

    @staticmethod
    def summary(results: list[SampleResult], seed: int) -> Summary:
        """Means in percent over all samples. A sample that did not run counts 0 (metrics_spec 1.8)."""
        parts = {m: column(results, m, 100) for m in METRICS} | {"judge": column(results, "judge", 1)}
        total = [
            chartmimic.overall(*(parts[m][i] for m in METRICS), judge=parts["judge"][i])
            for i in range(len(parts["judge"]))
        ]
        means = {m: mean(v, seed) for m, v in (parts | {"overall": total}).items()}
        return {"exec_rate": rate(results), **means}


class Plot2Code:
    """Plot2Code (Table 2)."""

    name = "plot2code"
    protocol = plot2code.PROTOCOL

    def __init__(self, renderer: Renderer) -> None:
        self._renderer, self._references = renderer, References(renderer, "plot2code")

    extract = staticmethod(plot2code.extract_code)

    def check(self, reference: str | None) -> None:
        """Accept any true script, as `ChartMimic.check`."""

    def score(self, sample: Sample, reference: str | None, code: str) -> tuple[Render, dict[str, float | None]]:
        """Text match with the true script.

        None for a sample without one: the 368 samples include figures of other libraries.
        """
        render, gold = self._renderer.render(code, "plot2code"), None
        if reference:
            gold = self._references.items(reference, render if code == reference.rstrip() else None)
        found = plot2code.sample_metrics(gold, render)
        return render, found if reference else found | {"text": None}

    def judge_score(self, judgement: Judgement) -> float:
        """The judge's score: 1 to 10 by the benchmark's own rubric, 0 to 10 by ours."""
        return 10 * judgement.score

    @staticmethod
    def summary(results: list[SampleResult], seed: int) -> Summary:
        """Text and rating over all samples, and over the samples that ran (`_pass`)."""
        ran = [float(r.outcome == "scored") for r in _judged(results)]
        text, judge = column(results, "text", 100), column(results, "judge", 1)
        found = {"exec_rate": rate(results)}
        for name, values in (("text", text), ("judge", judge)):
            found[name] = mean(values, seed)
            found[f"{name}_pass"] = interval(bootstrap(values, ran, seed=seed)) if any(ran) else NONE
        return found | (dict.fromkeys(("text", "text_pass"), NONE) if lacks(results, "text") else {})


class WebSight:
    """WebSight (Table 3)."""

    name = "websight"

    def __init__(self, renderer: Renderer, root: Path) -> None:
        self._renderer, self._root, self._references = renderer, root, References(renderer, "blocks")
        self.protocol = websight.protocol(renderer.limits)
        #: The true page with its blocks. It is cached, since `check` and `score` both need it.
        self._true_page = lru_cache(maxsize=16)(self._draw_true_page)

    extract = staticmethod(websight.extract_code)

    def check(self, reference: str) -> None:
        """UserError where the true page cannot be drawn: it has no blocks to compare with."""
        if not (true_page := self._true_page(reference)).ok:
            raise UserError(f"its page cannot be drawn ({true_page.reason}: {true_page.message})")

    def score(self, sample: Sample, reference: str, code: str) -> tuple[Render, dict[str, float | None]]:
        """CLIP (where its weights are available), SSIM, and block scores against the blocks of the true page."""
        render = self._renderer.render(code, "blocks")
        true_page = self._true_page(reference)
        picture = (self._root / sample.image).read_bytes()
        return render, websight.score_pair(Render(status="ok", png=picture, items=true_page.items), render)

    def _draw_true_page(self, reference: str) -> Render:
        if self._references.known(reference):
            return Render(status="ok", items=self._references.items(reference))
        page = self._references.run(reference)
        if page.ok and not page.message:  # a message says that its stylesheet is missing, which can be mended
            self._references.keep(reference, page)
        return page

    def judge_score(self, judgement: Judgement) -> float:
        """The judge's score from 0 to 100."""
        return 100 * judgement.score

    @staticmethod
    def summary(results: list[SampleResult], seed: int) -> Summary:
        """The `means` of all metrics."""
        return means(results, ("judge", *websight.METRICS), seed)


class Pictures:
    """Table 4 (ours): any pictures, without true code."""

    name = "pictures"

    def __init__(self, renderer: Renderer, domain: Domain, root: Path) -> None:
        self._renderer, self._domain, self._root = renderer, domain, root
        self.protocol = pictures.protocol(domain, renderer)

    def extract(self, reply: str) -> str | None:
        """The code of a reply, by our grammar."""
        return pictures.extract_code(reply, self._domain)

    def check(self, reference: str | None) -> None:
        """Accept any reference: only the pictures are compared."""

    def score(self, sample: Sample, reference: str | None, code: str) -> tuple[Render, dict[str, float | None]]:
        """SSIM and CLIP of the two pictures. The true code is not read, even where it is known."""
        return pictures.score(sample, self._root, code, self._renderer)

    def judge_score(self, judgement: Judgement) -> float:
        """The judge's score from 0 to 100."""
        return 100 * judgement.score

    @staticmethod
    def summary(results: list[SampleResult], seed: int) -> Summary:
        """The `means` of all metrics."""
        return means(results, ("judge", *pictures.METRICS), seed)


NONE: dict[str, float | None] = {"value": None, "low": None, "high": None}


def means(results: list[SampleResult], metrics: tuple[str, ...], seed: int) -> Summary:
    """The execution rate, and the mean of each metric over all samples, where a failure counts 0.

    A mean is None where a scored sample lacks the metric, as CLIP without its weights.
    """
    found = {"exec_rate": rate(results)}
    for metric in metrics:
        values = column(results, metric, 1)
        found[metric] = NONE if lacks(results, metric) else mean(values, seed)
    return found


def mean(values: list[float], seed: int) -> dict[str, float | None]:
    """The mean with its interval; NONE without values, as in a shard whose samples are all excluded."""
    return interval(bootstrap(values, seed=seed)) if values else NONE


def column(results: list[SampleResult], metric: str, scale: float) -> list[float]:
    """One metric over all samples, 0 where a sample has none. Samples with an outcome of `OURS` are left out."""
    return [scale * (r.metrics.get(metric) or 0.0) for r in _judged(results)]


def lacks(results: list[SampleResult], metric: str) -> bool:
    """Whether a scored sample has no value of a metric. A mean would then count a value as 0 that was not measured."""
    return any(r.outcome == "scored" and r.metrics.get(metric) is None for r in results)


def rate(results: list[SampleResult]) -> dict[str, float | None]:
    """The execution rate in percent, with its interval. A sample whose judge failed counts as executed."""
    tried = [r for r in results if r.outcome not in ("harness_error", "excluded")]
    ran = sum(r.outcome in ("scored", "judge_error") for r in tried)
    return interval(wilson(ran, len(tried))) if tried else NONE


def _judged(results: list[SampleResult]) -> list[SampleResult]:
    return [r for r in results if r.outcome not in OURS]


def interval(found: Interval) -> dict[str, float | None]:
    """An interval as `summary.json` holds it."""
    return {"value": found.value, "low": found.low, "high": found.high}
