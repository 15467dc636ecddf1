"""What every chart worker inherits: imported plotting libraries, loaded fonts and a warm text layout."""

from __future__ import annotations

import importlib
import io
import os
import shutil

_MODULES = """
matplotlib.pyplot matplotlib.animation matplotlib.cbook matplotlib.collections matplotlib.colors matplotlib.dates
matplotlib.gridspec matplotlib.image matplotlib.legend_handler matplotlib.lines matplotlib.offsetbox matplotlib.patches
matplotlib.patheffects matplotlib.path matplotlib.sankey matplotlib.ticker matplotlib.transforms matplotlib.tri
matplotlib.backends.backend_agg matplotlib.backends.backend_pdf mpl_toolkits.mplot3d mpl_toolkits.mplot3d.art3d
mpl_toolkits.axes_grid1 mpl_toolkits.axes_grid1.inset_locator mpl_toolkits.axisartist numpy.linalg numpy.random
numpy.ma pandas scipy.stats scipy.interpolate scipy.ndimage scipy.optimize scipy.signal scipy.spatial
scipy.cluster.hierarchy seaborn networkx squarify matplotlib_venn PIL.Image PIL.PngImagePlugin random math datetime
itertools collections textwrap string json statistics calendar asyncio
""".split()


def load() -> None:
    """Import the plotting libraries. A missing one is skipped: a script that needs it gets its own ImportError."""
    import matplotlib

    matplotlib.use("agg")
    for name in _MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    if matplotlib.get_configdir() != os.environ.get("MPLCONFIGDIR"):
        shutil.rmtree(matplotlib.get_configdir(), ignore_errors=True)  # a temporary folder, if ours is not writable


def forget_fonts_outside(folders: list[str]) -> None:
    """Keep only fonts that lie in `folders`, because the sandbox holds no others.

    Matplotlib lists the fonts of the whole machine. With one that cannot be read it would list them anew, which needs a
    thread. Without it a script that names the font gets the default one, as on a machine that has not installed it.
    """
    from matplotlib.font_manager import fontManager

    inside = tuple(os.path.realpath(folder) + os.sep for folder in folders)
    for kind in ("ttflist", "afmlist"):
        found = [font for font in getattr(fontManager, kind) if os.path.realpath(font.fname).startswith(inside)]
        setattr(fontManager, kind, [font for font in found if os.path.isfile(font.fname)])


def spare_sockets() -> None:
    """Let `asyncio.run` work without the socket pair by which threads and signals wake the event loop.

    The sandbox allows neither threads nor signals.
    """
    from asyncio.selector_events import BaseSelectorEventLoop

    BaseSelectorEventLoop._make_self_pipe = BaseSelectorEventLoop._close_self_pipe = lambda loop: None
    BaseSelectorEventLoop._csock = None


def warm() -> None:
    """Draw one small figure of each kind, so that fonts, text layout and colour maps are loaded before the fork."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(4, 3))
    figure.add_subplot(1, 2, 1, projection="polar").plot([0, 1], [1, 2])
    solid = figure.add_subplot(1, 2, 2, projection="3d")
    figure.colorbar(solid.scatter([1, 2], [1, 2], [1, 2], c=[1, 2]), ax=solid)
    figure.suptitle("warm", fontweight="bold", fontstyle="italic")
    figure.savefig(io.BytesIO(), format="png")
    plt.close("all")
    touch()


def touch() -> None:
    """Draw one plain figure. In a waiting child this copies the memory pages that nearly every script writes to."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([1, 2], [2, 1], "o--", label="warm $x^2$")
    axes.bar([1, 2], [1, 2])
    axes.set_title("warm")
    axes.legend()
    figure.canvas.draw()
    plt.close("all")
