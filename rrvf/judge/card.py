"""Judge cards: who judged, how it was asked, and how far it can be trusted."""

from __future__ import annotations

import hashlib

from rrvf.judge.prompts import load_judge_prompt
from rrvf.records import Record


class Sampling(Record):
    """How a judge's reply is sampled. Part of every cache key."""

    temperature: float = 0.0
    seed: int = 0
    max_tokens: int = 512
    top_p: float | None = None


class JudgeCard(Record):
    """Who judges and how it is asked, with measurements. Its `id` stands in every judgement.

    rubric: the id of a benchmark's rubric; empty for ours (`rubrics`). agreement: Spearman's rho of score and damage
    per family (`calibration`). order_gap: mean |score(a, b) - score(b, a)|. plea_gain: the most that a plea for a good
    score, drawn into a picture, adds to the score (`probes`); a robust judge has about 0. A measurement that is None or
    empty was not made.
    """

    model: str
    revision: str
    domain: str
    prompt_hashes: dict[str, str]
    sampling: Sampling
    rubric: str = ""
    agreement: dict[str, float] = {}
    order_gap: float | None = None
    plea_gain: float | None = None
    note: str = ""

    @classmethod
    def of(
        cls, model: str, domain: str, sampling: Sampling, revision: str = "", rubric: str = "", score_hash: str = ""
    ) -> JudgeCard:
        """The card of a model that is asked with our prompts. score_hash: of the score prompt of another rubric."""
        hashes = {mode: load_judge_prompt(domain, mode).sha256 for mode in ("feedback", "score")}
        hashes |= {"score": score_hash} if score_hash else {}
        return cls(
            model=model, revision=revision, domain=domain, prompt_hashes=hashes, sampling=sampling, rubric=rubric
        )

    @property
    def id(self) -> str:
        """Model, revision, prompts and sampling in one short line."""
        prompts = hashlib.sha256(
            "".join(self.prompt_hashes[m] for m in sorted(self.prompt_hashes)).encode()
        ).hexdigest()
        s = self.sampling
        drawn = f"t{s.temperature:g} seed{s.seed} max{s.max_tokens}" + (f" p{s.top_p:g}" if s.top_p else "")
        asked = f"{self.rubric} " if self.rubric else ""
        return f"{self.model}@{self.revision or 'unknown'} {self.domain} {asked}prompts:{prompts[:12]} {drawn}"


#: What the embedded judge can and cannot see.
EMBEDDED_NOTE = (
    "A stand-in for a vision-language model: OpenCV statistics of layout, mark type, colour and alignment. Text is "
    "compared as shapes of ink and never read, so a wrong word of the right length costs little, and tick labels "
    "hardly count; on pages one word of many costs next to nothing. It knows no chart semantics. Where no spine, "
    "grid or ground shows the axes, all marks count as one panel, and labels around a pie may change their role when "
    "a wedge moves. It may miss a legend drawn over filled marks. Bars of one colour that happen to be of like "
    "heights stay somewhat alike; noise costs it more than it costs a person. What one change costs, by kind and "
    "style: python -m rrvf.judge.scale."
)
