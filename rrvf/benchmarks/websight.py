"""WebSight (Table 3): CLIP similarity and the judge's 100-point score.

CLIP is lenient. Reported beside it are CLIP with the text painted over, SSIM, and Design2Code's block scores.

WebSight has no official evaluator, and the paper names neither the viewport nor a failure rule. Ours: a page is drawn
on the canvas of the set's own pictures, or else 1280 pixels wide and full page. A page that cannot be drawn scores 0 on
every metric (metrics_spec part 3, ambiguity A8). The id that every result carries holds the viewport (`protocol`).

The limits on a page's content guard a reward. A reference comes from the user, so they do not apply to it. A generated
page may carry as much as its reference on top of them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tqdm import tqdm

from rrvf.benchmarks import blocks, clip
from rrvf.benchmarks.items import scoring_version
from rrvf.benchmarks.pairs import Log, partial, visible, write_json
from rrvf.benchmarks.pixels import decode, ssim
from rrvf.domains import WEB
from rrvf.errors import UserError
from rrvf.pictures import misfit
from rrvf.protocol import code_in, read_reply
from rrvf.records import Render
from rrvf.render import Limits, Renderer
from rrvf.render.browser import VIEWPORT
from rrvf.render.limits import Failure, trusted
from rrvf.render.web_checks import check_code, room_for
from rrvf.render.web_encoding import read_page

METRICS = ("clip", "clip_masked", "ssim", *blocks.METRICS)
_BLOCK = 16


def protocol(limits: Limits) -> str:
    """The protocol's id: the viewport in pixels, and `full` where the screenshot is of the whole page."""
    canvas = limits.canvas or VIEWPORT
    return f"websight-{canvas.width}x{canvas.height}{'-full' if canvas.full_page else ''}"


def extract_code(reply: str) -> str | None:
    """The code of a reply by our grammar (`read_reply`, `code_in`), with or without our tags.

    WebSight has no rule of its own.
    """
    return read_reply(reply, WEB, _page).code


def _page(reply: str) -> str | None:
    code = code_in(reply, WEB)
    return code if "<" in code and ">" in code else None


def score_pair(reference: Render, generated: Render, judge: float | None = None) -> dict[str, float | None]:
    """`{"exec": 0 | 1, "judge", "clip": 0..100, "clip_masked": 0..100, "ssim", "block_match", "text", ...}`.

    Both are renders with trace "blocks". A reference that is only a picture has no items; the metrics that need its
    text are then None. The CLIP scores are None without the weights. A page that was not drawn scores 0.
    """
    blocks_known = reference.items is not None
    measured = [m for m in METRICS if blocks_known or m not in ("clip_masked", *blocks.METRICS)]
    if not clip.available():
        measured = [m for m in measured if not m.startswith("clip")]
    scores: dict[str, float | None] = dict.fromkeys(METRICS) | dict.fromkeys(measured, 0.0)
    if generated.ok:
        scores |= _pixel_scores(reference, generated, measured)
    if generated.ok and blocks_known:
        scores |= blocks.block_scores(reference.items["blocks"], generated.items["blocks"])
    return {"exec": float(generated.ok), "judge": judge if generated.ok else 0.0} | scores


def _pixel_scores(reference: Render, generated: Render, measured: list[str]) -> dict[str, float]:
    one, two = decode(reference.png), decode(generated.png)
    scores = {"ssim": ssim(one, two)}
    if "clip" in measured:
        scores["clip"] = clip.similarity(one, two)
    if "clip_masked" in measured:
        plain = (clip.without_text(p, r.items["blocks"]) for p, r in ((one, reference), (two, generated)))
        scores["clip_masked"] = clip.similarity(*plain)
    return scores


def aggregate(pairs: list[dict[str, float | None]]) -> dict[str, float | None]:
    """`{"n", "excluded", "exec_rate", ...}`: the execution rate in percent, and each metric's mean over all pairs.

    A value is None where a pair lacks the metric, or no pair is left. Pairs whose reference could not be drawn are
    excluded, and counted in `excluded`.
    """
    known = [p for p in pairs if "reference_reason" not in p]

    def mean(metric: str) -> float | None:
        values = [p[metric] for p in known]
        return sum(values) / len(values) if values and None not in values else None

    rate = 100 * sum(p["exec"] for p in known) / len(known) if known else None
    means = {metric: mean(metric) for metric in (*METRICS, "judge")}
    return {"n": len(known), "excluded": len(pairs) - len(known), "exec_rate": rate, **means}


