"""Measures how far a judge can be trusted: agreement with damage, order of the pictures, pleas in a picture."""

from __future__ import annotations

from rrvf.judge.calibration import calibrate
from rrvf.judge.card import EMBEDDED_NOTE, JudgeCard, Sampling
from rrvf.judge.client import JudgeClient
from rrvf.judge.embedded import MODEL, judge_pair
from rrvf.judge.local import encode
from rrvf.judge.probes import order_gap, plea_gain


def measured_card(
    domain: str, url: str | None = None, model: str | None = None, pictures: int = 12, revision: str = ""
) -> JudgeCard:
    """A judge's card with measurements over `pictures` pictures per family.

    url: of the endpoint; None: the embedded judge. revision: of the endpoint's weights, which the endpoint does not
    report. Takes about 75 comparisons per picture for charts and 80 for pages. UserError where the endpoint does not
    answer.
    """
    if url is None:
        made = JudgeCard.of(MODEL, domain, Sampling()).model_copy(update={"note": EMBEDDED_NOTE})
        return _measured(made, judge_pair, pictures)
    with JudgeClient(url, model, revision=revision) as client:
        score = lambda a, b, name: client.score(encode(a), encode(b), name)  # noqa: E731
        return _measured(client.card(domain), score, pictures)


def _measured(card: JudgeCard, judge, pictures: int) -> JudgeCard:
    families = calibrate(judge, pictures, domains=(card.domain,))
    found = {
        "agreement": {
            name.split("/")[1]: round(family.spearman, 3) for name, family in families.items() if family.scores
        },
        "order_gap": round(order_gap(judge, card.domain, pictures), 4),
        "plea_gain": round(plea_gain(judge, card.domain, pictures), 4),
    }
    return card.model_copy(update=found)
