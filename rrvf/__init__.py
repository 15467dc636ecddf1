"""RRVF: visual reinforcement learning with reasoning, rendering and visual feedback (arXiv 2507.20766).

    import rrvf
    rrvf.redraw("picture.png", policy="http://localhost:8000/v1#my-model").code

`__all__` is the public API. Each name is loaded where it is first used: a command that only prints its help needs no
torch. All else may change with any version.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rrvf.errors import UserError
    from rrvf.judge import compare_files
    from rrvf.judge.client import JudgeClient
    from rrvf.judge.local import EmbeddedJudge
    from rrvf.profile import Profile, load_profile
    from rrvf.records import Judgement, Render, RewardTerms, Sample, Trajectory, Turn
    from rrvf.redrawing import Redrawn, redraw
    from rrvf.render import Limits, Renderer
    from rrvf.reward import RewardRule
    from rrvf.study import Study

__version__ = "0.1.0"
__all__ = [
    "EmbeddedJudge",
    "JudgeClient",
    "Judgement",
    "Limits",
    "Profile",
    "Redrawn",
    "Render",
    "Renderer",
    "RewardRule",
    "RewardTerms",
    "Sample",
    "Study",
    "Trajectory",
    "Turn",
    "UserError",
    "compare_files",
    "load_profile",
    "redraw",
]
_HOMES = {
    "errors": ("UserError",),
    "judge": ("compare_files",),
    "judge.client": ("JudgeClient",),
    "judge.local": ("EmbeddedJudge",),
    "profile": ("Profile", "load_profile"),
    "records": ("Judgement", "Render", "RewardTerms", "Sample", "Trajectory", "Turn"),
    "redrawing": ("Redrawn", "redraw"),
    "render": ("Limits", "Renderer"),
    "reward": ("RewardRule",),
    "study": ("Study",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"rrvf.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
