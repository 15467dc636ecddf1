"""RRVF: visual reinforcement learning with reasoning, rendering and visual feedback (arXiv 2507.20766).

import rrvf
rrvf.redraw("picture.png", policy="http://localhost:8000/v1#my-model").code
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rrvf.redrawing import redraw

__version__ = "0.1.0"
__all__ = ["redraw"]


def __getattr__(name: str) -> Any:
    if name in __all__:  # loaded where it is used: a command that only prints its help needs no torch
        from rrvf.redrawing import redraw

        return redraw
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
