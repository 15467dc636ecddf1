"""A reproduction that is stopped twice publishes the same bytes."""

from __future__ import annotations

import pytest
import stopped

NOTEBOOK = """# %% tags=["parameters"]
profile = "nano"
results = None

# %%
from pathlib import Path
from rrvf.render import render
print("stage a: begins")
picture = render("chart", "import matplotlib.pyplot as plt; plt.plot([1, {number}])").png
print("stage b: begins")

# %%
out = Path(results, "report")
out.mkdir(exist_ok=True)
(out / "{number}.png").write_bytes(picture)
print("stage c: begins")
"""

pytestmark = pytest.mark.timeout(1800)


def test_a_reproduction_stopped_twice_publishes_the_same_results(tmp_path):
    words = {}
    for name in ("whole", "parts"):
        notebooks = tmp_path / name / "notebooks"
        notebooks.mkdir(parents=True)
        for number in (1, 2):
            (notebooks / f"0{number}_notebook.py").write_text(NOTEBOOK.replace("{number}", str(number)))
        words[name] = ["nano", str(notebooks)]
    stopped.preload()
    stopped.check(stopped.reproduce, words, tmp_path)
    whole, parts = (
        {p.name: p.read_bytes() for p in (tmp_path / name / "results" / "nano").rglob("*.png")} for name in words
    )
    assert whole == parts
    assert sorted(whole) == ["1.png", "2.png"]
