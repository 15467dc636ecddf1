"""CLIP similarity of two screenshots (Table 3): open_clip's ViT-B/32 with OpenAI's weights, the usual choice (D9).

There are two forms (metrics_spec part 3): on the whole screenshots, and with the text painted over, as in Design2Code.

The weights come from a local file (RRVF_CLIP_WEIGHTS) or from the hub. Without them there is no score, since CLIP with
other weights measures something else.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.constants import ENDPOINT
from PIL import Image
from tqdm import tqdm

from rrvf.environment import hub_is_off
from rrvf.errors import UserError

if TYPE_CHECKING:
    from open_clip import CLIP

MODEL, WEIGHTS = "ViT-B-32-quickgelu", "openai"
#: The inverse temperature of OpenAI's trained model: the upper bound in training. An untrained model has 1 / 0.07.
TRAINED_SCALE = 100
HUB_ID, HUB_FILE = "timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors"
MEND = "set RRVF_CLIP_WEIGHTS to a file with OpenAI's ViT-B/32 weights, or run where the model hub can be reached"


@cache
def available() -> bool:
    """Whether the weights can be loaded. Where they cannot, one line on standard error says so, once."""
    try:
        load()
    except UserError as error:
        tqdm.write(f"no CLIP scores: {error}", file=sys.stderr)
        return False
    return True


@cache
def load():
    """The model and its preprocessing. UserError where the weights cannot be loaded."""
    local = os.environ.get("RRVF_CLIP_WEIGHTS")
    if local and not Path(local).is_file():
        raise UserError(f"RRVF_CLIP_WEIGHTS names {local}, which is no file: correct it or unset it")
    if not local and not _reachable():
        raise UserError(f"no CLIP weights: the model hub does not answer, or HF_HUB_OFFLINE is set: {MEND}")
    import open_clip

    try:
        model, _, preprocess = open_clip.create_model_and_transforms(MODEL, pretrained=local or WEIGHTS)
    except Exception as error:
        raise UserError(f"no CLIP weights ({type(error).__name__}): {MEND}") from None
    check_trained(model, local or HUB_ID)
    return model.eval(), preprocess


def check_trained(model: CLIP, source: str) -> None:
    """UserError for weights whose inverse temperature is not that of OpenAI's model, above all untrained ones."""
    scale = model.logit_scale.exp().item()
    if abs(scale - TRAINED_SCALE) > 1:
        raise UserError(
            f"{source} holds other weights than OpenAI's, or untrained ones (scale {scale:.1f}, theirs is "
            f"{TRAINED_SCALE}), whose scores would mean nothing: {MEND}"
        )


def _reachable() -> bool:
    """Whether the weights are in the hub's cache or the hub answers. The hub's own client would retry for minutes."""
    if isinstance(try_to_load_from_cache(HUB_ID, HUB_FILE), str):
        return True
    if hub_is_off():
        return False
    try:
        return httpx.head(ENDPOINT, timeout=4.0).status_code < 500
    except httpx.HTTPError:
        return False


def similarity(reference: np.ndarray, generated: np.ndarray) -> float:
    """Cosine similarity of the two pictures' CLIP embeddings, times 100.

    Pictures are (H, W, 3) uint8 RGB and are resized to squares first.
    """
    return cosine(*load(), reference, generated)


def cosine(model, preprocess, reference: np.ndarray, generated: np.ndarray) -> float:
    """`similarity` with any model that has `encode_image`."""
    import torch

    batch = torch.stack([preprocess(square(picture)) for picture in (reference, generated)])
    with torch.inference_mode():
        one, two = torch.nn.functional.normalize(model.encode_image(batch), dim=-1)
    return 100 * float(one @ two)


def square(picture: np.ndarray) -> Image.Image:
    """The picture resized to a square whose side is its shorter edge, so that CLIP's centre crop drops nothing."""
    side = min(picture.shape[:2])
    return Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)


def without_text(picture: np.ndarray, blocks: list[dict]) -> np.ndarray:
    """The picture with its text blocks inpainted from their surroundings (Telea, radius 3)."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for x, y, w, h in (block["box"] for block in blocks):
        left, top = int(x * width), int(y * height)
        mask[top : top + int(h * height), left : left + int(w * width)] = 255
    return cv2.inpaint(picture, mask, 3, cv2.INPAINT_TELEA) if blocks else picture
