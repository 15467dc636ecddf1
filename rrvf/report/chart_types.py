r"""The chart types of a sample, read from its true code, for the filter of the sample browser.

chart_types("ax.bar(x, y)\nax.plot(x, z)")    # ("bar", "line")
"""

from __future__ import annotations

import ast
import re

#: Drawing calls of matplotlib's axes, seaborn and networkx, by chart type.
_CALLS = {
    "line": "plot lineplot semilogx semilogy loglog plot_date",
    "step": "step stairs",
    "bar": "bar barplot countplot",
    "horizontal bar": "barh broken_barh",
    "histogram": "hist histplot hist2d displot",
    "scatter": "scatter scatterplot stripplot swarmplot regplot",
    "pie": "pie",
    "box": "boxplot bxp boxenplot",
    "violin": "violinplot",
    "error bars": "errorbar",
    "area": "fill_between fill_betweenx stackplot",
    "stem": "stem",
    "heatmap": "imshow matshow pcolor pcolormesh heatmap clustermap spy",
    "contour": "contour contourf tricontour tricontourf",
    "density": "kdeplot hexbin",
    "vectors": "quiver streamplot barbs",
    "graph": "draw_networkx draw_networkx_nodes draw_networkx_edges",
    "table": "table",
    "3D": "plot_surface plot_wireframe plot_trisurf bar3d voxels",
}
_TYPES = {call: name for name, calls in _CALLS.items() for call in calls.split()}


def chart_types(code: str) -> tuple[str, ...]:
    """The chart types that Python code draws, in alphabetical order.

    Empty if the code does not parse or has no known drawing call.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ()
    calls = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    return tuple(sorted({_TYPES[call] for call in calls if call in _TYPES}))


def type_in_name(sample_id: str) -> tuple[str, ...]:
    """The chart type in a sample's id (`direct_600/bar_12`: bar), or the id's folder (`sb-admin/index`: sb-admin)."""
    folder, _, name = sample_id.rpartition("/")
    numbered = re.fullmatch(r"([A-Za-z]\w*?)_\d+", name)
    found = numbered.group(1) if numbered else folder.split("/")[0]
    return (found.replace("_", " "),) if found else ()
