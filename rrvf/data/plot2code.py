"""Plot2Code: real matplotlib figures with their code, the paper's zero-shot set (Table 2). Evaluation only.

The hub's table (split `test`, 368 rows) has the columns `image, url, code, instruction`. The paper scores the 132 rows
with "matplotlib" in `url`: every execution rate in its Table 2 is a multiple of 1/132 (decisions D7).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from rrvf.data import hub
from rrvf.data.config import Plot2Code
from rrvf.data.manifest import Item


def items(split: Plot2Code) -> Iterator[Item]:
    """The chosen figures in table order, named by their row. R and plotly figures have no code."""
    return islice(_all(split), split.count)


def _all(split: Plot2Code) -> Iterator[Item]:
    commit = hub.revision(split.source, split.revision)
    source = hub.named(split.source, commit)
    for i, row in enumerate(hub.rows(split.source, None, "test", images=("image",), commit=commit)):
        url = hub.text(row, "url", i, split.source)
        matplotlib = "matplotlib" in url
        if matplotlib or split.figures == "all":
            code = hub.text(row, "code", i, split.source) if matplotlib else None
            png = hub.picture(row, "image", i, split.source)
            yield Item(f"row-{i:03}", png, code, f"{source} test, {url}", "Apache-2.0")
