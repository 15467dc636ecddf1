"""The rank of this process, read from the environment variables of torchrun and accelerate.

We do not ask accelerate: its first answer creates the process group with accelerate's time-out, before ours is set.
"""

from __future__ import annotations

import os


def processes() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def deepspeed() -> bool:
    """Whether DeepSpeed trains. It keeps float32 copies of the weights itself, sharded over the processes."""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "false") == "true"


def is_main() -> bool:
    """Whether this is the main process, the one that writes files."""
    return int(os.environ.get("RANK", "0")) == 0
