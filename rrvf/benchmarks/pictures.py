"""Pictures without true code: execution rate, the judge's score, and the similarity of the pixels.

Nothing here needs a label, so any folder of pictures can be measured (`rrvf eval --pictures`). Metrics that need the
true code are absent, not 0.
"""

from __future__ import annotations

from pathlib import Path

from rrvf.benchmarks import clip
from rrvf.benchmarks.pixels import decode, ssim
from rrvf.domains import Domain
from rrvf.protocol import code_in, read_reply
from rrvf.records import Render, Sample
from rrvf.render import Renderer

#: The metrics beside the judge's score. Both need only the two pictures; CLIP also needs its weights.
METRICS = ("ssim", "clip")


def protocol(domain: Domain, renderer: Renderer) -> str:
    """The protocol's id: the domain, and the canvas that answers are drawn on (`own`: their own size)."""
    canvas = renderer.limits.canvas
    size = f"{canvas.width}x{canvas.height}{'-full' if canvas.full_page else ''}" if canvas else "own"
    return f"pictures-{domain.name}-{size}"


def extract_code(reply: str, domain: Domain) -> str | None:
    """The code of a reply by our grammar (`read_reply`), with or without our tags."""
    return read_reply(reply, domain, lambda text: code_in(text, domain) or None).code


def score(sample: Sample, root: Path, code: str, renderer: Renderer) -> tuple[Render, dict[str, float | None]]:
    """The render of `code`, and `{"exec": 0 | 1, "ssim": -1..1, "clip": 0..100 | None}`.

    Code that draws no picture scores 0. `clip` is None without CLIP's weights.
    """
    render = renderer.render(code)
    known = [metric for metric in METRICS if metric != "clip" or clip.available()]
    scores: dict[str, float | None] = dict.fromkeys(METRICS) | dict.fromkeys(known, 0.0)
    if render.ok:
        one, two = decode((root / sample.image).read_bytes()), decode(render.png)
        scores["ssim"] = ssim(one, two)
        if "clip" in known:
            scores["clip"] = clip.similarity(one, two)
    return render, {"exec": float(render.ok)} | scores
