"""WebSight (Table 3): CLIP similarity and the judge's 100-point score; SSIM beside them, since CLIP forgives much.

WebSight has no official evaluator and the paper names neither viewport nor failure rule. Ours: the page is drawn on the
data set's own canvas; a page that is not drawn scores 0 on every metric (metrics_spec part 3, ambiguity A8).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from rrvf.benchmarks import clip
from rrvf.errors import UserError
from rrvf.records import Render
from rrvf.render import Renderer

PROTOCOL = "websight-viewport"
_FENCE = re.compile(r"```html(.*?)```", re.DOTALL)
_BLOCK = 16


def extract_code(reply: str) -> str | None:
    """The first fenced HTML block; else the reply itself where it is a page."""
    found = _FENCE.search(reply)
    if found:
        return found.group(1)
    return reply if "<" in reply and ">" in reply else None


def score_pictures(reference: np.ndarray, generated: np.ndarray) -> dict[str, float | None]:
    """CLIP (0 to 100; None without weights) and SSIM (-1 to 1) of two screenshots, (H, W, 3) uint8."""
    alike = clip.similarity(reference, generated) if clip.available() else None
    return {"clip": alike, "ssim": ssim(reference, fitted(generated, reference))}


def fitted(picture: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """`picture` on the reference's canvas: cut at the right and bottom, or padded with white."""
    height, width = reference.shape[:2]
    canvas = np.full_like(reference, 255)
    part = picture[:height, :width]
    canvas[: part.shape[0], : part.shape[1]] = part
    return canvas


def ssim(one: np.ndarray, two: np.ndarray) -> float:
    """Structural similarity of two equally large pictures in gray: Gaussian window 11, sigma 1.5 (Wang et al. 2004)."""
    a, b = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float64) for p in (one, two))
    blur = lambda x: cv2.GaussianBlur(x, (11, 11), 1.5)  # noqa: E731
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    quality = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((quality / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def decode(png: bytes) -> np.ndarray:
    """PNG bytes as (H, W, 3) uint8, RGB."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def score_folder(folder: Path, out: Path, workers: int = 2) -> dict:
    """`rrvf score web`: pairs `NAME.gt.html` or `NAME.gt.png`, and `NAME.gen.html`, of a folder into `out`."""
    names = sorted(p.name.removesuffix(".gen.html") for p in folder.glob("*.gen.html"))
    if not names:
        raise UserError(f"no NAME.gen.html in {folder}: name a folder of pairs")
    pairs: dict[str, dict] = {}
    with Renderer("web", workers) as renderer:
        for start in tqdm(range(0, len(names), _BLOCK), desc="score", unit="block"):
            block = names[start : start + _BLOCK]
            made = renderer.render_many([(folder / f"{n}.gen.html").read_text() for n in block])
            for name, render in zip(block, made, strict=True):
                pairs[name] = _pair(_reference(folder, name, renderer), render)
    result = {"pairs": pairs, "aggregate": aggregate(list(pairs.values()))}
    partial = out.with_name(out.name + ".tmp")
    partial.write_text(json.dumps(result, indent=1) + "\n")
    partial.rename(out)
    return result


def _reference(folder: Path, name: str, renderer: Renderer) -> bytes:
    picture, page = folder / f"{name}.gt.png", folder / f"{name}.gt.html"
    if picture.is_file():
        return picture.read_bytes()
    if not page.is_file():
        raise UserError(f"{name} has neither .gt.html nor .gt.png in {folder}: add one")
    render = renderer.render(page.read_text())
    if not render.ok:
        raise UserError(f"{page} cannot be drawn ({render.reason}): a reference must be a page that shows something")
    return render.png


def _pair(reference: bytes, render: Render) -> dict:
    if not render.ok:
        return {"exec_ok": False, "clip": 0.0 if clip.available() else None, "ssim": 0.0}
    return {"exec_ok": True, **score_pictures(decode(reference), decode(render.png))}


def aggregate(pairs: list[dict]) -> dict[str, float | None]:
    """Exec rate in percent and means over all pairs; CLIP None where it could not be measured."""
    n = max(1, len(pairs))
    means = {
        key: None if any(p[key] is None for p in pairs) else sum(p[key] for p in pairs) / n for key in ("clip", "ssim")
    }
    return {"n": len(pairs), "exec_rate": 100 * sum(p["exec_ok"] for p in pairs) / n, **means}
