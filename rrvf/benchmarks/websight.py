"""WebSight (Table 3): CLIP similarity and the judge's 100-point score; beside them, since CLIP forgives much, CLIP with
the text painted over, SSIM, and Design2Code's block scores.

WebSight has no official evaluator and the paper names neither viewport nor failure rule. Ours: the page is drawn on the
canvas of the set's own pictures, or 1280 wide and full page; one that is not drawn scores 0 on every metric (metrics_spec
part 3, ambiguity A8). `protocol` puts both into the id that every result carries.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tqdm import tqdm

from rrvf.benchmarks import blocks, clip
from rrvf.benchmarks.items import scoring_version
from rrvf.benchmarks.pairs import Log, partial, read_script, write_json
from rrvf.benchmarks.pixels import decode, ssim
from rrvf.domains import WEB
from rrvf.errors import UserError
from rrvf.protocol import code_in, read_reply
from rrvf.records import Render
from rrvf.render import Limits, Renderer
from rrvf.render.browser import VIEWPORT

METRICS = ("clip", "clip_masked", "ssim", *blocks.METRICS)
_BLOCK = 16


def protocol(limits: Limits) -> str:
    """The id of the rules: the viewport in pixels, and `full` where the screenshot is of the whole page."""
    canvas = limits.canvas or VIEWPORT
    return f"websight-{canvas.width}x{canvas.height}{'-full' if canvas.full_page else ''}"


def extract_code(reply: str) -> str | None:
    """The code of a reply by our grammar (`read_reply`, `code_in`), with our tags or without: there is no original's rule."""
    return read_reply(reply, WEB, _page).code


def _page(reply: str) -> str | None:
    code = code_in(reply, WEB)
    return code if "<" in code and ">" in code else None


def score_pair(reference: Render, generated: Render, judge: float | None = None) -> dict[str, float | None]:
    """`{"exec": 0 | 1, "judge", "clip": 0..100, "clip_masked": 0..100, "ssim", "block_match", "text", ...}`.

    Both are renders with trace "blocks"; a reference known as a picture alone has no items, and then the metrics that
    need its text are None. So are the CLIP scores without the weights. A page that was not drawn scores 0.
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
    """`{"n", "exec_rate", ...}`: percent, and each metric's mean over all pairs; None where a pair has none."""
    n = max(1, len(pairs))
    means = {
        metric: None if any(p[metric] is None for p in pairs) else sum(p[metric] for p in pairs) / n
        for metric in (*METRICS, "judge")
    }
    return {"n": len(pairs), "exec_rate": 100 * sum(p["exec"] for p in pairs) / n, **means}


def score_folder(folder: Path, out: Path, workers: int = 2) -> dict:
    """`rrvf score web`: pairs `NAME.gt.html` or `NAME.gt.png` (or both), and `NAME.gen.html`, of a folder into `out`.

    A page that was not drawn has the `reason` in its record. A killed run continues. UserError for a folder without
    pairs, a missing half, or a reference page that shows nothing.
    """
    names = pair_names(folder)
    with Log(partial(out), {n: _pair_key(folder, n) for n in names}) as log:
        todo = [n for n in names if n not in log.done]
        if todo:
            with Renderer("web", workers) as renderer:
                for start in tqdm(range(0, len(todo), _BLOCK), desc="score", unit="block"):
                    _score_block(folder, todo[start : start + _BLOCK], renderer, log)
        pairs = {n: log.done[n] for n in names}
    result = {"protocol": protocol(Limits()), "pairs": pairs, "aggregate": aggregate(list(pairs.values()))}
    write_json(out, result)
    partial(out).unlink()
    return result


def _score_block(folder: Path, names: list[str], renderer: Renderer, log: Log) -> None:
    references = _references(folder, names, renderer)
    made = renderer.render_many([read_script(folder / f"{n}.gen.html") for n in names], "blocks")
    for name, reference, generated in zip(names, references, made, strict=True):
        reason = {} if generated.ok else {"reason": generated.reason}
        log.add(name, score_pair(reference, generated) | reason)


def _pair_key(folder: Path, name: str) -> str:
    digest = hashlib.sha256(f"{protocol(Limits())} {scoring_version()} {clip.available()} {name}".encode())
    for half in ("gt.png", "gt.html", "gen.html"):
        path = folder / f"{name}.{half}"
        digest.update(hashlib.sha256(path.read_bytes() if path.is_file() else b"").digest())
    return digest.hexdigest()[:32]


def pair_names(folder: Path) -> list[str]:
    """Names that have both halves, sorted. UserError for a folder without pairs or with halves."""
    gold = {p.stem.removesuffix(".gt") for p in (*folder.glob("*.gt.png"), *folder.glob("*.gt.html"))}
    generated = {p.name.removesuffix(".gen.html") for p in folder.glob("*.gen.html")}
    if not generated:
        raise UserError(
            f"no NAME.gen.html in {folder}: name a folder of pairs NAME.gt.html or .gt.png and NAME.gen.html"
        )
    if odd := sorted(gold ^ generated):
        raise UserError(
            f"{odd[0]} in {folder} has no {'.gt' if odd[0] in generated else '.gen'} half: add or remove it"
        )
    return sorted(generated)


def _references(folder: Path, names: list[str], renderer: Renderer) -> list[Render]:
    pages = [n for n in names if (folder / f"{n}.gt.html").is_file()]
    made = renderer.render_many([read_script(folder / f"{n}.gt.html") for n in pages], "blocks")
    drawn = dict(zip(pages, made, strict=True))
    return [_reference(folder / f"{name}.gt.png", drawn.get(name), name) for name in names]


def _reference(picture: Path, drawn: Render | None, name: str) -> Render:
    """The picture that ships wins over our own drawing of the page; the blocks are the page's."""
    if drawn is not None and not drawn.ok:
        raise UserError(
            f"{name}.gt.html cannot be drawn ({drawn.reason}): a reference must be a page that shows something"
        )
    if not picture.is_file():
        return drawn
    shipped = picture.read_bytes()
    try:
        decode(shipped)
    except ValueError:
        raise UserError(f"{picture} cannot be read as a picture: put a whole PNG there") from None
    return Render(status="ok", png=shipped, items=drawn.items if drawn else None)
