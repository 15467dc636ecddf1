"""A figure in a notebook, with what it shows in words.

    show(figure, "Two bars: 53 % before, 58 % after.", "The execution rate rises by five points.")

The words stand in the output as Jupyter's `alt` of the picture and as its plain text, so that a reader who sees no
picture has them too, and under it as one line of finding. Pictures are finer than they are shown, on white, which
reads in a light and in a dark notebook.
"""

from __future__ import annotations

import io

from IPython.display import Markdown, display
from matplotlib.figure import Figure

#: Pixels across that a figure takes in a notebook, at most.
WIDTH = 900
FINE = 1.5


def show(figure: Figure, alt: str, finding: str = "", width: int = WIDTH) -> None:
    """Display `figure`, `width` pixels wide.

    alt: what is drawn, in a sentence. finding: what to learn from it, in one line of Markdown.
    """
    inches = figure.get_size_inches()
    width = round(min(width, 100 * inches[0]))
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=FINE * width / inches[0], facecolor="white")
    size = {"width": width, "height": round(width * inches[1] / inches[0])}
    display({"image/png": png.getvalue(), "text/plain": alt}, raw=True, metadata={"image/png": {"alt": alt, **size}})
    if finding:
        display(Markdown(f"**Finding:** {finding}"))


def fold(title: str, text: str) -> None:
    """Display Markdown `text` behind the line `title`, which opens it."""
    display(Markdown(f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"))
