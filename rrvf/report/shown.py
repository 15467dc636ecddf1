"""Shows a figure in a notebook, with a description in words.

    show(figure, "Two bars: 53 % before, 58 % after.", "The execution rate rises by five points.")

The description is the picture's `alt` text and the output's plain text, for readers who cannot see the picture. The
finding is one line below it. Pictures have a higher resolution than their displayed size, and a white background that
works in light and dark notebooks.
"""

from __future__ import annotations

import io

from IPython.display import Markdown, display
from matplotlib.figure import Figure

#: Maximum width of a figure in a notebook, in pixels; and the factor of its resolution.
WIDTH = 900
FINE = 1.5


def show(figure: Figure, alt: str, finding: str = "", width: int = WIDTH) -> None:
    """Display `figure`, `width` pixels wide.

    alt: what the figure shows, in one sentence. finding: its message, in one line of Markdown.
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
    """Display Markdown `text` folded under the line `title`; a click on it opens the text."""
    display(Markdown(f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"))
