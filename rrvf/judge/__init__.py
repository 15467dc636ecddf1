"""Judges compare two pictures and give feedback text (Fig. 2c, step 2) or a score (Fig. 2d), as a `Judgement`.

    embedded/   the judge that needs no model: OpenCV, milliseconds a pair
    local       the embedded judge on PNG bytes, in this process
    server      the embedded judge as an OpenAI-compatible endpoint
    client      any OpenAI-compatible endpoint as a judge: the embedded server, vLLM, a hosted model
    panel       several scores of one pair: both orders, repeats, further judges
    calibration how well a judge agrees with controlled degradations
    scale       what one change costs, on charts of every kind and style and on pages
    probes      how the order of the pictures, and pictures that ask for a score, change the score
    card        who judged and how it was asked
    measured    a card with measurements of how far the judge can be trusted
The client uses prompts and rubrics (the question), replies and words (the answer), cache, servers and outage.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from rrvf.domains import CHART
from rrvf.records import Judgement


def compare_files(
    reference: str | Path,
    generated: str | Path,
    domain: str = CHART.name,
    url: str | None = None,
    second: str | None = None,
    repeats: int = 1,
    swap: bool = False,
) -> Judgement:
    """Compare two picture files. Returns score, parts and feedback in one record.

    url: of an OpenAI-compatible endpoint; None: the embedded judge in this process. second: the URL of a second judge.
    repeats: scores drawn per endpoint, at temperature 0.7 when more than one; the embedded judge gives one. swap: also
    score with the pictures in the other order. Several scores are averaged and have a `spread` (`panel`). UserError for
    files that are neither PNG nor JPEG, or outside the bounds of `rrvf.pictures`.
    """
    from rrvf.errors import UserError
    from rrvf.judge.local import decode
    from rrvf.judge.panel import Panel

    try:
        wanted, drawn = Path(reference).read_bytes(), Path(generated).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: give two picture files") from error
    decode(wanted), decode(drawn)
    with ExitStack() as stack:
        panel = Panel([j for u in (url, second)[: 1 + bool(second)] for j in _judges(stack, u, repeats)], swap)
        scored = panel.score(wanted, drawn, domain)
        compared = panel.compare(wanted, drawn, domain) if scored.ok else scored
    if not compared.ok:
        return compared
    return scored.model_copy(update={"feedback": compared.feedback, "seconds": scored.seconds + compared.seconds})


def _judges(stack: ExitStack, url: str | None, repeats: int) -> list:
    from rrvf.judge.card import Sampling
    from rrvf.judge.client import JudgeClient
    from rrvf.judge.local import EmbeddedJudge

    if url is None:
        return [EmbeddedJudge()]  # deterministic: a repeat gives the same score
    drawn = [Sampling(temperature=0.7 if repeats > 1 else 0.0, seed=seed) for seed in range(repeats)]
    return [stack.enter_context(JudgeClient(url, sampling=sampling)) for sampling in drawn]
