"""A figure with knobs: drawn once where nobody can turn them, with sliders and menus in a live notebook.

    def draw(threshold=0.95): show(...)
    knob(draw, threshold=(0.5, 1.0, 0.01))

papermill, nbval and the documentation see the figure at the defaults of `draw`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

#: What Jupyter's servers, VS Code and Colab set for a kernel that has a reader; a kernel started by nbclient has none.
FRONT_ENDS = ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG")


def live() -> bool:
    """Whether this is a kernel with a front end, and widgets can be drawn."""
    return find_spec("ipywidgets") is not None and any(name in os.environ for name in FRONT_ENDS)


def knob(draw: Callable[..., None], **ranges: Sequence[Any]) -> None:
    """Call `draw`, which shows a figure; where `live`, again at every turn of a knob.

    ranges: for each argument (low, high, step) for a slider, or a list of choices for a menu.
    """
    if not live():
        draw()
        return
    from IPython.display import display
    from ipywidgets import interactive

    controls = interactive(draw, **ranges)
    for control in controls.children:
        if hasattr(control, "continuous_update"):
            control.continuous_update = False  # a figure takes longer than a slider moves
    display(controls)
