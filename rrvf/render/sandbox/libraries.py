"""What every chart worker inherits ready: the plotting libraries imported, fonts and text layout warm."""

from __future__ import annotations

import importlib
import io

_MODULES = """
matplotlib.pyplot matplotlib.animation matplotlib.cbook matplotlib.collections matplotlib.colors matplotlib.dates
matplotlib.gridspec matplotlib.image matplotlib.legend_handler matplotlib.lines matplotlib.offsetbox matplotlib.patches
matplotlib.patheffects matplotlib.path matplotlib.sankey matplotlib.ticker matplotlib.transforms matplotlib.tri
matplotlib.backends.backend_agg matplotlib.backends.backend_pdf mpl_toolkits.mplot3d mpl_toolkits.mplot3d.art3d
mpl_toolkits.axes_grid1 mpl_toolkits.axes_grid1.inset_locator mpl_toolkits.axisartist numpy.linalg numpy.random
numpy.ma pandas scipy.stats scipy.interpolate scipy.ndimage scipy.optimize scipy.signal scipy.spatial
scipy.cluster.hierarchy seaborn networkx squarify matplotlib_venn PIL.Image PIL.PngImagePlugin random math datetime
itertools collections textwrap string json statistics calendar
""".split()


def load() -> None:
    """Import the plotting libraries; one that is not installed is left to the script's own ImportError."""
    import matplotlib

    matplotlib.use("agg")
    for name in _MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue


def warm() -> None:
    """Draw a small figure of each kind once, so that fonts, text layout and colour maps are loaded before the fork."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(4, 3))
    flat = figure.add_subplot(1, 3, 1)
    flat.plot([1, 2], [2, 1], "o--", label="warm $x^2$")
    flat.bar([1, 2], [1, 2])
    flat.set_title("warm", fontweight="bold", fontstyle="italic")
    flat.legend()
    figure.add_subplot(1, 3, 2, projection="polar").plot([0, 1], [1, 2])
    figure.add_subplot(1, 3, 3, projection="3d").scatter([1, 2], [1, 2], [1, 2])
    figure.colorbar(flat.scatter([1, 2], [1, 2], c=[1, 2]), ax=flat)
    figure.savefig(io.BytesIO(), format="png")
    plt.close("all")
