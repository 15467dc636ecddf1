"""Several scores of one pair: both orders of the pictures, repeats, further judges.

    repeats = [JudgeClient(url, sampling=Sampling(temperature=0.7, seed=s)) for s in range(3)]
    Panel([*repeats, JudgeClient(other_url)], swap=True).score(target_png, rendered_png, "chart").spread

A repeat is a judge with another seed, a second judge is one with another URL. Training and evaluation use a panel like
any other judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import fmean, pstdev

from rrvf.errors import UserError
from rrvf.judge.client import JudgeClient
from rrvf.judge.local import EmbeddedJudge
from rrvf.records import Judgement


class Panel:
    """A judge that averages others. judges: each scores every pair. swap: each also scores it in the other order."""

    def __init__(self, judges: Sequence[JudgeClient | EmbeddedJudge], swap: bool = False) -> None:
        if not judges:
            raise UserError("a panel needs a judge: give one or more")
        self._judges, self._swap = tuple(judges), swap

    def compare(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """The first judge's feedback, since texts have no mean."""
        return self._judges[0].compare(reference_png, generated_png, domain)

    def score(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """The mean of all scores, with their `spread`: "judges" between the judges, "order" between the two orders.

        If one score fails, the pair fails: a mean over fewer scores would not compare with the others.
        """
        pairs = [(reference_png, generated_png), (generated_png, reference_png)][: 1 + self._swap]
        with ThreadPoolExecutor(len(self._judges) * len(pairs)) as pool:
            jobs = [[pool.submit(judge.score, *pair, domain) for pair in pairs] for judge in self._judges]
        rows = [[job.result() for job in row] for row in jobs]
        for judgement in (judgement for row in rows for judgement in row):
            if not judgement.ok:
                return judgement
        return _joined(rows)


def _joined(rows: list[list[Judgement]]) -> Judgement:
    """rows: one per judge, with its judgements in one order or in both."""
    flat = [judgement for row in rows for judgement in row]
    means = [fmean(judgement.score for judgement in row) for row in rows]
    spread = {"judges": round(pstdev(means), 6)} if len(rows) > 1 else {}
    if len(rows[0]) == 2:
        spread["order"] = round(fmean(abs(one.score - two.score) for one, two in rows), 6)
    return Judgement(
        status="ok",
        score=round(fmean(means), 6),
        parts={name: round(fmean(judgement.parts[name] for judgement in flat), 6) for name in flat[0].parts},
        spread=spread,
        judge=" + ".join(dict.fromkeys(each.judge for each in flat)) + (", both orders" if len(rows[0]) == 2 else ""),
        seconds=sum(judgement.seconds for judgement in flat),
    )
