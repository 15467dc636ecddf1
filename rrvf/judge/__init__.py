"""Judges: two pictures in, feedback text (Fig. 2c, step 2) or a score (Fig. 2d) out, over one protocol.

    embedded/   the judge that needs no model: OpenCV, milliseconds, a stand-in
    local       the same behind PNG bytes, in this process
    server      the same as an OpenAI-compatible endpoint
    client      any OpenAI-compatible endpoint as a judge: embedded server, vLLM, hosted
    calibration controlled degradations, and a judge's agreement with them
All of them give a `Judgement`.
"""

from __future__ import annotations

from pathlib import Path

from rrvf.records import Judgement


def compare_files(
    reference: str | Path,
    generated: str | Path,
    domain: str = "chart",
    url: str | None = None,
    model: str | None = None,
) -> Judgement:
    """One comparison of two picture files, with score, parts and feedback in one record.

    url None: the embedded judge in this process; else the OpenAI-compatible endpoint there, asked once for the
    feedback and once for the score. Raises UserError for files that are no pictures.
    """
    from rrvf.errors import UserError
    from rrvf.judge.local import EmbeddedJudge, decode

    try:
        first, second = Path(reference).read_bytes(), Path(generated).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: give two picture files") from error
    decode(first), decode(second)
    if url is None:
        return EmbeddedJudge().score(first, second, domain)
    from rrvf.judge.client import JudgeClient

    with JudgeClient(url, model) as client:
        scored, compared = client.score(first, second, domain), client.compare(first, second, domain)
    if not (scored.ok and compared.ok):
        return scored if not scored.ok else compared
    return scored.model_copy(update={"feedback": compared.feedback, "seconds": scored.seconds + compared.seconds})
