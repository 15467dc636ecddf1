"""Several looks at one pair: both orders of the pictures, repeats, further judges.

    looks = [JudgeClient(url, sampling=Sampling(temperature=0.7, seed=s)) for s in range(3)]    # three repeats
    Panel([*looks, JudgeClient(other_url)], swap=True).score(target_png, rendered_png, "chart").spread

A repeat is a judge with another seed, a second judge one with another URL. To training and evaluation a panel is a
judge like any other.
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
    """judges: each scores every pair. swap: each also scores it with the two pictures' roles exchanged."""

    def __init__(self, judges: Sequence[JudgeClient | EmbeddedJudge], swap: bool = False) -> None:
        if not judges:
            raise UserError("a panel needs a judge: give one or more")
        self._judges, self._swap = tuple(judges), swap

    def compare(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """The first judge's feedback: words have no mean."""
        return self._judges[0].compare(reference_png, generated_png, domain)

    def score(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """The mean of all looks, with their `spread`.

        One failed look fails the pair: half a mean is another measure.
        """
        pairs = [(reference_png, generated_png), (generated_png, reference_png)][: 1 + self._swap]
        with ThreadPoolExecutor(len(self._judges) * len(pairs)) as pool:
            rows = [[pool.submit(judge.score, *pair, domain) for pair in pairs] for judge in self._judges]
        looks = [[job.result() for job in row] for row in rows]
        for look in (look for row in looks for look in row):
            if not look.ok:
                return look
        return _joined(looks)


def _joined(looks: list[list[Judgement]]) -> Judgement:
    """looks: a row a judge, its scores in one order or both."""
    flat = [look for row in looks for look in row]
    means = [fmean(look.score for look in row) for row in looks]
    spread = {"judges": round(pstdev(means), 6)} if len(looks) > 1 else {}
    if len(looks[0]) == 2:
        spread["order"] = round(fmean(abs(one.score - two.score) for one, two in looks), 6)
    return Judgement(
        status="ok",
        score=round(fmean(means), 6),
        parts={name: round(fmean(look.parts[name] for look in flat), 6) for name in flat[0].parts},
        spread=spread,
        judge=" + ".join(dict.fromkeys(look.judge for look in flat)) + (", both orders" if len(looks[0]) == 2 else ""),
        seconds=sum(look.seconds for look in flat),
    )
