"""`nano`, the policy that ships with the package: its location, and the check of its files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from rrvf.errors import UserError
from rrvf.folders import how_trained
from rrvf.places import PACKAGE

CHECKPOINT = PACKAGE / "nano" / "checkpoint"
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
    """Check `folder` against its manifest. Raises UserError if a file is missing or differs."""
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


def is_nano(model: str) -> bool:
    """Whether an address is `nano` or a folder that was trained from it. Such a policy always runs in this process."""
    trained_as = how_trained(model).get("policy")
    return model == "nano" or isinstance(trained_as, dict) and trained_as.get("prompts") == "nano"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
