"""Which of the processes that train together this one is, as torchrun and accelerate say in the environment.

Not asked of accelerate: its first answer begins the process group, with a time-out of its own, before TRL's is read.
"""

from __future__ import annotations

import os


def processes() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def deepspeed() -> bool:
    """Whether DeepSpeed trains, which keeps float32 copies of the weights itself, a part in each process."""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "false") == "true"


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0