def score_folder(folder: Path, out: Path, workers: int = 2) -> dict:
    """`rrvf score web`: scores every pair of a folder into `out`.

    A pair is `NAME.gt.html` or `NAME.gt.png` (or both), and `NAME.gen.html`. The record of a pair has a `reason` where
    the page was not drawn, a `reference_reason` where the reference cannot be used (`reference_note` then explains it),
    and a `note` or `reference_note` where a page was drawn without its stylesheet. A killed run continues. UserError
    for a folder without pairs, or with half a pair.
    """
    names = pair_names(folder)
    with Log(partial(out), {n: _pair_key(folder, n) for n in names}) as log:
        todo = [n for n in names if n not in log.done]
        if todo:
            with Renderer(WEB.name, workers, trusted(Limits())) as renderer:
                for start in tqdm(range(0, len(todo), _BLOCK), desc="score", unit="block"):
                    _score_block(folder, todo[start : start + _BLOCK], renderer, log)
        pairs = {n: log.done[n] for n in names}
    result = {"protocol": protocol(Limits()), "pairs": pairs, "aggregate": aggregate(list(pairs.values()))}
    write_json(out, result)
    partial(out).unlink(missing_ok=True)
    return result


def _score_block(folder: Path, names: list[str], renderer: Renderer, log: Log) -> None:
    references = _references(folder, names, renderer)
    refusals = {n: _refusal(folder, n) for n in names}
    drawn = [n for n in names if references[n].ok and not refusals[n]]
    made = renderer.render_many([read_page(folder / f"{n}.gen.html") for n in drawn], "blocks")
    generated = refusals | dict(zip(drawn, made, strict=True))
    for name in names:
        log.add(name, _record(references[name], generated[name]))


def _record(reference: Render, generated: Render | None) -> dict[str, float | str | None]:
    if not reference.ok:
        known = {"reference_reason": reference.reason, "reference_note": reference.message}
        return dict.fromkeys(("exec", "judge", *METRICS)) | known
    told = {
        "reason": generated.reason,
        "note": "" if generated.reason else generated.message,
        "reference_note": reference.message,
    }
    return score_pair(reference, generated) | {key: value for key, value in told.items() if value}


def _refusal(folder: Path, name: str) -> Render | None:
    """Why a generated page is not drawn (it is no page, or carries more than its reference allows), or None."""
    limits, reference = Limits(), folder / f"{name}.gt.html"
    if reference.is_file():
        limits = room_for(read_page(reference), limits)
    try:
        check_code(read_page(folder / f"{name}.gen.html"), limits)
    except Failure as failure:
        return Render(status="render_error", reason=failure.reason, message=failure.message)
    return None


def _pair_key(folder: Path, name: str) -> str:
    digest = hashlib.sha256(f"{protocol(Limits())} {scoring_version()} {clip.available()} {name}".encode())
    for half in ("gt.png", "gt.html", "gen.html"):
        path = folder / f"{name}.{half}"
        digest.update(hashlib.sha256(path.read_bytes() if path.is_file() else b"").digest())
    return digest.hexdigest()[:32]


def pair_names(folder: Path) -> list[str]:
    """Names that have both halves, sorted. UserError for a folder without pairs, or with half a pair."""
    gold = {p.stem.removesuffix(".gt") for p in (*visible(folder, "*.gt.png"), *visible(folder, "*.gt.html"))}
    generated = {p.name.removesuffix(".gen.html") for p in visible(folder, "*.gen.html")}
    if not generated:
        raise UserError(
            f"no NAME.gen.html in {folder}: name a folder of pairs NAME.gt.html or .gt.png and NAME.gen.html"
        )
    if odd := sorted(gold ^ generated):
        raise UserError(
            f"{odd[0]} in {folder} has no {'.gt' if odd[0] in generated else '.gen'} half: add or remove it"
        )
    return sorted(generated)


def _references(folder: Path, names: list[str], renderer: Renderer) -> dict[str, Render]:
    pages = [n for n in names if (folder / f"{n}.gt.html").is_file()]
    made = renderer.render_many([read_page(folder / f"{n}.gt.html") for n in pages], "blocks")
    drawn = dict(zip(pages, made, strict=True))
    return {name: _reference(folder / f"{name}.gt.png", drawn.get(name)) for name in names}


def _reference(picture: Path, drawn: Render | None) -> Render:
    """The reference of a pair: the shipped picture where there is one, else our render; the blocks are the page's."""
    if not picture.is_file() or (drawn is not None and not drawn.ok):
        return drawn
    shipped = picture.read_bytes()
    try:
        height, width = decode(shipped).shape[:2]
    except ValueError:
        return Render(status="render_error", reason="crash", message="the file cannot be read as a picture")
    if refusal := misfit(width, height):
        return Render(status="render_error", reason="limit", message=refusal)
    return Render(
        status="ok", png=shipped, items=drawn.items if drawn else None, message=drawn.message if drawn else ""
    )
