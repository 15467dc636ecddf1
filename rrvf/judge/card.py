"""Judge cards: who judged, how it was asked, and how far it agrees with damage whose order is known."""

from __future__ import annotations

import hashlib

from rrvf.judge.prompts import load_judge_prompt
from rrvf.records import Record


class Sampling(Record):
    """How a judge's reply is drawn; part of every cache key."""

    temperature: float = 0.0
    seed: int = 0
    max_tokens: int = 512


class JudgeCard(Record):
    """`id` stands in every judgement. agreement: Spearman's rho per family, where it was measured (`calibration`)."""

    model: str
    revision: str
    domain: str
    prompt_hashes: dict[str, str]
    sampling: Sampling
    agreement: dict[str, float] = {}
    note: str = ""

    @classmethod
    def of(cls, model: str, domain: str, sampling: Sampling, revision: str = "") -> JudgeCard:
        """The card of a model that is asked with this version's prompts."""
        hashes = {mode: load_judge_prompt(domain, mode).sha256 for mode in ("feedback", "score")}
        return cls(model=model, revision=revision, domain=domain, prompt_hashes=hashes, sampling=sampling)

    @property
    def id(self) -> str:
        """Model, revision, prompts and sampling in one short line."""
        prompts = hashlib.sha256(
            "".join(self.prompt_hashes[m] for m in sorted(self.prompt_hashes)).encode()
        ).hexdigest()
        s = self.sampling
        drawn = f"t{s.temperature:g} seed{s.seed} max{s.max_tokens}"
        return f"{self.model}@{self.revision or 'unknown'} {self.domain} prompts:{prompts[:12]} {drawn}"


#: What the embedded judge can and cannot see.
EMBEDDED_NOTE = (
    "A stand-in for a vision-language model: OpenCV statistics of layout, mark type, colour and alignment. Text is "
    "compared as shapes of ink and never read; it knows no chart semantics; it may miss a legend drawn over "
    "filled marks; noise costs it more than it costs a person."
)


def card(domain: str, pictures: int = 0, seed: int | None = None) -> JudgeCard:
    """The embedded judge's card; with `pictures`, its measured agreement over so many pictures a family."""
    from rrvf.judge.calibration import SEED, calibrate
    from rrvf.judge.embedded import MODEL

    made = JudgeCard.of(MODEL, domain, Sampling())
    results = calibrate(pictures=pictures, seed=SEED if seed is None else seed, domains=(domain,)) if pictures else {}
    rhos = {name.split("/")[1]: round(result.spearman, 3) for name, result in results.items()}
    return made.model_copy(update={"agreement": rhos, "note": EMBEDDED_NOTE})
