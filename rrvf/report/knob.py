"""A figure with controls: sliders and menus in a live notebook, else the figure at its defaults.

    def draw(threshold=0.95): show(...)
    knob(draw, threshold=(0.5, 1.0, 0.01))

papermill, nbval and the documentation show the figure at the defaults of `draw`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

#: Variables that Jupyter's servers, VS Code and Colab set for an interactive kernel; nbclient sets none of them.
FRONT_ENDS = ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG")


def live() -> bool:
    """Whether this kernel has a front end that can show widgets."""
    return find_spec("ipywidgets") is not None and any(name in os.environ for name in FRONT_ENDS)


def knob(draw: Callable[..., None], **ranges: Sequence[Any]) -> None:
    """Call `draw`, which shows a figure. In a `live` notebook, call it again at every change of a control.

    ranges: for each argument of `draw`, (low, high, step) for a slider or a list of choices for a menu.
    """
    if not live():
        draw()
        return
    from IPython.display import display
    from ipywidgets import interactive

    controls = interactive(draw, **ranges)
    for control in controls.children:
        if hasattr(control, "continuous_update"):
            control.continuous_update = False  # drawing is too slow to follow a moving slider
    display(controls)
