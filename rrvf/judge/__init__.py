"""Judges: two pictures in, feedback text (Fig. 2c, step 2) or a score (Fig. 2d) out, over one protocol.

    embedded/   the judge that needs no model: OpenCV, milliseconds, a stand-in
    local       the same behind PNG bytes, in this process
    server      the same as an OpenAI-compatible endpoint
    client      any OpenAI-compatible endpoint as a judge: embedded server, vLLM, hosted
    panel       several looks at one pair: both orders, repeats, further judges
    calibration controlled degradations, and a judge's agreement with them
    scale       what one change costs, on charts of every kind and style and on pages
    probes      what the order of the pictures, and pictures that plead, do to a score
    card        who judged and how it was asked
    measured    a card with how far the judge can be trusted
All of them give a `Judgement`.
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
    """One comparison of two picture files, with score, parts and feedback in one record.

    url None: the embedded judge in this process; else the OpenAI-compatible endpoint there. second: a further judge's
    URL. repeats: scores drawn per judge, at temperature 0.7 when more than one. swap: in both orders of the pictures.
    With any of these the score is a mean and has a `spread` (`panel`). Raises UserError for files that are no pictures.
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
        scored, compared = panel.score(wanted, drawn, domain), panel.compare(wanted, drawn, domain)
    if not (scored.ok and compared.ok):
        return scored if not scored.ok else compared
    return scored.model_copy(update={"feedback": compared.feedback, "seconds": scored.seconds + compared.seconds})


def _judges(stack: ExitStack, url: str | None, repeats: int) -> list:
    from rrvf.judge.card import Sampling
    from rrvf.judge.client import JudgeClient
    from rrvf.judge.local import EmbeddedJudge

    if url is None:
        return [EmbeddedJudge()]  # it would say the same again
    drawn = [Sampling(temperature=0.7 if repeats > 1 else 0.0, seed=seed) for seed in range(repeats)]
    return [stack.enter_context(JudgeClient(url, sampling=sampling)) for sampling in drawn]
