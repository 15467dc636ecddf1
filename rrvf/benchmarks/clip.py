"""CLIP similarity of two screenshots (Table 3): open_clip's ViT-B/32 with OpenAI's weights, the usual choice (D9).

The weights come from a local file (RRVF_CLIP_WEIGHTS) or from the hub. Where neither is there, there is no number: a
CLIP with other weights measures something else.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import cv2
import httpx
import numpy as np
import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.constants import ENDPOINT
from PIL import Image

from rrvf.errors import UserError

MODEL, WEIGHTS = "ViT-B-32-quickgelu", "openai"
HUB_ID, HUB_FILE = "timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors"
MEND = "set RRVF_CLIP_WEIGHTS to a file with OpenAI's ViT-B/32 weights, or run where the model hub can be reached"


@cache
def available() -> bool:
    """Whether the weights can be had."""
    try:
        load()
    except UserError:
        return False
    return True


@cache
def load():
    """The model and its preprocessing. UserError where the weights are not to be had."""
    import open_clip

    local = os.environ.get("RRVF_CLIP_WEIGHTS")
    if local and not Path(local).is_file():
        raise UserError(f"RRVF_CLIP_WEIGHTS names {local}, which is no file: correct it or unset it")
    if not local and os.environ.get("HF_HUB_OFFLINE") == "1":
        raise UserError(f"no CLIP weights while HF_HUB_OFFLINE=1: {MEND}")
    if not local and not _reachable():
        raise UserError(f"no CLIP weights: the model hub does not answer: {MEND}")
    try:
        model, _, preprocess = open_clip.create_model_and_transforms(MODEL, pretrained=local or WEIGHTS)
    except Exception as error:
        raise UserError(f"no CLIP weights ({type(error).__name__}): {MEND}") from None
    return model.eval(), preprocess


def _reachable() -> bool:
    """Whether the weights are in the hub's cache or the hub answers: its own client would try for minutes."""
    if isinstance(try_to_load_from_cache(HUB_ID, HUB_FILE), str):
        return True
    try:
        return httpx.head(ENDPOINT, timeout=4.0).status_code < 500
    except httpx.HTTPError:
        return False


def similarity(reference: np.ndarray, generated: np.ndarray) -> float:
    """Cosine of the two pictures' embeddings, times 100. Pictures are (H, W, 3) uint8, squared first (metrics_spec 3)."""
    model, preprocess = load()
    batch = torch.stack([preprocess(Image.fromarray(square(p))) for p in (reference, generated)])
    with torch.inference_mode():
        one, two = torch.nn.functional.normalize(model.encode_image(batch), dim=-1)
    return 100 * float(one @ two)


def square(picture: np.ndarray) -> np.ndarray:
    """Resized to a square whose side is the shorter edge, so that CLIP's centre crop drops nothing."""
    side = min(picture.shape[:2])
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_LANCZOS4)
