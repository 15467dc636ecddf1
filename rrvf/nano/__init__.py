"""The nano policy: a Qwen2.5-VL of 4 million parameters that reads small charts and pages, shipped with the package.

What it can do and how it was made: docs/nano_card.md. To make it again: `python -m rrvf.nano.pretrain --out DIR`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from rrvf.errors import UserError

CHECKPOINT = Path(__file__).parent / "checkpoint"
MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"
_MEND = (
    "restore it with `git checkout rrvf/nano/checkpoint`, or make it again: `python -m rrvf.nano.pretrain --out DIR`"
)


def write_manifest(folder: Path = CHECKPOINT) -> None:
    """Record the sha256 of every file in `folder`."""
    files = sorted(p for p in folder.iterdir() if p.name != MANIFEST)
    (folder / MANIFEST).write_text(json.dumps({p.name: _sha256(p) for p in files}, indent=2) + "\n")


def verify(folder: Path = CHECKPOINT) -> None:
    """Check `folder` against its manifest; raises UserError where a file is missing or not what was shipped."""
    try:
        wanted = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        raise UserError(f"the nano policy's manifest is missing or unreadable in {folder}: {_MEND}") from None
    for name, digest in {WEIGHTS: None, **wanted}.items():
        path = folder / name
        if not path.is_file():
            raise UserError(f"the nano policy lacks {name}: {_MEND}")
        if _sha256(path) != digest:
            raise UserError(f"{name} of the nano policy is not the one that was shipped: {_MEND}")


def load(device: str = "cpu"):
    """The verified policy in float32 and its processor: (Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor)."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    verify()
    model = AutoModelForImageTextToText.from_pretrained(CHECKPOINT, dtype=torch.float32)
    return model.to(device).eval(), AutoProcessor.from_pretrained(CHECKPOINT)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
